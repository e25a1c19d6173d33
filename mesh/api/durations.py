"""How long is `1.5s`?

Rules write durations the way Go does: numbers with units, added up (`10s`, `0.5s`, `100ms`, `1m30s`).
"""

import re
from fractions import Fraction

_UNIT_MS = {
    "h": Fraction(3_600_000),
    "m": Fraction(60_000),
    "s": Fraction(1000),
    "ms": Fraction(1),
    "us": Fraction(1, 1000),
    "µs": Fraction(1, 1000),
    "ns": Fraction(1, 1_000_000),
}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|m|s|us|µs|ns)")
_WHOLE = re.compile(rf"[+-]?(?:{_PART.pattern})+")


def parse_ms(text: str) -> Fraction | None:
    """The exact number of milliseconds; None when the text is no duration."""
    if text in ("0", "+0", "-0"):
        return Fraction(0)
    if not _WHOLE.fullmatch(text):
        return None
    total = sum((Fraction(number) * _UNIT_MS[unit] for number, unit in _PART.findall(text)), Fraction(0))
    return -total if text.startswith("-") else total
