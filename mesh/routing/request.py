"""What does a decision need to know about one request?

The head as the listener left it: names lower-cased, values trimmed, `host` taken out and kept as the
authority, the path normalised. All text is bytes, because header bytes are not always UTF-8. Cheap to
create (one per request on the hot path); a protocol may subclass it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random as _random

Headers = list[tuple[bytes, bytes]]


class Request:
    """One request head. `path` holds the query too and must not change once a route was looked for."""

    __slots__ = ("_bare", "_draw", "authority", "headers", "method", "path", "peer_ip", "rng", "scheme")

    def __init__(
        self,
        method: bytes,
        path: bytes,
        authority: bytes,
        headers: Headers,
        scheme: bytes = b"http",
        peer_ip: str = "127.0.0.1",
        rng: _random.Random | None = None,
        draw: int = -1,
    ) -> None:
        self.method = method
        self.path = path
        self.authority = authority
        self.scheme = scheme
        self.headers = headers
        self.peer_ip = peer_ip
        self.rng = rng
        self._draw = draw
        self._bare: bytes | None = None

    def bare_path(self) -> bytes:
        """The path without the query."""
        bare = self._bare
        if bare is None:
            path = self.path
            cut = path.find(b"?")
            bare = self._bare = path if cut < 0 else path[:cut]
        return bare

    def draw(self) -> int:
        """The stream's one random 64-bit number: runtime fractions, weighted clusters and mirrors all use it."""
        value = self._draw
        if value < 0:
            value = self._draw = 0 if self.rng is None else self.rng.getrandbits(64)
        return value


def header(headers: Headers, name: bytes) -> bytes | None:
    """The value of the first line called `name` (lower case), or None."""
    for key, value in headers:
        if key == name:
            return value
    return None


def header_lines(headers: Headers, name: bytes) -> list[bytes]:
    """The values of every line called `name`, in order."""
    return [value for key, value in headers if key == name]


def named(request: Request, name: bytes) -> list[bytes]:
    """Every value that a rule's header name stands for, the pseudo headers included."""
    if name == b":authority" or name == b"host":
        return [request.authority]
    if name == b":path":
        return [request.path]
    if name == b":method":
        return [request.method]
    if name == b":scheme":
        return [request.scheme]
    return [value for key, value in request.headers if key == name]
