"""`mesh shards`: how evenly does a way of placing keys fill its nodes, and what does one more node move?"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Annotated, Any

import typer

from mesh.balance.placement import ALGORITHMS, RING_SIZE, Keys, Measured, measure
from mesh.balance.primes import (
    NODE_COUNTS,
    PRIME_ALGORITHMS,
    STRIDES,
    Comparison,
    Series,
    compare,
    is_prime,
    node_names,
    try_all,
    verdict,
)
from mesh.cli import output
from mesh.cli.errors import UserError
from mesh.cli.up import Form

MOST_NODES = 1000
MOST_KEYS = 5_000_000


def shards(
    nodes: Annotated[int | None, typer.Option(min=1, max=MOST_NODES, help="Nodes before (default: 10).")] = None,
    to: Annotated[int | None, typer.Option(min=1, max=MOST_NODES, help="Nodes afterwards (default: one more).")] = None,
    keys: Annotated[int, typer.Option(min=1, max=MOST_KEYS, help="How many keys.")] = 100_000,
    algorithm: Annotated[
        list[str] | None, typer.Option(help=f"Repeatable: {', '.join(ALGORITHMS)}, or all (default).")
    ] = None,
    stride: Annotated[
        list[int] | None, typer.Option(min=1, help="Also keys that are multiples of this; repeatable.")
    ] = None,
    ring_points: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, help="Points of each node for ring_hash (default: 1024 for all together)."),
    ] = None,
    ring_size: Annotated[
        int | None, typer.Option(min=1, max=1_000_000, help="Points that all nodes share, for ring_hash.")
    ] = None,
    primes: Annotated[
        bool, typer.Option("--primes", help="Is a prime number of nodes above ten spread more evenly? Try it.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the random keys.")] = 1,
    plot: Annotated[Path | None, typer.Option(help="Draw into this .png, .svg or .pdf.")] = None,
    form: Annotated[Form, typer.Option("-o", "--output", help="For people, or for programs.")] = Form.text,
) -> None:
    """Measure placements of keys on nodes: evenness, and keys moved beside the theoretical least."""
    if plot is not None:
        check_plot(plot)
    families = [random_keys(keys, seed)]
    if primes:
        if (nodes, to, ring_points, ring_size) != (None, None, None, None):
            left_out = "--nodes, --to, --ring-points, --ring-size"
            raise UserError(f"--primes tries 8 to 24 nodes on Envoy's usual ring: leave out {left_out}")
        families += [strided_keys(keys, each) for each in stride or STRIDES]
        show_primes(try_all(chosen(algorithm, PRIME_ALGORITHMS), families), keys, plot, form)
        return
    if ring_points is not None and ring_size is not None:
        raise UserError("--ring-points and --ring-size: a ring is measured by one of them")
    families += [strided_keys(keys, each) for each in stride or ()]
    few = 10 if nodes is None else nodes
    before, after = node_names(few), node_names(few + 1 if to is None else to)
    results = [
        measure(name, family, before, after, ring_points, RING_SIZE if ring_size is None else ring_size)
        for family in families
        for name in chosen(algorithm, ALGORITHMS)
    ]
    show_measured(results, plot, form)


def chosen(wanted: list[str] | None, default: tuple[str, ...]) -> tuple[str, ...]:
    """The algorithms to try, each once. Raises UserError."""
    if not wanted:
        return default
    for name in wanted:
        if name != "all" and name not in ALGORITHMS:
            raise UserError(f"--algorithm {name}: there is no such algorithm; choose {', '.join(ALGORITHMS)}, or all")
    return ALGORITHMS if "all" in wanted else tuple(dict.fromkeys(wanted))


def random_keys(count: int, seed: int) -> Keys:
    rng = random.Random(seed)
    return Keys(rng.getrandbits(64) for _ in range(count))


def strided_keys(count: int, stride: int) -> Keys:
    return Keys(range(0, count * stride, stride), stride)


def check_plot(path: Path) -> None:
    """Say what is wrong with a plot before the work, not after it. Raises UserError."""
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise UserError(f"--plot {path}: the name must end in .png, .svg or .pdf")
    if not path.parent.is_dir():
        raise UserError(f"--plot {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise UserError(f"--plot {path}: that is a folder; name a file")
    try:
        import matplotlib as _  # noqa: F401 - only a plot needs it, and it takes a while to import
    except ImportError:
        raise UserError("--plot needs matplotlib, which is not installed: pip install 'loopmesh[report]'") from None


def figures(result: Measured) -> dict[str, Any]:
    """One result for programs. The evenness is that of the nodes before."""
    return {
        "algorithm": result.algorithm,
        "stride": result.stride,
        "keys": sum(result.before.counts),
        "nodes": len(result.before.counts),
        "to": len(result.after.counts),
        "max_over_mean": round(result.before.max_over_mean, 6),
        "cv": round(result.before.cv, 6),
        "expected_cv": round(result.expected_cv, 6),
        "moved_fraction": round(result.moved_fraction, 6),
        "expected_moved_fraction": round(result.expected_moved_fraction, 6),
        "ideal_moved_fraction": round(result.ideal_moved_fraction, 6),
        "counts": list(result.before.counts),
        "counts_after": list(result.after.counts),
    }


def show_measured(results: list[Measured], plot: Path | None, form: Form) -> None:
    if plot is not None:
        from mesh.cli import shards_plot

        shards_plot.placements(results, plot)
    if form is Form.json:
        told = [figures(result) for result in results]
        output.as_json(told[0] if len(told) == 1 else told)
        return
    first = results[0]
    keys, few, many = sum(first.before.counts), len(first.before.counts), len(first.after.counts)
    output.data(f"{keys:,} keys on {few} nodes, then on {many}: at least {first.ideal_moved_fraction:.2%} must move\n")
    rows = [("ALGORITHM", "KEYS", "MAX/MEAN", "CV EXPECTED", "CV SEEN", "MOVED EXPECTED", "MOVED SEEN", "OF THE LEAST")]
    for result in results:
        least = result.ideal_moved_fraction
        rows.append(
            (
                result.algorithm,
                sort_of_keys(result.stride),
                f"{result.before.max_over_mean:.3f}",
                f"{result.expected_cv:.4f}",
                f"{result.before.cv:.4f}",
                f"{result.expected_moved_fraction:.2%}",
                f"{result.moved_fraction:.2%}",
                f"{result.moved_fraction / least:.2f} x" if least else "-",
            )
        )
    output.data(output.columns(rows))


def sort_of_keys(stride: int | None) -> str:
    return "random" if stride is None else f"stride {stride}"


def show_primes(series: list[Series], keys: int, plot: Path | None, form: Form) -> None:
    comparisons = [compare(one) for one in series]
    said = verdict(comparisons)
    if plot is not None:
        from mesh.cli import shards_plot

        shards_plot.primes(series, plot)
    if form is Form.json:
        output.as_json(
            {
                "keys": keys,
                "series": [series_figures(one, beside) for one, beside in zip(series, comparisons, strict=True)],
                "verdict": said,
            }
        )
        return
    output.data(f"{keys:,} keys: the fullest node in multiples of the mean (* a prime number of nodes)\n")
    counts = [f"{n}*" if is_prime(n) else str(n) for n in NODE_COUNTS]
    rows = [("ALGORITHM", "KEYS", *counts)]
    rows += [
        (one.algorithm, sort_of_keys(one.stride), *(f"{value:.2f}" for value in one.max_over_mean)) for one in series
    ]
    output.data(output.columns(rows, gap=2))
    output.data("\nabove 10 nodes; LUCK: the chance that as many numbers drawn blindly look as good as the primes\n")
    beside = [("ALGORITHM", "KEYS", "PRIMES", "OTHERS", "LUCK", "PRIMES MORE EVEN")]
    beside += [
        (
            one.algorithm,
            sort_of_keys(one.stride),
            f"{one.primes_mean:.3f}",
            f"{one.others_mean:.3f}",
            f"{one.luck:.2%}",
            "yes" if one.better else "no",
        )
        for one in comparisons
    ]
    output.data(output.columns(beside) + "\n")
    for line in said:
        output.data(line)


def series_figures(series: Series, beside: Comparison) -> dict[str, Any]:
    return {
        "algorithm": series.algorithm,
        "stride": series.stride,
        "max_over_mean": {str(n): round(value, 6) for n, value in zip(series.nodes, series.max_over_mean, strict=True)},
        "primes_mean": round(beside.primes_mean, 6),
        "others_mean": round(beside.others_mean, 6),
        "luck": round(beside.luck, 6),
        "primes_more_even": beside.better,
    }
