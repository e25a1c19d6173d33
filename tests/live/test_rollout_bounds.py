"""How many pods are ready while a real mesh rolls out? Never fewer nor more than the strategy allows, by the watch.

The plans are checked for many settings elsewhere; here nodes, probes and deletions take their real time.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, example, given, settings
from hypothesis import strategies as st

from mesh.api import scheme
from mesh.api.workloads import Deployment
from mesh.client.http import HttpClient
from mesh.testing import rollout
from mesh.testing.scenario import Rollout
from mesh.testing.timeline import Count, PodWatch
from tests.scenarios.support import Mesh, start, stop

pytestmark = [pytest.mark.live, pytest.mark.timeout(90)]
ROLLOUT_S = 40.0
NUMBERS = count(1)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    home = tmp_path_factory.mktemp("home")
    yield start(home)
    stop(home)


@pytest.fixture
async def client(mesh: Mesh) -> AsyncIterator[HttpClient]:
    async with HttpClient(mesh.up["api"]) as made:
        yield made


def deployment(name: str, replicas: int, strategy: dict[str, Any]) -> Deployment:
    template = {
        "metadata": {"labels": {"app": name, "version": "v1"}},
        "spec": {
            "containers": [
                {
                    "name": "web",
                    "image": "containersol/k8s-deployment-strategies",
                    "env": [{"name": "VERSION", "value": "v1"}],
                    "ports": [{"containerPort": 8080}, {"name": "probe", "containerPort": 8086}],
                    "readinessProbe": {"httpGet": {"path": "/ready", "port": "probe"}, "periodSeconds": 1},
                }
            ]
        },
    }
    spec = {
        "replicas": replicas,
        "strategy": strategy,
        "selector": {"matchLabels": {"app": name}},
        "template": template,
    }
    data = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "default"}}
    return scheme.decode(Deployment, {**data, "spec": spec})


async def complete(client: HttpClient, step: Rollout) -> None:
    await rollout.begin(client, step)
    assert await rollout.until_complete(client, step) is not None


def outside(counts: list[Count], low: int, high: int) -> list[Count]:
    """The moments at which the bounds were broken."""
    return [seen for seen in counts if seen.ready < low or seen.total > high]


LIMIT = st.one_of(st.integers(0, 4), st.sampled_from(("0%", "10%", "25%", "34%", "50%", "75%", "100%")))


@settings(
    max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate)
)
@given(replicas=st.integers(1, 6), surge=LIMIT, unavailable=LIMIT)
@example(replicas=10, surge=1, unavailable=0)
@example(replicas=5, surge=0, unavailable="100%")
def test_ready_pods_stay_within_bounds(mesh: Mesh, replicas: int, surge: int | str, unavailable: int | str) -> None:
    assume(surge not in (0, "0%") or unavailable not in (0, "0%"))
    asyncio.run(there_and_back(mesh, replicas, surge, unavailable))


async def there_and_back(mesh: Mesh, replicas: int, surge: int | str, unavailable: int | str) -> None:
    name = f"web-{next(NUMBERS)}"
    limits = {"maxSurge": surge, "maxUnavailable": unavailable}
    async with HttpClient(mesh.up["api"]) as client:
        await client.create(deployment(name, replicas, {"type": "RollingUpdate", "rollingUpdate": limits}))
        await complete(client, Rollout(name=name, timeout_s=ROLLOUT_S))
        async with PodWatch(client, f"app={name}") as line:
            forward = {"env": {"web": {"VERSION": "v2"}}, "labels": {"version": "v2"}}
            await complete(client, Rollout(name=name, timeout_s=ROLLOUT_S, **forward))
            await complete(client, Rollout(name=name, timeout_s=ROLLOUT_S, undo=True))
        await client.delete(Deployment, name, "default")
    more, fewer = of(replicas, surge, math.ceil), of(replicas, unavailable, math.floor)
    low, high = replicas - min(replicas, fewer or (not more)), replicas + more  # both rounded to nothing: one may lack
    assert len(line.counts) > 2, "the watch saw the rollouts"
    assert not outside(line.counts, low, high), f"ready below {low} or more than {high} pods"


def of(replicas: int, limit: int | str, rounded: Any) -> int:
    if isinstance(limit, str):
        return int(rounded(replicas * int(limit.removesuffix("%")) / 100))
    return limit


async def test_recreate_never_mixes_versions(client: HttpClient) -> None:
    name = "web-recreate"
    await client.create(deployment(name, 3, {"type": "Recreate"}))
    await complete(client, Rollout(name=name, timeout_s=ROLLOUT_S))
    async with (
        PodWatch(client, f"app={name}") as everyone,
        PodWatch(client, f"app={name},version=v1") as old,
        PodWatch(client, f"app={name},version=v2") as new,
    ):
        change = Rollout(name=name, env={"web": {"VERSION": "v2"}}, labels={"version": "v2"}, timeout_s=ROLLOUT_S)
        await complete(client, change)
    await client.delete(Deployment, name, "default")
    assert max(count.total for count in everyone.counts) == 3
    assert min(count.ready for count in everyone.counts) == 0
    last_old = max(count.at_s for count in old.counts if count.total == 0)
    first_new = min(count.at_s for count in new.counts if count.total > 0)
    assert last_old < first_new
