"""`python -m benchmarks`: measure, print, write RESULTS.md; exit code 1 when a promise is missed."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import backend, check, load, report
from benchmarks.cases import Case, cases
from benchmarks.peers import Peer, Ports, peers
from benchmarks.processes import Child, NotStarted, free_ports, on_processors

RESULTS = Path(__file__).with_name("RESULTS.md")
WARM_UP_S = 1


@dataclass(frozen=True, slots=True)
class Running:
    peer: Peer
    child: Child
    ports: Ports


def arguments() -> argparse.Namespace:
    known, names = [case.name for case in cases()], [peer.name for peer in peers()]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each run; at least 1")
    parser.add_argument("--cases", nargs="+", choices=known, default=known)
    parser.add_argument("--peers", nargs="+", choices=names, default=names)
    parser.add_argument("--no-write", action="store_true", help="leave RESULTS.md as it is")
    return parser.parse_args()


def main() -> int:
    words = arguments()
    chosen = [case for case in cases() if case.name in words.cases]
    wanted = [peer for peer in peers() if peer.name in words.peers]
    absent = [f"{peer.name} (not installed)" for peer in wanted if not peer.version]
    load_before = os.getloadavg()[0]
    ours, theirs = split_processors()
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        with on_processors(theirs):
            ports = start_backend(place, stack)
        running = []
        for peer in wanted:
            if peer.version:
                try:
                    with on_processors(ours):
                        running.append(start(peer, ports, place, stack))
                except NotStarted as error:
                    absent.append(f"{peer.name} ({error})")
        if not running:
            raise NotStarted(f"nothing to measure: {', '.join(absent)}")
        with on_processors(theirs):
            runs = measure(running, chosen, words.rounds, words.seconds, place)
        seen_by_mesh = compare_counts(running, runs)
        facts = report.Facts(
            versions={each.peer.name: each.peer.version for each in running},
            absent=absent,
            memory_mb={each.peer.name: each.child.memory_mb() for each in running},
            counted=seen_by_mesh,
            backend=backend.program(),
            generator=load.generator(),
            rounds=words.rounds,
            seconds=words.seconds,
            pinning=pinning(ours, theirs),
            load_before=load_before,
        )
    return conclude(chosen, runs, facts, write=not words.no_write)


def split_processors() -> tuple[set[int], set[int]]:
    """The proxies get one processor, client and backends the others; on a single one nobody is bound."""
    available = sorted(os.sched_getaffinity(0))
    return ({available[-1]}, set(available[:-1])) if len(available) > 1 else (set(), set())


def pinning(ours: set[int], theirs: set[int]) -> str:
    if not ours:
        return "nothing is bound to a processor"
    return f"proxies on processor {min(ours)}, client and backends on {', '.join(map(str, sorted(theirs)))}"


def start_backend(place: Path, stack: ExitStack) -> tuple[int, int]:
    v1, v2 = free_ports(2)
    directory = place / "backend"
    directory.mkdir()
    child = Child("the backend", backend.command(directory, v1, v2), directory)
    stack.callback(child.stop)
    child.wait_for_port(v1)
    child.wait_for_port(v2)
    return v1, v2


def start(peer: Peer, backends: tuple[int, int], place: Path, stack: ExitStack) -> Running:
    """Start one proxy and see that it routes as it should. Raises NotStarted."""
    proxy, admin = free_ports(2)
    ports = Ports(*backends, proxy, admin)
    directory = place / peer.name
    directory.mkdir()
    child = Child(peer.name, peer.command(directory, ports), directory)
    stack.callback(child.stop)
    child.wait_for_port(proxy)
    if wrong := check.routes(proxy):
        raise NotStarted(f"{peer.name} does not route by the table: {wrong}")
    return Running(peer, child, ports)


Runs = dict[str, dict[str, list[report.Run]]]


def measure(running: list[Running], chosen: list[Case], rounds: int, seconds: float, place: Path) -> Runs:
    """Every round asks every proxy with every case; who begins moves on from round to round."""
    runs: Runs = {case.name: defaultdict(list) for case in chosen}
    for number in range(rounds):
        for case in chosen:
            for each in running[number % len(running) :] + running[: number % len(running)]:
                load.run(case, each.ports.proxy, WARM_UP_S, place)
                before = each.child.cpu_s()
                seen = load.run(case, each.ports.proxy, seconds, place)
                run = report.Run(seen, each.child.cpu_s() - before)
                if not each.child.alive():
                    raise NotStarted(f"{each.peer.name} ended under load: {each.child.last_words()}")
                runs[case.name][each.peer.name].append(run)
                print(
                    f"round {number + 1} {case.name:8} {each.peer.name:8} {run.cpu_us:7.1f} us"
                    f" {seen.requests / seen.seconds:9,.0f}/s  p99 {seen.p99_ms:.2f} ms  errors {seen.errors}",
                    file=sys.stderr,
                    flush=True,
                )
    return runs


def compare_counts(running: list[Running], runs: Runs) -> str:
    """Whether the metrics of mesh proxy were really on: it must have counted what the client counted, and more."""
    for each in running:
        if each.peer.name == "mesh":
            requests = sum(run.seen.requests for by_peer in runs.values() for run in by_peer["mesh"])
            counted = check.counted(each.ports.admin)
            if counted is None or counted < requests:
                raise NotStarted(f"mesh proxy counted {counted} of {requests} requests: its metrics were not on")
            return f"mesh proxy's own counted {counted:,} requests, warm-up and checks included"
    return "mesh proxy was not measured"


def conclude(chosen: list[Case], runs: Runs, facts: report.Facts, *, write: bool) -> int:
    order = list(facts.versions)
    results = {
        case.name: {name: report.figures(runs[case.name][name], runs[case.name].get("mesh", [])) for name in order}
        for case in chosen
    }
    judged = [verdict for case in chosen for verdict in report.verdicts(case, results[case.name])]
    for case in chosen:
        print(f"\n{case.name}: {case.about}\n" + "\n".join(report.table(results[case.name])))
    lines = [verdict.line() for verdict in judged] or [
        "no verdict: it takes mesh and one of " + ", ".join(report.LIMITS)
    ]
    failed = [
        f"MISSED: {case.name}: mesh: {results[case.name]['mesh'].errors} errors"
        for case in chosen
        if "mesh" in results[case.name] and results[case.name]["mesh"].errors
    ]
    print("", *lines, *failed, sep="\n")
    if facts.absent:
        print(f"not measured: {', '.join(facts.absent)}")
    if write:
        RESULTS.write_text(report.page(chosen, results, facts, judged))
        print(f"written: {RESULTS.relative_to(RESULTS.parents[1])}")
    return 0 if judged and all(verdict.kept or not verdict.promised for verdict in judged) and not failed else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # unwinds, so the children end too
    try:
        sys.exit(main())
    except (NotStarted, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(1)
