"""`python -m benchmarks.scale`: what does a mesh of 10, 100 and 1,000 pods cost, and how quick is it?

Starts a mesh of its own with four nodes, scales one Deployment up step by step, and writes SCALE.md. Exit code 1 when a
promise for the largest size is missed. At each size:

- from `kubectl scale` until every pod is Ready and has answered a request through its sidecar,
- resident memory of all processes, for each pod more than the mesh started with,
- `kubectl get pods -A`, the median of some,
- a RouteRule changed a hundred times a second (see `scale_rules`): how far behind are the sidecars?
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp

from benchmarks.processes import Child, NotStarted
from benchmarks.scale_rules import CHANGES_A_SECOND, RuleRefused, answer, change_rules

NAME, NODES = "scale", 4
PAGE = Path(__file__).with_name("SCALE.md")
MOST_S, MOST_KB, MOST_LIST_MS, MOST_BEHIND_MS = 15.0, 200.0, 300.0, 250.0
START_S, CALL_S, LOOK_S, SETTLE_S = 60.0, 30.0, 0.1, 3.0
LISTS, ASKED_AT_ONCE = 5, 50
MESH = [sys.executable, "-c", "from mesh.cli.main import main; main()"]


@dataclass(frozen=True, slots=True)
class Mesh:
    """A running mesh. kubectl: the command with its kubeconfig."""

    api: str
    kubectl: tuple[str, ...]
    pids: dict[str, int]

    def resident_kb(self) -> int:
        """Of all processes together."""
        return sum(_resident_kb(pid) for pid in self.pids.values())

    def cpu_s(self) -> float:
        """Processor seconds of all processes so far."""
        return sum(_cpu_s(pid) for pid in self.pids.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The figures at one size."""

    pods: int
    ready_s: float
    answering_s: float
    cpu_s: float
    kb_a_pod: float
    list_ms: float
    changes_a_second: float
    refused: int
    behind_p50_ms: float
    behind_most_ms: float
    asked: int
    lost: int

    def misses(self) -> list[str]:
        """The promises that it does not keep."""
        judged = [
            (self.answering_s <= MOST_S, f"Ready and answering after {self.answering_s:.1f} s, not {MOST_S:g} s"),
            (self.kb_a_pod <= MOST_KB, f"{self.kb_a_pod:.0f} KB a pod, not {MOST_KB:g} KB"),
            (self.list_ms <= MOST_LIST_MS, f"kubectl get pods -A in {self.list_ms:.0f} ms, not {MOST_LIST_MS:g} ms"),
            (self.lost == 0, f"{self.lost} questions about the rule were not answered by it"),
            (self.refused == 0, f"{self.refused} rule changes refused"),
            (
                self.changes_a_second >= CHANGES_A_SECOND * 0.95,
                f"{self.changes_a_second:.0f} rule changes a second, not {CHANGES_A_SECOND}",
            ),
            (
                self.asked > 0 and self.behind_most_ms <= MOST_BEHIND_MS,
                f"a sidecar {self.behind_most_ms:.0f} ms behind, not {MOST_BEHIND_MS:g} ms ({self.asked} asked)",
            ),
        ]
        return [text for kept, text in judged if not kept]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1000], help="pods, ascending; at least 10")
    parser.add_argument("--seconds", type=float, default=5.0, help="of rule changes at each size")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds that one step may take at most")
    parser.add_argument("--no-write", action="store_true", help="leave SCALE.md as it is")
    return parser.parse_args()


def main() -> int:
    words = arguments()
    if shutil.which("kubectl") is None:
        raise NotStarted("kubectl is not installed, and it is what people scale with")
    load_before = os.getloadavg()[0]
    with running_mesh() as mesh:
        start_kb, points = asyncio.run(measure(mesh, words.sizes, words.seconds, words.limit))
    page = report(points, load_before, start_kb)
    print(page)
    if not words.no_write:
        PAGE.write_text(page)
    return 1 if points[-1].misses() else 0


@contextmanager
def running_mesh() -> Iterator[Mesh]:
    """A mesh in a place of its own, which is ended with it. Raises NotStarted."""
    with tempfile.TemporaryDirectory(prefix="bench-scale-") as place:
        os.environ["MESH_HOME"] = place
        scenario = Path(__file__).parent.parent / "routes" / "canary"
        up = Child("mesh", [*MESH, "up", "-f", str(scenario), "--nodes", str(NODES), "--name", NAME], Path(place))
        try:
            yield _once_up(up, Path(place) / NAME / "running.json")
        finally:
            subprocess.run([*MESH, "down", "--name", NAME], capture_output=True, timeout=CALL_S)
            up.stop()


def _once_up(up: Child, state: Path) -> Mesh:
    """The mesh, when its ten pods stand. Its own state file names its addresses, so it can be no other mesh."""
    until = time.monotonic() + START_S
    while time.monotonic() < until and up.alive():
        if state.exists():
            found = json.loads(state.read_text())
            kubectl = ("kubectl", f"--kubeconfig={found['kubeconfig']}", "--request-timeout=20s")
            pids = {"control": found["control_pid"], **{node["name"]: node["pid"] for node in found["nodes"]}}
            wait = [*kubectl, "wait", "--for=condition=Available", "deployment", "--all", f"--timeout={CALL_S:.0f}s"]
            if subprocess.run(wait, capture_output=True, timeout=2 * CALL_S).returncode == 0:
                return Mesh(found["api"], kubectl, pids)
        time.sleep(0.2)
    raise NotStarted(f"the mesh does not come up: {up.last_words()}")


async def measure(mesh: Mesh, sizes: Sequence[int], seconds: float, limit_s: float) -> tuple[int, list[Point]]:
    """Resident KB at the start, and the curve. All sizes are of one Deployment and the one pod beside it."""
    points = []
    timeout = aiohttp.ClientTimeout(total=CALL_S)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.sleep(SETTLE_S)
        start = (len(await pod_addresses(session, mesh)), mesh.resident_kb())
        for size in sizes:
            points.append(await one_size(session, mesh, size, start, seconds, limit_s))
            print(points[-1], file=sys.stderr, flush=True)
    return start[1], points


async def one_size(
    session: aiohttp.ClientSession, mesh: Mesh, size: int, start: tuple[int, int], seconds: float, limit_s: float
) -> Point:
    cpu_before, began = mesh.cpu_s(), time.monotonic()
    async with asyncio.timeout(limit_s):
        await kubectl(mesh, "scale", "deployment/my-app-v1", f"--replicas={size - 1}")
        while await ready(session, mesh) < size - 1:
            await asyncio.sleep(LOOK_S)
        ready_s = time.monotonic() - began
        addresses = await pod_addresses(session, mesh)
        await all_answer(addresses)
    answering_s, cpu_s = time.monotonic() - began, mesh.cpu_s() - cpu_before
    await asyncio.sleep(SETTLE_S)
    more = len(addresses) - start[0]
    kb_a_pod = (mesh.resident_kb() - start[1]) / more if more > 0 else 0.0
    lists = [await timed_kubectl(mesh, "get", "pods", "-A") for _ in range(LISTS)]
    async with asyncio.timeout(limit_s):
        changes = await change_rules(session, mesh.api, addresses, seconds)
    behind = changes.behind_ms or [0.0]
    return Point(
        pods=len(addresses),
        ready_s=ready_s,
        answering_s=answering_s,
        cpu_s=cpu_s,
        kb_a_pod=kb_a_pod,
        list_ms=median(lists),
        changes_a_second=len(changes.acknowledged) / changes.took_s,
        refused=changes.refused,
        behind_p50_ms=median(behind),
        behind_most_ms=max(behind),
        asked=len(changes.behind_ms),
        lost=changes.lost,
    )


async def kubectl(mesh: Mesh, *words: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *mesh.kubectl, *words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    _, said = await process.communicate()
    if process.returncode:
        raise NotStarted(f"kubectl {' '.join(words)}: {said.decode(errors='replace').strip()}")


async def timed_kubectl(mesh: Mesh, *words: str) -> float:
    began = time.monotonic()
    await kubectl(mesh, *words)
    return (time.monotonic() - began) * 1000


async def ready(session: aiohttp.ClientSession, mesh: Mesh) -> int:
    async with session.get(f"{mesh.api}/apis/apps/v1/namespaces/default/deployments/my-app-v1") as response:
        found = await response.json()
    return int(found["status"].get("readyReplicas") or 0)


async def pod_addresses(session: aiohttp.ClientSession, mesh: Mesh) -> list[str]:
    """The addresses of the pods that are Ready; nodes are mixed."""
    async with session.get(f"{mesh.api}/api/v1/namespaces/default/pods") as response:
        items: list[dict[str, Any]] = (await response.json())["items"]
    return [
        item["status"]["podIP"]
        for item in items
        if any(c["type"] == "Ready" and c["status"] == "True" for c in item["status"].get("conditions") or ())
    ]


async def all_answer(addresses: Sequence[str]) -> None:
    """Ask every pod through its sidecar until it has answered."""
    left = list(addresses)

    async def some() -> None:
        while left:
            address = left.pop()
            while b" 200 " not in await answer(address, 8080, "/"):
                await asyncio.sleep(LOOK_S)

    await asyncio.gather(*(some() for _ in range(ASKED_AT_ONCE)))


def _resident_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def _cpu_s(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def report(points: Sequence[Point], load_before: float, start_kb: int) -> str:
    """The page."""
    rows = "\n".join(
        f"| {p.pods} | {p.ready_s:.1f} | {p.answering_s:.1f} | {p.cpu_s:.1f} | {p.kb_a_pod:.0f} | {p.list_ms:.0f} "
        f"| {p.changes_a_second:.0f} | {p.behind_p50_ms:.0f} | {p.behind_most_ms:.0f} |"
        for p in points
    )
    misses = points[-1].misses()
    verdict = "\n".join(f"- missed: {text}" for text in misses) if misses else "Every promise is kept."
    return f"""# A thousand pods

Written by `python -m benchmarks.scale` on {datetime.now(UTC):%Y-%m-%d}; {NODES} nodes, every pod with its sidecar.
Machine: {os.cpu_count()} processors, {platform.system()} {platform.release()}, Python {platform.python_version()},
load average {load_before:.1f} before. With the first ten pods all processes together hold {start_kb / 1000:.0f} MB.

| pods | Ready (s) | answering (s) | processor (s) | KB a pod | list (ms) | changes/s | behind, median (ms) | most |
|-----:|----------:|--------------:|--------------:|---------:|----------:|----------:|--------------------:|-----:|
{rows}

Promised for 1,000 pods: answering within {MOST_S:g} s of `kubectl scale`, {MOST_KB:g} KB a pod, `kubectl get pods -A`
within {MOST_LIST_MS:g} ms, {CHANGES_A_SECOND} rule changes a second with no sidecar more than {MOST_BEHIND_MS:g} ms
behind. Each row scales up from the row before; processor seconds are those of the mesh alone.

{verdict}
"""


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (NotStarted, RuleRefused, TimeoutError) as error:
        sys.exit(f"benchmarks.scale: {error or 'a step took too long'}")
