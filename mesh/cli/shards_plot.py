"""How do placements look? Needs matplotlib, so only `mesh shards --plot` imports this."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mesh.balance.placement import Measured
from mesh.balance.primes import Series, is_prime, keys_name
from mesh.cli.errors import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EXPECTED, SEEN = "#c9c9c9", "#1f6fb4"
COLOURS = ("#d1495b", "#edae49", "#1f6fb4", "#2a9d6f", "#6a4c93", "#555555")
MARKS = ("o", "s", "^", "D", "v", "P")
DPI = 90


def placements(results: Sequence[Measured], path: Path) -> None:
    """Evenness and movement of every result, expected beside seen."""
    figure, (evenness, movement) = _figure(1, 2, height=1.6 + 0.45 * len(results))
    names = [one.algorithm + ("" if one.stride is None else f"\n(stride {one.stride})") for one in results]
    keys, few, many = sum(results[0].before.counts), len(results[0].before.counts), len(results[0].after.counts)
    _bars(evenness, names, [one.expected_cv * 100 for one in results], [one.before.cv * 100 for one in results])
    evenness.set_title(f"Unevenness on {few} nodes")
    evenness.set_xlabel("standard deviation in % of the mean")
    _bars(
        movement,
        names,
        [one.expected_moved_fraction * 100 for one in results],
        [one.moved_fraction * 100 for one in results],
    )
    movement.set_yticklabels([])
    movement.set_title(f"Keys that move from {few} to {many} nodes")
    movement.set_xlabel("% of all keys")
    least = results[0].ideal_moved_fraction * 100
    movement.axvline(least, color="#d1495b", linestyle="--", linewidth=1.2, label=f"the least: {least:.1f} %")
    figure.legend(*movement.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    figure.suptitle(f"{keys:,} keys", fontsize=10)
    _save(figure, path)


def _bars(axes: Axes, names: Sequence[str], expected: Sequence[float], seen: Sequence[float]) -> None:
    rows = range(len(names))
    axes.barh([row - 0.2 for row in rows], expected, height=0.38, color=EXPECTED, label="expected")
    bars = axes.barh([row + 0.2 for row in rows], seen, height=0.38, color=SEEN, label="seen")
    axes.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
    axes.set_yticks(list(rows), names, fontsize=9)
    axes.invert_yaxis()
    largest, smallest = max(*expected, *seen, 0.1), max(min(*expected, *seen), 0.1)
    if largest > 50 * smallest:  # otherwise one bar would hide all the others
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlim(smallest / 2, largest * 2)
    else:
        axes.set_xlim(0, largest * 1.15)
    axes.spines[["top", "right"]].set_visible(False)


def primes(series: Sequence[Series], path: Path) -> None:
    """The fullest node over the number of nodes, a panel for each sort of keys; primes are shaded."""
    strides = list(dict.fromkeys(one.stride for one in series))
    algorithms = list(dict.fromkeys(one.algorithm for one in series))
    columns = min(2, len(strides))
    figure, panels = _figure(-(-len(strides) // columns), columns, height=3.0 * -(-len(strides) // columns) + 0.7)
    for axes, stride in zip(panels, strides, strict=False):
        for one in series:
            if one.stride == stride:
                place = algorithms.index(one.algorithm)
                axes.plot(
                    one.nodes,
                    one.max_over_mean,
                    color=COLOURS[place],
                    marker=MARKS[place],
                    markersize=4,
                    linewidth=1.2,
                    label=one.algorithm,
                )
        nodes = series[0].nodes
        for n in nodes:
            if is_prime(n):
                axes.axvspan(n - 0.4, n + 0.4, color="#eeeeee", zorder=0)
        axes.set_xticks(list(nodes), [str(n) for n in nodes], fontsize=7)
        axes.set_title(keys_name(stride), fontsize=10)
        if stride is not None:
            axes.set_yscale("log", base=2)
            axes.yaxis.set_major_formatter("{x:g}")
            axes.set_ylim(bottom=0.9)
        else:
            axes.set_ylim(
                0.95, max(1.5, *(value for one in series if one.stride is None for value in one.max_over_mean))
            )
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[len(strides) :]:
        axes.set_visible(False)
    panels[0].legend(fontsize=8, loc="upper left", ncols=2)
    figure.supxlabel("nodes (shaded: a prime number)", fontsize=9)
    figure.supylabel("fullest node / mean", fontsize=9)
    _save(figure, path)


def _figure(rows: int, columns: int, height: float) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(9.5, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False)
    return figure, [axes for row in grid for axes in row]


def _save(figure: Figure, path: Path) -> None:
    try:
        figure.savefig(path)
    except OSError as error:
        raise UserError(f"--plot {path}: {error.strerror or error}") from None
