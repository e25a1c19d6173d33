"""How evenly does a way of placing keys fill its nodes, and how many keys move when the nodes change?

Keys are numbers. `modulo` divides the number itself; everything else hashes the number's decimal text first, as a
store or a proxy would. `ring_hash` and `maglev` are the proxy's own, `hashring` is what clients of the built-in
key-value store use, so the figures are those of real placements.

Beside what was counted stands what theory expects, so that a figure can be judged:
- evenness (coefficient of variation of the keys of a node): chance alone gives sqrt((n-1)/keys); a ring with v points
  a node adds (n-1)/(nv+1) to its square; numbers with a stride reach only every g-th node under modulo, which gives
  sqrt(g-1) with g the common divisor of both;
- keys moved: at least the share that nodes gain; modulo keeps only keys with the same remainder twice; a ring that
  shrinks each node's points as nodes are added moves keys between the old nodes as well.
"""

from __future__ import annotations

from array import array
from bisect import bisect, bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, gcd, lcm, sqrt

from hashring import HashRing

from mesh.balance.hashing import xx
from mesh.balance.maglev import TABLE_SIZE, fill
from mesh.balance.ring import Points
from mesh.balance.ring import place as ring_points

ALGORITHMS = ("modulo", "hash_modulo", "hashring", "ring_hash", "maglev", "rendezvous")
RING_SIZE = 1024
RING_LIMIT = 8_388_608
HASHRING_POINTS = 120
"""Points that the library hashring gives a node of equal weight."""


class UnknownAlgorithm(ValueError):
    """`str()` is one line that lists the known ones."""


class Keys:
    """Numbers to place, with their hashes kept: many placements of the same keys cost one hashing.

    stride: what the numbers are multiples of; None where they are random.
    """

    def __init__(self, numbers: Iterable[int], stride: int | None = None) -> None:
        self.numbers = tuple(numbers)
        self.stride = stride

    def __len__(self) -> int:
        return len(self.numbers)

    @cached_property
    def texts(self) -> list[bytes]:
        return [str(number).encode() for number in self.numbers]

    @cached_property
    def hashes(self) -> array[int]:
        """As the proxy hashes a header with that text."""
        return array("Q", map(xx, self.texts))

    @cached_property
    def circle(self) -> list[int]:
        """Places on the circle of the library hashring, which are the same whatever its nodes."""
        position = HashRing([]).gen_key
        return [position(str(number)) for number in self.numbers]

    @cached_property
    def sorted_hashes(self) -> array[int]:
        return array("Q", sorted(self.hashes))

    @cached_property
    def sorted_circle(self) -> list[int]:
        return sorted(self.circle)


@dataclass(frozen=True, slots=True)
class Evenness:
    """How evenly nodes are filled."""

    counts: tuple[int, ...]
    """Keys of each node, in the order of the nodes."""

    @property
    def max_over_mean(self) -> float:
        """The fullest node beside the mean; 1 is perfect."""
        return max(self.counts) * len(self.counts) / sum(self.counts)

    @property
    def cv(self) -> float:
        """Standard deviation over mean; 0 is perfect."""
        mean = sum(self.counts) / len(self.counts)
        return sqrt(sum((count - mean) ** 2 for count in self.counts) / len(self.counts)) / mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One algorithm, its nodes before and after."""

    algorithm: str
    stride: int | None
    before: Evenness
    after: Evenness
    moved_fraction: float
    ideal_moved_fraction: float
    """What has to move so that every node holds the same share afterwards."""
    expected_cv: float
    expected_moved_fraction: float


def measure(
    algorithm: str,
    keys: Keys,
    before: Sequence[str],
    after: Sequence[str],
    points: int | None = None,
    size: int = RING_SIZE,
) -> Measured:
    """Place keys on the nodes `before` and on those `after`.

    points: of each node on the proxy's ring, whatever the number of nodes.  size: without `points`, how many the nodes
    share at least; Envoy's default is 1024.
    """
    first = place(algorithm, keys, before, points, size)
    second = place(algorithm, keys, after, points, size)
    same_name = {(i, after.index(name)) for i, name in enumerate(before) if name in after}
    moved = sum(pair not in same_name for pair in zip(first, second, strict=True))
    return Measured(
        algorithm=algorithm,
        stride=keys.stride,
        before=evenness(first, len(before)),
        after=evenness(second, len(after)),
        moved_fraction=moved / len(keys),
        ideal_moved_fraction=least_moved(before, after),
        expected_cv=expected_cv(algorithm, keys, len(before), points, size),
        expected_moved_fraction=expected_moved(algorithm, keys, before, after, points, size),
    )


def place(
    algorithm: str, keys: Keys, nodes: Sequence[str], points: int | None = None, size: int = RING_SIZE
) -> Sequence[int]:
    """The number of the node of each key."""
    n = len(nodes)
    match algorithm:
        case "modulo":
            return [number % n for number in keys.numbers]
        case "hash_modulo":
            return [value % n for value in keys.hashes]
        case "hashring":
            circle, owner_of = _hashring(nodes)
            return [owner_of[bisect(circle, position) % len(circle)] for position in keys.circle]
        case "ring_hash":
            ring = _proxy_ring(nodes, points, size)
            owners, length = ring.owners, len(ring.hashes)
            return [owners[bisect_left(ring.hashes, value) % length] for value in keys.hashes]
        case "maglev":
            table = maglev_table(nodes)
            return [table[value % TABLE_SIZE] for value in keys.hashes]
        case "rendezvous":
            return _highest(keys, nodes)
    raise UnknownAlgorithm(f"no algorithm {algorithm!r}; there are {', '.join(ALGORITHMS)}")


def spread(algorithm: str, keys: Keys, nodes: Sequence[str], points: int | None = None) -> Evenness:
    """How evenly `place` fills the nodes. On rings the keys between two points are counted and not looked up one by
    one, which is much faster for many rings over the same keys."""
    counts = [0] * len(nodes)
    if algorithm == "ring_hash":
        ring = _proxy_ring(nodes, points)
        ends = [bisect(keys.sorted_hashes, point) for point in ring.hashes]
        owners: Sequence[int] = ring.owners
    elif algorithm == "hashring":
        circle, owners = _hashring(nodes)
        ends = [bisect_left(keys.sorted_circle, point) for point in circle]
    else:
        return evenness(place(algorithm, keys, nodes, points), len(nodes))
    for start, end, owner in zip([0, *ends], ends, owners, strict=False):
        counts[owner] += end - start
    counts[owners[0]] += len(keys) - ends[-1]
    return Evenness(tuple(counts))


def _proxy_ring(nodes: Sequence[str], points: int | None, size: int = RING_SIZE) -> Points:
    n = len(nodes)
    return ring_points(_names(nodes), (1 / n,) * n, _ring_size(n, points, size), RING_LIMIT, "XX_HASH")


def _hashring(nodes: Sequence[str]) -> tuple[list[int], list[int]]:
    """The points of the library's ring, and the number of the node of each."""
    name_of: dict[int, str] = HashRing(list(nodes)).ring
    circle = sorted(name_of)
    number = {name: i for i, name in enumerate(nodes)}
    return circle, [number[name_of[point]] for point in circle]


def maglev_table(nodes: Sequence[str]) -> list[int]:
    """The number of the node of each slot."""
    order = sorted(range(len(nodes)), key=lambda i: nodes[i].encode())
    table = fill(_names([nodes[i] for i in order]), (1 / len(nodes),) * len(nodes), TABLE_SIZE)
    return [order[owner] for owner in table]


def _highest(keys: Keys, nodes: Sequence[str]) -> list[int]:
    """Rendezvous: every node draws a number for the key, the highest wins."""
    seeds = [xx(name) for name in _names(nodes)]
    chosen = []
    for text in keys.texts:
        draws = [xx(text, seed) for seed in seeds]
        chosen.append(draws.index(max(draws)))
    return chosen


def _names(nodes: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(name.encode() for name in nodes)


def _ring_size(nodes: int, points: int | None, size: int) -> int:
    return size if points is None else points * nodes


def _points_each(algorithm: str, nodes: int, points: int | None, size: int) -> int:
    return HASHRING_POINTS if algorithm == "hashring" else ceil(_ring_size(nodes, points, size) / nodes)


def evenness(placed: Iterable[int], nodes: int) -> Evenness:
    counts = [0] * nodes
    for node in placed:
        counts[node] += 1
    return Evenness(tuple(counts))


def least_moved(before: Sequence[str], after: Sequence[str]) -> float:
    """The share of keys that must move when shares are equal before and after: what nodes gain."""
    old, known = 1 / len(before), set(before)
    return sum(max(0.0, 1 / len(after) - (old if name in known else 0.0)) for name in after)


def expected_cv(algorithm: str, keys: Keys, nodes: int, points: int | None = None, size: int = RING_SIZE) -> float:
    """The evenness that theory expects."""
    chance = (nodes - 1) / len(keys)
    if algorithm == "modulo" and keys.stride is not None:
        return sqrt(gcd(keys.stride, nodes) - 1)
    if algorithm in ("ring_hash", "hashring"):
        return sqrt(chance + (nodes - 1) / (nodes * _points_each(algorithm, nodes, points, size) + 1))
    return sqrt(chance)


def expected_moved(
    algorithm: str,
    keys: Keys,
    before: Sequence[str],
    after: Sequence[str],
    points: int | None = None,
    size: int = RING_SIZE,
) -> float:
    """The share of keys that theory expects to move when nodes are added at the end, or taken away there."""
    few, many = sorted((len(before), len(after)))
    if algorithm in ("modulo", "hash_modulo"):
        period = lcm(few, many)
        step = gcd(keys.stride or 1, period) if algorithm == "modulo" else 1
        return 1 - ceil(few / step) * step / period
    if algorithm == "maglev":
        pairs = zip(maglev_table(before), maglev_table(after), strict=True)
        return sum(one != other for one, other in pairs) / TABLE_SIZE
    if algorithm in ("ring_hash", "hashring"):
        # A key looks at its next point of both rings together: it moves if that one is new, and mostly if it vanishes.
        wide, narrow = (_points_each(algorithm, nodes, points, size) for nodes in (few, many))
        new, vanishing = (many - few) * narrow, few * (wide - narrow)
        return (new + vanishing * (1 - 1 / many)) / (few * wide + new)
    return least_moved(before, after)
