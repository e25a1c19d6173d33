"""What do the figures say, and do they keep the promise?"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks.cases import Case
from benchmarks.load import CONNECTIONS, Seen

LIMITS = {"envoy": 1.0, "aiohttp": 0.35}
"""CPU per request of mesh proxy, as a part of the peer's: at most this."""

BUSY_LOAD = 0.5
"""Above this load before the start the figures are marked as doubtful."""


@dataclass(frozen=True, slots=True)
class Run:
    """One peer under one case in one round."""

    seen: Seen
    cpu_s: float

    @property
    def cpu_us(self) -> float:
        return self.cpu_s / max(1, self.seen.requests) * 1e6


@dataclass(frozen=True, slots=True)
class Figures:
    """The median of all rounds."""

    cpu_us: float
    cpu_least_us: float
    cpu_most_us: float
    rate: float
    p50_ms: float
    p99_ms: float
    errors: int
    ratio: float | None
    """CPU per request of mesh proxy divided by this peer's: the median of the rounds' own ratios, so that what slows
    the machine for a while slows both sides of a division. None without mesh."""


@dataclass(frozen=True, slots=True)
class Verdict:
    case: str
    peer: str
    ratio: float
    limit: float
    promised: bool

    @property
    def kept(self) -> bool:
        return self.ratio <= self.limit

    def line(self) -> str:
        word = "kept" if self.kept else "MISSED" if self.promised else "over, but not promised"
        return f"{word}: {self.case}: CPU per request {self.ratio:.3f} of {self.peer}'s (at most {self.limit:.2f})"


def figures(runs: Sequence[Run], ours: Sequence[Run]) -> Figures:
    """runs: of one peer under one case, a round each.  ours: those of mesh proxy, empty when it was not measured."""
    cpu = [run.cpu_us for run in runs]
    ratios = [mine.cpu_us / theirs.cpu_us for mine, theirs in zip(ours, runs, strict=False) if theirs.cpu_us]
    return Figures(
        cpu_us=median(cpu),
        cpu_least_us=min(cpu),
        cpu_most_us=max(cpu),
        rate=median(run.seen.requests / run.seen.seconds for run in runs),
        p50_ms=median(run.seen.p50_ms for run in runs),
        p99_ms=median(run.seen.p99_ms for run in runs),
        errors=sum(run.seen.errors for run in runs),
        ratio=median(ratios) if ratios else None,
    )


def verdicts(case: Case, by_peer: Mapping[str, Figures]) -> list[Verdict]:
    """One for each peer that was measured beside mesh."""
    found = []
    for peer, limit in LIMITS.items():
        each = by_peer.get(peer)
        if each is not None and each.ratio is not None:
            found.append(Verdict(case.name, peer, each.ratio, limit, case.promised))
    return found


def table(by_peer: Mapping[str, Figures]) -> list[str]:
    """A Markdown table; ratios are of CPU per request, mesh divided by the peer."""
    lines = [
        "| proxy | CPU a request (us) | least to most | mesh / it | requests/s | p50 (ms) | p99 (ms) | errors |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, each in by_peer.items():
        ratio = "" if each.ratio is None else f"{each.ratio:.2f}"
        lines.append(
            f"| {name} | {each.cpu_us:.1f} | {each.cpu_least_us:.1f} to {each.cpu_most_us:.1f} | {ratio} "
            f"| {each.rate:,.0f} | {each.p50_ms:.2f} | {each.p99_ms:.2f} | {each.errors} |"
        )
    return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Under which circumstances it was measured."""

    versions: Mapping[str, str]
    absent: Sequence[str]
    memory_mb: Mapping[str, float]
    counted: str
    backend: str
    generator: str
    rounds: int
    seconds: float
    pinning: str
    load_before: float


def page(
    cases: Sequence[Case], results: Mapping[str, Mapping[str, Figures]], facts: Facts, judged: Sequence[Verdict]
) -> str:
    """The whole of RESULTS.md."""
    lines = [
        "# What a request costs",
        "",
        "Written by `make bench`. CPU a request is user and system time of the proxy's processes (`/proc/PID/stat`,",
        "children included) during a run, divided by the requests that the client counted. Figures are medians of",
        f"{facts.rounds} interleaved rounds of {facts.seconds:g} s; requests/s and latency are those of a proxy that",
        "is asked as fast as the client can, so they say less than the first column. `mesh / it` is the median of the",
        "ratios of the single rounds.",
        "",
        f"The table of routes: cookie with `user=jason` to v2, else 90 % v1 and 10 % v2; {CONNECTIONS} keep-alive",
        "connections; answers of 108 bytes; one worker each; no access log; metrics on where a program has them",
        f"({facts.counted}).",
        "",
    ]
    for case in cases:
        lines += [f"## {case.name}", "", f"{case.about.capitalize()}.", "", *table(results[case.name]), ""]
    lines += ["## Verdict", "", *(f"- {verdict.line()}" for verdict in judged)]
    if not judged:
        lines.append("- none: mesh proxy or the peers that it is held against were not measured")
    lines += ["", "## Machine", "", *(f"- {line}" for line in _machine(facts)), ""]
    return "\n".join(lines)


def _machine(facts: Facts) -> list[str]:
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"{_cpu_model()}, {os.cpu_count()} processors; {facts.pinning}",
        f"Linux {platform.release()}; load of the last minute before the start: {facts.load_before:.2f}",
        f"Python {platform.python_version()}, uvloop {version('uvloop')}, httptools {version('httptools')}",
        ", ".join(f"{name} {number}" for name, number in facts.versions.items()),
        f"client: {facts.generator}; backends: {facts.backend}",
        "resident memory at the end: " + ", ".join(f"{name} {size:.0f} MB" for name, size in facts.memory_mb.items()),
    ]
    if facts.load_before > BUSY_LOAD:
        lines.append("**the machine had other work to do: measure again when it is quiet**")
    if facts.absent:
        lines.append(f"not measured: {', '.join(facts.absent)}")
    return lines


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
