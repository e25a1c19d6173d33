"""Is a prime number of nodes, above about ten, spread more evenly?

Answered by trying: for every number of nodes from 8 to 24 keys are placed, and the fullest node is set beside the
mean. Whether primes do better is decided by a permutation test: of all ways to call as many node counts "prime", how
many make a difference as large as the true one? A share of at most 1 % is more than luck.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from mesh.balance.placement import Keys, spread

NODE_COUNTS = tuple(range(8, 25))
ABOVE = 10
STRIDES = (6, 10, 11)
PRIME_ALGORITHMS = ("modulo", "hash_modulo", "hashring", "ring_hash")
LUCK = 0.01


@dataclass(frozen=True, slots=True)
class Series:
    """One algorithm over one sort of keys: `max_over_mean[i]` is that of `nodes[i]` nodes."""

    algorithm: str
    stride: int | None
    nodes: tuple[int, ...]
    max_over_mean: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Primes beside the other node counts above ten, in one series."""

    algorithm: str
    stride: int | None
    primes_mean: float
    others_mean: float
    luck: float
    """The share of all labellings that favour their "primes" as much as the true one does."""
    worst_prime: tuple[int, float]
    """The prime with the fullest node, and how full."""

    @property
    def better(self) -> bool:
        return self.luck <= LUCK


def is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


def node_names(count: int) -> list[str]:
    """As the pods of a StatefulSet named kv are called."""
    return [f"kv-{i}" for i in range(count)]


def try_all(algorithms: Iterable[str], families: Sequence[Keys], counts: Sequence[int] = NODE_COUNTS) -> list[Series]:
    """Every algorithm over every family of keys."""
    return [
        Series(
            algorithm,
            keys.stride,
            tuple(counts),
            tuple(spread(algorithm, keys, node_names(n)).max_over_mean for n in counts),
        )
        for algorithm in algorithms
        for keys in families
    ]


def compare(series: Series) -> Comparison:
    """Primes above ten beside all others above ten; the series must hold some of both."""
    cases = [(n, value) for n, value in zip(series.nodes, series.max_over_mean, strict=True) if n > ABOVE]
    values = [value for _, value in cases]
    primes = [value for n, value in cases if is_prime(n)]
    limit = sum(primes) + 1e-9
    draws = [sum(draw) for draw in combinations(values, len(primes))]
    return Comparison(
        algorithm=series.algorithm,
        stride=series.stride,
        primes_mean=sum(primes) / len(primes),
        others_mean=(sum(values) - sum(primes)) / (len(values) - len(primes)),
        luck=sum(draw <= limit for draw in draws) / len(draws),
        worst_prime=max(((n, value) for n, value in cases if is_prime(n)), key=lambda case: case[1]),
    )


def keys_name(stride: int | None) -> str:
    return "random keys" if stride is None else f"keys with stride {stride}"


def verdict(comparisons: Sequence[Comparison]) -> list[str]:
    """What the figures say, in sentences."""
    said = []
    random_better = [one.algorithm for one in comparisons if one.stride is None and one.better]
    if random_better:
        said.append(f"Random keys: primes are more even with {', '.join(random_better)}.")
    elif any(one.stride is None for one in comparisons):
        said.append("Random keys: no. No algorithm is more even on primes than luck explains.")
    for algorithm in dict.fromkeys(one.algorithm for one in comparisons):
        strided = [one for one in comparisons if one.algorithm == algorithm and one.stride is not None]
        if not strided:
            continue
        yes = [str(one.stride) for one in strided if one.better]
        no = [str(one.stride) for one in strided if not one.better]
        if not yes:
            said.append(f"Keys with a stride, {algorithm}: no (strides {', '.join(no)}).")
            continue
        but = f", but not with {', '.join(no)}" if no else ""
        said.append(f"Keys with a stride, {algorithm}: yes with stride {', '.join(yes)}{but}.")
    worst = max(comparisons, key=lambda one: one.worst_prime[1])
    n, value = worst.worst_prime
    said.append(
        f"Worst prime: {n} nodes, {worst.algorithm}, {keys_name(worst.stride)}: the fullest node holds "
        f"{value:.2f} times the mean."
    )
    return said
