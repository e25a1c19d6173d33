"""How is a scenario played against a running mesh?

Step by step, in order; steps below `during` are taken while their load runs. What was seen is judged at once; a step
that could not be taken (a wait that ran out, a refused manifest) ends the play, for what follows would mean nothing.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial

import aiohttp

from mesh.api.errors import ApiError
from mesh.client.http import HttpClient
from mesh.client.kv import KvClient, KvError, NoSuchName, Resolver
from mesh.client.kv_moves import Moved, Mover, ShardAway
from mesh.testing import checks, load, rollout
from mesh.testing.answers import Answers
from mesh.testing.checks import Check, Keys
from mesh.testing.rollout import RolloutError
from mesh.testing.scenario import Expect, Kill, Kv, KvExpect, Scenario, Send, Step, Wait
from mesh.testing.timeline import PodLine, PodWatch
from mesh.testing.verdict import Outcome
from mesh.testing.world import Hands, StepError, World

POLL_S = 0.02
LOOK_UP_S, ARRIVAL_S = 3.0, 3.0
"""How long DNS may need for a pod that is ready; how long a copy may be on its way: it is sent, not waited for."""
KV_CLIENTS = 16

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What became of one step. at_s: when it began, in seconds of the whole play."""

    name: str
    verb: str
    at_s: float
    took_s: float
    note: str = ""
    answers: Answers | None = None
    checks: tuple[Check, ...] = ()
    during: tuple["StepResult", ...] = ()

    @property
    def ok(self) -> bool:
        """True when every check passed, those of the steps within too."""
        return all(check.outcome is Outcome.PASS for check in self.checks) and all(step.ok for step in self.during)


@dataclass(slots=True)
class _Seen:
    """What one step brought to light."""

    note: str = ""
    answers: Answers | None = None
    checks: list[Check] = field(default_factory=list)
    during: list[StepResult] = field(default_factory=list)


async def play(scenario: Scenario, world: World, progress: Progress = lambda text: None) -> list[StepResult]:
    """Take every step of a scenario whose manifests stand already. Never raises for what a mesh did wrong."""
    async with HttpClient(world.api, user_agent="loopmesh-scenario") as client:
        player = Player(scenario, Hands(world, client), progress)
        return await player.steps(scenario.steps)


async def play_recorded(
    scenario: Scenario, world: World, progress: Progress = lambda text: None
) -> tuple[list[StepResult], PodLine, float]:
    """The same, with what became of the pods meanwhile, and the moment (monotonic) at which the play began."""
    async with HttpClient(world.api, user_agent="loopmesh-scenario") as client:
        player = Player(scenario, Hands(world, client), progress)
        async with PodWatch(client, "", begin=player.begin) as pods:
            return await player.steps(scenario.steps), pods, player.begin


class Player:
    """One play of one scenario."""

    def __init__(self, scenario: Scenario, hands: Hands, progress: Progress) -> None:
        self.scenario, self.hands, self.progress = scenario, hands, progress
        self.begin = time.monotonic()
        self.p99_ms: dict[str, float] = {}

    def now(self) -> float:
        """Seconds of the play."""
        return time.monotonic() - self.begin

    async def steps(self, steps: tuple[Step, ...]) -> list[StepResult]:
        results: list[StepResult] = []
        for step in steps:
            results.append(await self.step(step))
            if any(check.what == "step" for check in results[-1].checks):
                break
        return results

    async def step(self, step: Step) -> StepResult:
        """Take one step; what stops it becomes a failed check named `step`."""
        self.progress(name_of(step))
        begin = time.monotonic()
        try:
            seen = await self._verbs()[step.verb](step)
        except (StepError, RolloutError, ApiError, KvError, OSError, TimeoutError, aiohttp.ClientError) as error:
            text = str(error) or type(error).__name__
            seen = _Seen(checks=[Check("step", _label(step), "could not be taken", Outcome.FAIL, text)])
        return StepResult(
            name=name_of(step),
            verb=step.verb,
            at_s=begin - self.begin,
            took_s=time.monotonic() - begin,
            note=seen.note,
            answers=seen.answers,
            checks=tuple(seen.checks),
            during=tuple(seen.during),
        )

    def _verbs(self) -> dict[str, Callable[[Step], Awaitable[_Seen]]]:
        return {
            "send": self._send,
            "wait": self._wait,
            "apply": self._apply,
            "patch": self._patch,
            "delete": self._delete,
            "scale": self._scale,
            "rollout": self._rollout,
            "kill": self._kill,
            "kv": self._kv,
            "pause": self._pause,
        }

    async def _send(self, step: Step) -> _Seen:
        assert step.send is not None
        expect = step.expect or Expect()
        plan = await self._load(step.send)
        before = await self.hands.arrived() if expect.arrived else Counter[str]()
        stop = asyncio.Event()
        watch = PodWatch(self.hands.client, expect.outage.pods, begin=self.begin) if expect.outage else nullcontext()
        async with watch as pods:
            sending = asyncio.create_task(load.run(plan, stop), name=f"scenario/{step.name}")
            try:
                during = await self.steps(step.during)
                if not (step.send.requests or step.send.duration_s) or any(not one.ok for one in during):
                    stop.set()
                answers = await sending
            finally:
                sending.cancel()
        arrived = await self._arrived(before, expect) if expect.arrived else {}
        (self.p99_ms[step.name],) = answers.latency_ms(0.99)
        found = list(checks.of_load(expect, answers, arrived, self.p99_ms))
        if expect.outage and pods is not None:
            found += checks.of_outage(expect.outage, answers, pods.outages(self.now()), answers.begin - self.begin)
        return _Seen(answers=answers, checks=found, during=during)

    async def _load(self, send: Send) -> load.Load:
        target = await self.hands.target(send.to)
        cookie = "; ".join(f"{name}={value}" for name, value in send.cookies.items())
        headers = [*send.headers.items(), *([("cookie", cookie)] if cookie else [])]
        return load.Load(
            address=target.address,
            port=target.port,
            method=send.method,
            path=send.path,
            authority=send.host,
            headers=tuple(headers),
            body=send.body.encode(),
            requests=send.requests,
            duration_s=send.duration_s,
            rate=send.rate,
            concurrency=send.concurrency,
            keep_alive=send.connections != "fresh",
            every_other_fresh=send.connections == "both",
            via_proxy=target.proxied,
            timeout_s=send.timeout_s,
        )

    async def _arrived(self, before: Counter[str], expect: Expect) -> Counter[str]:
        """Wait until what is expected has arrived and has had time to be exceeded."""
        deadline = time.monotonic() + ARRIVAL_S
        while True:
            now = await self.hands.arrived()
            now.subtract(before)
            if all(now[version] >= count for version, count in expect.arrived.items()):
                await asyncio.sleep(5 * POLL_S)
                final = await self.hands.arrived()
                final.subtract(before)
                return final
            if time.monotonic() > deadline:
                return now
            await asyncio.sleep(POLL_S)

    async def _wait(self, step: Step) -> _Seen:
        wait = step.wait
        assert wait is not None
        begin = time.monotonic()
        last = "nothing yet"
        while True:
            done, last = await (self._wait_pods(wait) if wait.pods is not None else self._wait_version(wait))
            took_s = time.monotonic() - begin
            if done:
                return _Seen(f"after {took_s:.2f} s")
            if took_s > wait.timeout_s:
                raise StepError(f"not within {wait.timeout_s:g} s; last seen: {last}")
            await asyncio.sleep(POLL_S)

    async def _wait_pods(self, wait: Wait) -> tuple[bool, str]:
        pods = await self.hands.pods(wait.pods or "")
        ready = sum(pod.ready for pod in pods)
        return ready == len(pods) == wait.count, f"{ready} of {len(pods)} pods ready, {wait.count} wanted"

    async def _wait_version(self, wait: Wait) -> tuple[bool, str]:
        send = Send(requests=wait.times, concurrency=1, path=wait.path, headers=wait.headers, timeout_s=2)
        answers = await load.run(await self._load(send))
        seen = ", ".join(f"{count} {what}" for what, count in (answers.versions + answers.causes).items())
        return answers.versions == {wait.version: wait.times}, seen

    async def _apply(self, step: Step) -> _Seen:
        files = step.apply or ()
        await self.hands.world.apply([str(self.scenario.folder / file) for file in files])
        return _Seen(", ".join(files))

    async def _patch(self, step: Step) -> _Seen:
        assert step.patch is not None
        await self.hands.patch(step.patch)
        return _Seen(f"{step.patch.kind}/{step.patch.name}")

    async def _delete(self, step: Step) -> _Seen:
        assert step.delete is not None
        await self.hands.delete(step.delete)
        return _Seen(f"{step.delete.kind}/{step.delete.name}")

    async def _scale(self, step: Step) -> _Seen:
        assert step.scale is not None
        await self.hands.scale(step.scale)
        return _Seen(f"{step.scale.kind}/{step.scale.name} to {step.scale.replicas}")

    async def _rollout(self, step: Step) -> _Seen:
        wanted = step.rollout
        assert wanted is not None
        await rollout.begin(self.hands.client, wanted)
        return _Seen(f"complete after {await rollout.until_complete(self.hands.client, wanted):.2f} s")

    async def _kill(self, step: Step) -> _Seen:
        kill: Kill | None = step.kill
        assert kill is not None
        if kill.pods is not None:
            return _Seen(await self.hands.kill_pods(kill.pods, kill.count))
        node = kill.node or await self.hands.node_of(kill.node_of or "")
        self.hands.kill_node(node)
        return _Seen(node)

    async def _pause(self, step: Step) -> _Seen:
        await asyncio.sleep(step.pause or 0)
        return _Seen()

    async def _kv(self, step: Step) -> _Seen:
        assert step.kv is not None
        if step.kv.rebalance:
            return await self._rebalance(step.kv, step.expect_kv or KvExpect())
        keys = await keys_of(self.hands, step.kv)
        found = checks.of_keys(step.expect_kv or KvExpect(), keys)
        return _Seen(f"{keys.found} of {keys.asked} keys on {keys.shards} shards", checks=list(found))

    async def _rebalance(self, kv: Kv, expect: KvExpect) -> _Seen:
        moved = await _moved(Resolver(self.hands.world.dns), kv)
        way = f"{len(moved.before)} -> {len(moved.after)} shards"
        return _Seen(f"{way}: {moved.moved} of {moved.keys} keys moved", checks=list(checks.of_moves(expect, moved)))


async def _moved(resolver: Resolver, kv: Kv) -> Moved:
    """Move the keys, once DNS knows all shards: a pod may be ready a moment before."""
    until = time.monotonic() + LOOK_UP_S
    while True:
        try:
            async with Mover.of(resolver, kv.service, "default", kv.shards) as mover:
                return await mover.rebalance(kv.keep)
        except (NoSuchName, ShardAway):
            if time.monotonic() > until:
                raise
            await asyncio.sleep(POLL_S)


async def keys_of(hands: Hands, kv: Kv) -> Keys:
    """Put or get the numbered keys, then ask every shard which of them it holds."""
    count = kv.put or kv.get or 0
    names = [f"{kv.prefix}{number}" for number in range(count)]
    resolver = Resolver(hands.world.dns)
    async with KvClient(resolver, kv.service, count=kv.shards, leaving=kv.shards is not None) as client:
        await _look_up(client, names[0])
        ask = partial(_put, client) if kv.put else partial(_get, client)
        found = sum(
            [sum(part) for part in await asyncio.gather(*(ask(names[i::KV_CLIENTS]) for i in range(KV_CLIENTS)))]
        )
    held = await _held(resolver, kv)
    wanted = set(names)
    where = Counter(key for keys in held.values() for key in keys if key in wanted)
    shards = sum(1 for keys in held.values() if wanted & keys)
    return Keys(count, found, shards, sum(1 for times in where.values() if times > 1))


async def _look_up(client: KvClient, key: str) -> None:
    """Once, before many ask at the same time. A pod may be ready a moment before DNS knows of it."""
    until = time.monotonic() + LOOK_UP_S
    while True:
        try:
            await client.where(key)
            return
        except NoSuchName:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(POLL_S)


async def _put(client: KvClient, names: list[str]) -> list[bool]:
    return [(await client.put(name, f"value of {name}".encode())).status < 300 for name in names]


async def _get(client: KvClient, names: list[str]) -> list[bool]:
    return [
        (held := await client.get(name)) is not None and held.value == f"value of {name}".encode() for name in names
    ]


async def _held(resolver: Resolver, kv: Kv) -> dict[str, set[str]]:
    """Shard -> its keys, by its own word."""
    shards = await resolver.shards(kv.service, "default")
    held: dict[str, set[str]] = {}
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        for name, (address, port) in shards.addresses.items():
            async with session.get(f"http://{address}:{port}/keys") as answer:
                held[name] = set((await answer.json())["keys"])
    return held


def name_of(step: Step) -> str:
    """Its own name, or what it does."""
    return step.name or _label(step)


def _label(step: Step) -> str:
    verb = step.verb
    value = getattr(step, verb)
    match verb:
        case "pause":
            return f"pause {value:g} s"
        case "apply":
            return f"apply {', '.join(value)}"
        case "patch" | "delete" | "scale":
            return f"{verb} {value.kind}/{value.name}"
        case "rollout":
            return f"{'undo' if value.undo or value.to_revision else 'roll out'} {value.name}"
        case "wait":
            return f"wait for {value.version or f'{value.count} pods {value.pods}'}"
        case "kill":
            return f"kill {value.pods or value.node or f'the node of {value.node_of}'}"
        case "kv":
            if value.rebalance:
                return "move keys to where they belong" + (f", on {value.keep} shards" if value.keep else "")
            return f"put {value.put} keys" if value.put else f"get {value.get} keys"
        case _:
            return verb
