"""What number does a quantity such as `500m` or `1Gi` mean, and how is a number written as one?"""

_SUFFIXES = {
    "": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip
_LETTERS = "".join({char for suffix in _SUFFIXES for char in suffix})


def amount(text: str | int | float) -> float:
    """The number that a quantity means: `500m` is 0.5. Raises ValueError."""
    if isinstance(text, int | float):
        return float(text)
    digits = text.rstrip(_LETTERS)
    suffix = text[len(digits) :]
    if suffix not in _SUFFIXES:
        return float(text)  # an exponent: 1e3
    return float(digits) * _SUFFIXES[suffix]


def quantity(value: float) -> str:
    """The quantity of a number, in thousandths where it is not whole."""
    thousandths = round(value * 1000)
    return f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)
