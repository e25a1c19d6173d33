"""Playing steps: against a real server as gateway and an imitated API."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from mesh.api.errors import NotFound
from mesh.testing.report import flat
from mesh.testing.runner import Player, StepResult, name_of
from mesh.testing.scenario import Scenario, Step
from mesh.testing.verdict import Outcome
from mesh.testing.world import Hands, StepError, World


class Site:
    """A gateway whose answer a test changes; an API that only knows how to be told."""

    def __init__(self) -> None:
        self.version = "v1"
        self.port = 0
        self.applied: list[str] = []
        self.deleted: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        return web.Response(text=f"Host: pod, Version: {self.version}\n")

    async def apply(self, paths: Sequence[str]) -> None:
        self.applied += [Path(path).name for path in paths]
        if "bad.yaml" in self.applied:
            raise StepError("bad.yaml: RouteRule x: spec.route: 99")
        self.version = "v2"

    async def delete(self, cls: type, name: str, namespace: str | None = None, **_: Any) -> None:
        if name == "missing":
            raise NotFound.of("services", "", name)
        self.deleted.append(name)

    def player(self, steps: list[dict[str, Any]], said: list[str] | None = None) -> tuple[Player, Scenario]:
        scenario = Scenario.model_validate({"title": "t", "what": "w", "steps": steps, "folder": "/nowhere"})
        world = World(
            gateway=f"http://127.0.0.1:{self.port}",
            api="http://127.0.0.1:1",
            dns=("127.0.0.1", 1),
            nodes={},
            apply=self.apply,
        )
        hands = Hands(world, self)  # type: ignore[arg-type]
        return Player(scenario, hands, (said if said is not None else []).append), scenario

    async def play(self, *steps: dict[str, Any]) -> list[StepResult]:
        player, scenario = self.player(list(steps))
        return await player.steps(scenario.steps)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    app = web.Application()
    app.router.add_get("/", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = runner.addresses[0][1]
    yield made
    await runner.cleanup()


async def test_a_load_is_judged(site: Site) -> None:
    good, bad = await site.play(
        {"name": "good", "send": {"requests": 20}, "expect": {"versions": {"v1": "100%"}}},
        {"name": "bad", "send": {"requests": 20}, "expect": {"versions": {"v2": "100%"}}},
    )
    assert good.ok
    assert not bad.ok
    assert good.answers is not None
    assert good.answers.versions == {"v1": 20}


async def test_steps_are_taken_while_requests_flow(site: Site) -> None:
    (result,) = await site.play(
        {
            "send": {"rate": 200},
            "during": [{"pause": 0.1}, {"apply": ["rule.yaml"]}, {"wait": {"version": "v2"}}],
            "expect": {"errors": 0},
        }
    )
    assert result.ok
    assert [inner.verb for inner in result.during] == ["pause", "apply", "wait"]
    assert result.answers is not None
    assert set(result.answers.versions) == {"v1", "v2"}
    assert [depth for depth, _ in flat([result])] == [0, 1, 1, 1]


async def test_a_load_with_an_end_outlasts_its_steps(site: Site) -> None:
    (result,) = await site.play({"send": {"requests": 50, "rate": 200}, "during": [{"pause": 0.01}]})
    assert result.answers is not None
    assert result.answers.sent == 50


async def test_a_wait_that_runs_out_ends_the_play(site: Site) -> None:
    results = await site.play({"wait": {"version": "v9", "timeout_s": 0.1}}, {"pause": 0})
    assert len(results) == 1
    assert results[0].checks[0].outcome is Outcome.FAIL
    assert "last seen: 20 v1" in results[0].checks[0].why


async def test_a_refused_manifest_ends_the_play_and_the_load(site: Site) -> None:
    results = await asyncio.wait_for(
        site.play({"send": {"rate": 100}, "during": [{"apply": ["bad.yaml"]}, {"pause": 60}]}), 10
    )
    (result,) = results
    assert not result.ok
    assert [inner.ok for inner in result.during] == [False]
    assert "spec.route" in result.during[0].checks[0].why


async def test_an_error_of_the_api_is_told(site: Site) -> None:
    results = await site.play(
        {"delete": {"kind": "Service", "name": "web"}}, {"delete": {"kind": "Service", "name": "missing"}}
    )
    assert site.deleted == ["web"]
    assert results[1].checks[0].why == 'services "missing" not found'


@pytest.mark.parametrize(
    ("step", "label"),
    [
        pytest.param({"name": "mine", "pause": 1}, "mine", id="its own name"),
        pytest.param({"pause": 0.5}, "pause 0.5 s", id="pause"),
        pytest.param({"send": {"requests": 1}}, "send", id="send"),
        pytest.param({"apply": ["a.yaml", "b.yaml"]}, "apply a.yaml, b.yaml", id="apply"),
        pytest.param({"delete": {"kind": "Service", "name": "x"}}, "delete Service/x", id="delete"),
        pytest.param({"wait": {"version": "v2"}}, "wait for v2", id="waiting for a version"),
        pytest.param({"wait": {"pods": "app=a", "count": 2}}, "wait for 2 pods app=a", id="waiting for pods"),
        pytest.param({"kill": {"pods": "app=a"}}, "kill app=a", id="killing pods"),
        pytest.param({"kill": {"node": "node-1"}}, "kill node-1", id="killing a node"),
        pytest.param({"kill": {"node_of": "app=a"}}, "kill the node of app=a", id="killing somebody's node"),
        pytest.param({"kv": {"service": "kv", "put": 9}}, "put 9 keys", id="putting keys"),
        pytest.param({"kv": {"service": "kv", "get": 9}}, "get 9 keys", id="getting keys"),
        pytest.param({"kv": {"service": "kv", "rebalance": True}}, "move keys to where they belong", id="moving keys"),
        pytest.param(
            {"kv": {"service": "kv", "rebalance": True, "keep": 3}},
            "move keys to where they belong, on 3 shards",
            id="moving keys away",
        ),
    ],
)
def test_steps_have_names(step: dict[str, Any], label: str) -> None:
    assert name_of(Step.model_validate(step)) == label


async def test_progress_names_the_steps(site: Site) -> None:
    said: list[str] = []
    player, scenario = site.player([{"pause": 0}, {"name": "a name", "pause": 0}], said)
    await player.steps(scenario.steps)
    assert said == ["pause 0 s", "a name"]


async def test_p99_of_an_earlier_step(site: Site) -> None:
    results = await site.play(
        {"name": "first", "send": {"requests": 200}},
        {"send": {"requests": 200}, "expect": {"p99_ratio": {"of": "first", "at_most": 1000}}},
    )
    assert [result.ok for result in results] == [True, True]
