"""Was a step's expectation met? Pure: an expectation and what was seen in, rows for the report out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mesh.client.kv_moves import Moved
from mesh.testing.answers import NO_VERSION, Answers
from mesh.testing.scenario import Expect, KvExpect, Outage
from mesh.testing.timeline import Span, stray_failures
from mesh.testing.verdict import Outcome, ShareVerdict, share

MIN_P99_REQUESTS = 200
"""Below that, the slowest percent is a request or two and says nothing."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a report: what, expected beside seen, and how it ended."""

    what: str
    expected: str
    seen: str
    outcome: Outcome
    why: str = ""


@dataclass(frozen=True, slots=True)
class Keys:
    """What a store was found to hold. found: keys that came back with the value that was put."""

    asked: int
    found: int
    shards: int
    twice: int


def of_load(
    expect: Expect, answers: Answers, arrived: Mapping[str, int], p99_ms: Mapping[str, float]
) -> Iterator[Check]:
    """Judge one load. arrived: requests counted at the pods, per version.  p99_ms: of the earlier steps, by name."""
    for version in dict.fromkeys((*expect.versions, *answers.versions)):
        yield from _version(expect, answers, version)
    for status, wanted in expect.statuses.items():
        seen, total = answers.statuses[status], answers.statuses.total()
        verdict = share(seen, total, wanted, confidence=expect.confidence, tolerance=expect.tolerance)
        yield _share_check(f"status {status}", verdict)
    if expect.errors != "any" and expect.outage is None:
        most = ", ".join(f"{count} {cause}" for cause, count in answers.causes.most_common(3))
        seen_text = f"{answers.errors} of {answers.sent}" + (f" ({most})" if most else "")
        why = answers.failures[0].detail if answers.failures else ""
        yield _check("failed requests", _at_most(expect.errors), seen_text, answers.errors <= expect.errors, why)
        if not answers.sent:
            yield _check("requests sent", "at least 1", "0", ok=False)
    if expect.pods is not None:
        pods = sum(1 for pod in answers.pods if pod != NO_VERSION)
        yield _check("pods that answered", str(expect.pods), str(pods), pods == expect.pods)
    for version, count in expect.arrived.items():
        seen = arrived.get(version, 0)
        yield _check(f"arrived at {version}", str(count), str(seen), seen == count)
    if expect.p99_ratio is not None:
        yield _ratio(expect.p99_ratio.of, expect.p99_ratio.at_most, answers, p99_ms)


def of_outage(wanted: Outage, answers: Answers, outages: Sequence[Span], offset_s: float) -> Iterator[Check]:
    """Judge failures that belong to an outage. outages, offset_s (of the load): in seconds of the play."""
    lengths = ", ".join(f"{span.length_s:.2f} s" for span in outages)
    count = len(outages)
    yield _check("outages", str(wanted.times), f"{count} ({lengths})" if count else "0", count == wanted.times)
    longest = max((span.length_s for span in outages), default=0.0)
    yield _check("longest outage", f"at most {wanted.at_most_s:g} s", f"{longest:.2f} s", longest <= wanted.at_most_s)
    stray = stray_failures(answers, outages, offset_s)
    why = f"the first one {stray[0]:.2f} s after the play began" if stray else ""
    yield _check("failed outside outages", "0", f"{len(stray)} of {answers.errors} failed", not stray, why)
    yield _check("failed inside", "at least 1", f"{answers.errors - len(stray)} of {answers.sent}", answers.errors > 0)


def _version(expect: Expect, answers: Answers, version: str) -> Iterator[Check]:
    wanted = expect.versions.get(version)
    if wanted is None:
        if expect.versions and sum(expect.versions.values()) > 0.999:  # nothing is left for a version not named
            yield _check(version, "0.0 %", f"{answers.versions[version]} of {answers.good}", ok=False)
        return
    verdict = share(
        answers.versions[version], answers.good, wanted, confidence=expect.confidence, tolerance=expect.tolerance
    )
    yield _share_check(version, verdict)


def _share_check(what: str, verdict: ShareVerdict) -> Check:
    expected = f"{verdict.expected:.1%}"
    if verdict.low < verdict.high:
        low, high = verdict.low / verdict.total, verdict.high / verdict.total
        expected += f"  ({low:.1%} to {high:.1%})"
    seen = f"{verdict.seen_share:.1%}  ({verdict.seen} of {verdict.total})"
    return Check(what, expected, seen, verdict.outcome, verdict.why)


def _ratio(of: str, at_most: float, answers: Answers, p99_ms: Mapping[str, float]) -> Check:
    (own,) = answers.latency_ms(0.99)
    other = p99_ms.get(of)
    if other is None:
        return Check("p99", f"at most {at_most:g} x {of!r}", f"{own:.1f} ms", Outcome.FAIL, f"no step {of!r} before")
    seen = f"{own / other:.2f} x  ({own:.1f} beside {other:.1f} ms)" if other else f"{own:.1f} ms"
    if answers.sent < MIN_P99_REQUESTS:
        why = f"{answers.sent} requests have no slowest percent; send at least {MIN_P99_REQUESTS}"
        return Check("p99", f"at most {at_most:g} x {of!r}", seen, Outcome.TOO_FEW, why)
    return _check("p99", f"at most {at_most:g} x {of!r}", seen, own <= at_most * other)


def of_keys(expect: KvExpect, keys: Keys) -> Iterator[Check]:
    """Judge what a store holds."""
    if expect.found is not None:
        yield _check("keys found", str(expect.found), f"{keys.found} of {keys.asked}", keys.found == expect.found)
    if expect.shards is not None:
        yield _check("shards with keys", str(expect.shards), str(keys.shards), keys.shards == expect.shards)
    if expect.twice is not None:
        yield _check("keys on two shards", str(expect.twice), str(keys.twice), keys.twice == expect.twice)


def of_moves(expect: KvExpect, moved: Moved) -> Iterator[Check]:
    """Judge what a rebalance moved."""
    shards = sum(1 for count in moved.counts.values() if count)
    if expect.shards is not None:
        yield _check("shards with keys", str(expect.shards), str(shards), shards == expect.shards)
    if expect.moved_at_most is not None:
        least = moved.ideal_moved_fraction
        wanted = f"at most {expect.moved_at_most:g} x {least:.1%}"
        seen = f"{moved.moved_fraction:.1%}  ({moved.moved} of {moved.keys})"
        yield _check("keys moved", wanted, seen, moved.moved_fraction <= expect.moved_at_most * least)


def _at_most(count: int) -> str:
    return f"at most {count}" if count else "0"


def _check(what: str, expected: str, seen: str, ok: bool, why: str = "") -> Check:
    return Check(what, expected, seen, Outcome.PASS if ok else Outcome.FAIL, "" if ok else why)
