"""Which number does a query parameter hold?"""

from mesh.api.errors import BadRequest

_MOST_DIGITS = 18


def whole(name: str, text: str) -> int:
    """The number; 0 for an empty text. Raises BadRequest for what is none, or longer than any number that is meant."""
    # Not isdigit alone: a raised two is a digit, and no number.
    if text and not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise BadRequest(f'{name}: "{text[:40]}" is not a whole number')
    return int(text or 0)
