"""What does a play look like: who answered when, what failed, how many pods were ready, and what was done?

The plotting library comes with the extra `report` and is imported only here, when a picture is asked for.
"""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from mesh.testing import ledger
from mesh.testing.answers import NO_VERSION
from mesh.testing.runner import StepResult
from mesh.testing.scenario import Scenario
from mesh.testing.timeline import SLOT_S, PodLine, Slot, slots

SUFFIXES = (".html", ".png")
_COLOURS = ("#4477aa", "#ee9944", "#66ccee", "#228833", "#ccbb44", "#aa3377", "#bbbbbb")
_ERROR, _READY, _ALL, _STEP = "#d62728", "#228833", "#999999", "#444444"
_NOTABLE = frozenset({"apply", "patch", "delete", "scale", "rollout", "kill"})
"""Verbs that change the mesh: their moments are drawn."""
_MAX_LABEL, _LABEL_WIDTH, _LEVELS = 34, 0.2, 4
"""Letters of a label; the part of the width that one may take; lines of labels above each other."""


class PictureError(ValueError):
    """A picture that cannot be made; `str()` is one line for a user."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What was done, and when."""

    at_s: float
    what: str


@dataclass(frozen=True, slots=True)
class Story:
    """All that a picture shows; times in seconds of the play."""

    title: str
    what: str
    slots: tuple[Slot, ...]
    pods: PodLine
    moments: tuple[Moment, ...]
    ledger: tuple[ledger.Entry, ...]
    sent: int
    ok: bool

    @property
    def end_s(self) -> float:
        return max((slot.at_s + SLOT_S for slot in self.slots), default=1.0)


def check(path: Path) -> None:
    """Say before a play what would keep its picture from being written. Raises PictureError."""
    if path.suffix not in SUFFIXES:
        raise PictureError(f"{path}: a report ends in .html or .png")
    if not path.resolve().parent.is_dir():
        raise PictureError(f"{path}: there is no folder {path.parent}")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise PictureError("a report needs the plotting library: pip install 'loopmesh[report]'") from None


def story(scenario: Scenario, results: Sequence[StepResult], pods: PodLine, begin: float) -> Story:
    """What the play has to tell. begin: when it began, monotonic."""
    everything = list(_flat(results))
    loads = [step.answers for step in everything if step.answers is not None]
    found = [entry for one in loads for entry in ledger.entries(one.failures, one.begin - begin)]
    merged = [slot for one in loads for slot in slots(one, one.begin - begin)]
    return Story(
        title=scenario.title,
        what=scenario.what,
        slots=tuple(sorted(merged, key=lambda slot: slot.at_s)),
        pods=pods,
        moments=tuple(moment for step in everything for moment in _moments(step)),
        ledger=tuple(sorted(found, key=lambda entry: entry.begin_s)),
        sent=sum(one.sent for one in loads),
        ok=bool(results) and all(step.ok for step in results),
    )


def _moments(step: StepResult) -> Iterator[Moment]:
    """When a step changed the mesh; of a rollout the end as well."""
    if step.verb in _NOTABLE:
        yield Moment(step.at_s, step.name)
    if step.verb == "rollout":
        yield Moment(step.at_s + step.took_s, "complete" if step.ok else "not complete")


def _flat(results: Sequence[StepResult]) -> Iterator[StepResult]:
    for result in results:
        yield result
        yield from _flat(result.during)


def write(told: Story, path: Path) -> None:
    """A page or a picture, as the name of the file says."""
    drawn = png(told)
    path.write_bytes(drawn if path.suffix == ".png" else page(told, drawn).encode())


def png(told: Story) -> bytes:
    """The picture: rates above, errors in the middle, pods below, the moments through all three."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 7.5), dpi=110, layout="constrained")
    rates, errors, pods = figure.subplots(3, 1, sharex=True, height_ratios=(5, 2, 2))
    figure.suptitle(told.title, fontsize=15, fontweight="bold")
    _rates(rates, told)
    _errors(errors, told)
    _pods(pods, told)
    for axes in (rates, errors, pods):
        axes.set_xlim(0, told.end_s)
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", color="#e6e6e6")
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        for moment in told.moments:
            axes.axvline(moment.at_s, color=_STEP, linewidth=1, linestyle=(0, (4, 3)))
    _labels(rates, told.moments, told.end_s)
    pods.set_xlabel("seconds")
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def versions(told: Story) -> list[str]:
    """Every version that answered, the smallest name first."""
    return sorted({version for slot in told.slots for version in slot.good})


def _stretches(told: Story) -> Iterator[list[Slot]]:
    """Slots that follow each other without a pause: nothing is drawn where no load ran."""
    run: list[Slot] = []
    for slot in told.slots:
        if run and slot.at_s - run[-1].at_s > 1.5 * SLOT_S:
            yield run
            run = []
        run.append(slot)
    if run:
        yield run


def _rates(axes: Any, told: Story) -> None:
    named = versions(told)
    colours: Mapping[str, str] = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(named)}
    for number, run in enumerate(_stretches(told)):
        edges = [slot.at_s for slot in run] + [run[-1].at_s + SLOT_S]
        below = [0.0] * len(run)
        for name in named:
            above = [low + slot.good[name] / SLOT_S for low, slot in zip(below, run, strict=True)]
            label = _legend(name) if number == 0 else None
            axes.stairs(above, edges, baseline=below, fill=True, color=colours[name], alpha=0.85, label=label)
            below = above
    _limit(axes, told)
    axes.set_ylabel("good answers per second")
    if named:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title="version", frameon=False)


def _legend(name: str) -> str:
    return "(none named)" if name == NO_VERSION else name


def _limit(axes: Any, told: Story) -> None:
    """A short burst at full speed shall not flatten all the rest: cut at twice what most slots hold."""
    rates = sorted(slot.good.total() / SLOT_S for slot in told.slots)
    if rates and rates[-1] > 3 * rates[len(rates) // 2] > 0:
        axes.set_ylim(top=2 * rates[len(rates) // 2])
        axes.annotate(
            "higher bars are cut off", (0.99, 0.97), xycoords="axes fraction", ha="right", va="top", fontsize=8
        )


def _errors(axes: Any, told: Story) -> None:
    at = [slot.at_s for slot in told.slots]
    failed = [slot.failed / SLOT_S for slot in told.slots]
    axes.bar(at, failed, width=SLOT_S, align="edge", color=_ERROR)
    axes.set_ylabel("failed per second")
    total = sum(slot.failed for slot in told.slots)
    said = f"{total} of {told.sent:,} requests failed" if total else f"none of {told.sent:,} requests failed"
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    colour = _ERROR if total else _READY
    axes.annotate(said, (0.01, 0.92), xycoords="axes fraction", va="top", color=colour, bbox=box, zorder=5)
    if not total:
        axes.set_ylim(0, 1)
        axes.set_yticks([])


def _pods(axes: Any, told: Story) -> None:
    at = [count.at_s for count in told.pods.counts]
    if at:
        at.append(max(told.end_s, at[-1]))
        total, ready = ([*line, line[-1]] for line in _lines(told.pods))
        axes.step(at, total, where="post", color=_ALL, linewidth=1.2, label="not leaving")
        axes.step(at, ready, where="post", color=_READY, linewidth=2, label="ready")
        axes.set_ylim(0, max(total) * 1.15 + 0.5)
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    axes.set_ylabel("pods")


def _lines(pods: PodLine) -> tuple[list[int], list[int]]:
    return [count.total for count in pods.counts], [count.ready for count in pods.counts]


def _labels(axes: Any, moments: Sequence[Moment], end_s: float) -> None:
    """What was done, above the picture; a label that would lie on the one before it goes a line higher."""
    level, last_s = 0, -end_s
    for moment in sorted(moments, key=lambda one: one.at_s):
        level = (level + 1) % _LEVELS if moment.at_s - last_s < end_s * _LABEL_WIDTH else 0
        last_s = moment.at_s
        axes.annotate(
            _short(moment.what),
            (moment.at_s, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(2, 3 + 12 * level),
            textcoords="offset points",
            fontsize=9,
            color=_STEP,
        )


def _short(text: str) -> str:
    return text if len(text) <= _MAX_LABEL else text[: _MAX_LABEL - 1] + "…"


def page(told: Story, drawn: bytes) -> str:
    """One file that needs nothing else: the picture inside, and the ledger of failed requests as a table."""
    data = base64.b64encode(drawn).decode()
    causes = ", ".join(f"{count} {escape(cause)}" for cause, count in ledger.total(told.ledger).items())
    verdict = "as expected" if told.ok else "not as expected"
    rows = "\n".join(_row(entry) for entry in told.ledger)
    table = f"<table><tr>{_HEAD}</tr>\n{rows}</table>" if rows else "<p>No request failed.</p>"
    moments = "\n".join(f"<li>{moment.at_s:.2f} s: {escape(moment.what)}</li>" for moment in told.moments)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(told.title)}</title><style>{_STYLE}</style></head><body>
<h1>{escape(told.title)}</h1>
<p>{escape(told.what)}</p>
<p class="{"good" if told.ok else "bad"}">It went {verdict}: {told.sent:,} requests, {causes or "none"} failed.</p>
<img alt="Requests per second by version, failed requests and ready pods over time" src="data:image/png;base64,{data}">
<h2>Failed requests</h2>
{table}
<h2>What was done</h2>
<ol>{moments}</ol>
</body></html>
"""


_HEAD = "".join(f"<th>{title}</th>" for title in ("cause", "requests", "from", "to", "first answer"))
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#222}"
    "img{max-width:100%}table{border-collapse:collapse}th,td{text-align:left;padding:.3em 1em .3em 0;"
    "border-bottom:1px solid #ddd}.good{color:#176b2c}.bad{color:#b3261e}"
)


def _row(entry: ledger.Entry) -> str:
    cells = (entry.cause, f"{entry.count:,}", f"{entry.begin_s:.2f} s", f"{entry.end_s:.2f} s", entry.detail)
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
