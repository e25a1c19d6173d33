"""What was derived from these very objects before?

Views keep their identity as long as they are equal (see `snapshot`), so a result made from the same objects is still
right. A memo makes the cost of a change depend on the change instead of the size of the mesh; without one everything
is computed anew, with the same result.
"""

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Memo:
    """Remembers one result a key, with the inputs it was made from.

    finish: what becomes of a new result before it is remembered, for who wants something smaller.
    """

    __slots__ = ("_finish", "_fresh", "_kept")

    def __init__(self, finish: Callable[[Any], Any] | None = None) -> None:
        self._finish = finish
        self._kept: dict[object, tuple[tuple[object, ...], Any]] = {}
        self._fresh: dict[object, tuple[tuple[object, ...], Any]] = {}

    def get(self, key: object, inputs: tuple[object, ...], make: Callable[[], T]) -> T:
        """The remembered result for `key` when it was made from the same inputs, else a new one.

        Inputs are the same when they are the same objects; text and numbers are compared by value.
        """
        entry = self._fresh.get(key) or self._kept.get(key)
        if entry is None or not _same(entry[0], inputs):
            entry = (inputs, make() if self._finish is None else self._finish(make()))
        self._fresh[key] = entry
        result: T = entry[1]
        return result

    def __len__(self) -> int:
        return len(self._fresh.keys() | self._kept.keys())

    def sweep(self) -> None:
        """Forget what nobody asked for since the last sweep."""
        self._kept, self._fresh = self._fresh, {}


def _same(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    if len(one) != len(other):
        return False
    return all(a is b or (isinstance(a, str | int) and a == b) for a, b in zip(one, other, strict=True))
