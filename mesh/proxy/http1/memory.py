"""Is this head worth remembering?

Clients and origins repeat some heads again and again and send others once (with an id in them). A head is remembered at
its second coming only: the first leaves a mark, so that heads that never return cost nothing and displace nobody.
"""

from array import array
from typing import Generic, TypeVar

T = TypeVar("T")

_MARKS = 8192


class Memory(Generic[T]):
    """A bounded memory from bytes to what was read in them; the oldest leaves first."""

    __slots__ = ("_marks", "_size", "known")

    def __init__(self, size: int) -> None:
        self._size = size
        self._marks = array("q", bytes(8 * _MARKS))
        self.known: dict[bytes, T] = {}
        """Look here first; `consider` what is not in it."""

    def consider(self, raw: bytes, value: T) -> None:
        """Remember `value` if `raw` was seen before."""
        number = hash(raw)
        place = number % _MARKS
        if self._marks[place] != number:
            self._marks[place] = number
            return
        known = self.known
        if len(known) >= self._size:
            del known[next(iter(known))]
        known[raw] = value
