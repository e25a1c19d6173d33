"""How is a play told to a person, and to a program?

Expected beside seen, a row each, with a verdict; data goes to stdout. Colours are rich's affair: none where the
output is no terminal or NO_COLOR is set.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mesh.testing.answers import Answers
from mesh.testing.checks import Check
from mesh.testing.runner import StepResult
from mesh.testing.scenario import Scenario
from mesh.testing.verdict import Outcome

_STYLE = {Outcome.PASS: "green", Outcome.FAIL: "bold red", Outcome.TOO_FEW: "yellow"}
_WORD = {Outcome.PASS: "ok", Outcome.FAIL: "WRONG", Outcome.TOO_FEW: "too few"}
WIDTH = 110
"""Where no terminal says how wide it is."""


_FAILURES_LISTED = 200
"""The first ones, in the data for programs; `failed` counts all."""


def print_play(scenario: Scenario, results: Sequence[StepResult], console: Console | None = None) -> None:
    """The whole play as one table and a verdict in one line."""
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console = Console(file=console.file, highlight=False, width=WIDTH, no_color=True)
    console.print(f"[bold]{escape(scenario.title)}[/bold]: {escape(scenario.what)}")
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("STEP", overflow="fold", max_width=30)
    table.add_column("WHAT", no_wrap=True)
    table.add_column("EXPECTED", no_wrap=True)
    table.add_column("SEEN", overflow="fold")
    table.add_column("VERDICT", no_wrap=True)
    for depth, result in flat(results):
        _rows(table, result, depth)
    console.print(table)
    for result, check in complaints(results):
        console.print(f"{result.name}: {check.what}: {check.why}", style="yellow", markup=False, soft_wrap=True)
    wrong = sum(not result.ok for _, result in flat(results))
    said = "as expected" if not wrong else f"{wrong} of {sum(1 for _ in flat(results))} steps went wrong"
    console.print(f"{scenario.name}: {said}", style="red" if wrong else "green", markup=False)


def _rows(table: Table, result: StepResult, depth: int) -> None:
    first = escape("  " * depth + result.name)
    for check in result.checks:
        verdict = f"[{_STYLE[check.outcome]}]{_WORD[check.outcome]}[/]"
        table.add_row(first, escape(check.what), escape(check.expected), escape(check.seen), verdict)
        first = ""
    if result.answers is not None:
        for what, seen in _figures(result.answers):
            table.add_row("", f"[dim]{what}[/dim]", "", f"[dim]{seen}[/dim]", "")
    elif result.note or not result.checks:
        table.add_row(first, "", "", escape(result.note), "")


def _figures(answers: Answers) -> Iterator[tuple[str, str]]:
    """What is worth knowing of a load and is not judged."""
    p50, p99 = answers.latency_ms(0.5, 0.99)
    rate = answers.sent / answers.elapsed_s if answers.elapsed_s else 0.0
    yield "requests", f"{answers.sent} at {rate:.0f}/s"
    yield "latency", f"p50 {p50:.1f} ms, p99 {p99:.1f} ms"


def flat(results: Sequence[StepResult], depth: int = 0) -> Iterator[tuple[int, StepResult]]:
    """Every step with its depth; steps taken during another follow it."""
    for result in results:
        yield depth, result
        yield from flat(result.during, depth + 1)


def complaints(results: Sequence[StepResult]) -> Iterator[tuple[StepResult, Check]]:
    """What is worth a sentence of its own."""
    for _, result in flat(results):
        for check in result.checks:
            if check.why and check.outcome is not Outcome.PASS:
                yield result, check


def as_data(scenario: Scenario, results: Sequence[StepResult]) -> dict[str, Any]:
    """The same for a program; every figure unrounded."""
    return {
        "scenario": scenario.name,
        "title": scenario.title,
        "ok": bool(results) and all(result.ok for result in results),
        "steps": [_step(result) for result in results],
    }


def _step(result: StepResult) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": result.name,
        "verb": result.verb,
        "at_s": round(result.at_s, 3),
        "took_s": round(result.took_s, 3),
        "ok": result.ok,
        "note": result.note,
        "checks": [
            {"what": c.what, "expected": c.expected, "seen": c.seen, "outcome": str(c.outcome), "why": c.why}
            for c in result.checks
        ],
    }
    if result.answers is not None:
        data["load"] = _load(result.answers)
    if result.during:
        data["during"] = [_step(inner) for inner in result.during]
    return data


def _load(answers: Answers) -> dict[str, Any]:
    names = ("p50", "p90", "p99", "p100")
    return {
        "sent": answers.sent,
        "elapsed_s": round(answers.elapsed_s, 4),
        "versions": dict(answers.versions),
        "pods": dict(answers.pods),
        "statuses": {str(status): count for status, count in answers.statuses.items()},
        "failed": dict(answers.causes),
        "failures": [
            {"at_s": round(f.at_s, 4), "cause": f.cause, "detail": f.detail}
            for f in answers.failures[:_FAILURES_LISTED]
        ],
        "latency_ms": dict(zip(names, answers.latency_ms(0.5, 0.9, 0.99, 1.0), strict=True)),
    }
