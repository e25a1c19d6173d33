"""Which bytes of a chunked body are data, and where does it end?

A small push parser: bytes in, data out. The framing itself is thrown away (extensions, padding, the odd junk before
a chunk's line end) and written anew towards the next hop, so nothing of it can be understood differently there.
"""

import re

from mesh.proxy.http1.errors import HEADERS_TOO_LARGE, MALFORMED, ProtocolError
from mesh.proxy.http1.lines import Field, parse_block

_SIZE = re.compile(rb"([0-9A-Fa-f]+)(?:[ \t;][^\r\n]*)?")
_MAX_LINE = 16 * 1024
_MAX_TRAILERS = 60 * 1024

_SIZE_LINE, _DATA, _DATA_END, _TRAILERS, _DONE = range(5)


class ChunkedDecoder:
    """Feed it reads; it returns the data in them. After `done`, `rest` holds what follows the body."""

    __slots__ = ("_left", "_pending", "_state", "done", "rest", "trailers")

    def __init__(self) -> None:
        self._state = _SIZE_LINE
        self._left = 0
        self._pending = b""
        self.done = False
        self.rest = b""
        self.trailers: list[Field] = []

    def feed(self, data: bytes) -> bytes:
        """The body bytes contained in `data`. Raises ProtocolError on framing nobody should guess about."""
        if self._pending:
            data = self._pending + data
            self._pending = b""
        out: list[bytes] = []
        at = 0
        size = len(data)
        while at < size:
            state = self._state
            if state == _DATA:
                end = at + self._left
                if end > size:
                    out.append(data[at:])
                    self._left = end - size
                    at = size
                    break
                out.append(data[at:end])
                at, self._state = end, _DATA_END
            elif state == _TRAILERS:
                at = self._read_trailers(data, at)
                break
            else:
                end = data.find(b"\n", at)
                if end < 0:
                    if size - at > _MAX_LINE:
                        raise ProtocolError(MALFORMED)
                    self._pending = data[at:]
                    if state == _SIZE_LINE:
                        self._plausible(self._pending)
                    break
                if end == at or data[end - 1] != 13:
                    raise ProtocolError(MALFORMED)
                if state == _SIZE_LINE:
                    self._size(data[at : end - 1])
                else:
                    self._state = _SIZE_LINE
                at = end + 1
        if self.done:
            self.rest = data[at:]
        return out[0] if len(out) == 1 else b"".join(out)

    def _size(self, line: bytes) -> None:
        match = _SIZE.fullmatch(line)
        if match is None:
            raise ProtocolError(MALFORMED)
        digits = match.group(1).lstrip(b"0")
        if len(digits) > 15:
            raise ProtocolError(MALFORMED)
        self._left = int(digits, 16) if digits else 0
        self._state = _DATA if self._left else _TRAILERS

    def _plausible(self, start: bytes) -> None:
        """Refuse a size line as soon as it can no longer become one."""
        text = start[:-1] if start.endswith(b"\r") else start
        if text and _SIZE.fullmatch(text) is None:
            raise ProtocolError(MALFORMED)

    def _read_trailers(self, data: bytes, at: int) -> int:
        """Trailer lines up to the blank line; index behind it (the whole rest is kept when it has not come)."""
        if data.startswith(b"\r\n", at):
            self._state, self.done = _DONE, True
            return at + 2
        crlf, bare = data.find(b"\n\r\n", at), data.find(b"\n\n", at)
        if crlf < 0 and bare < 0:
            if len(data) - at > _MAX_TRAILERS:
                raise ProtocolError(HEADERS_TOO_LARGE)
            self._pending = data[at:]
            return len(data)
        end = bare + 2 if bare >= 0 and (crlf < 0 or bare < crlf) else crlf + 3
        self.trailers = parse_block(data[at:end].rstrip(b"\r\n"), 100)
        self._state, self.done = _DONE, True
        return end


def encode_chunk(data: bytes) -> bytes:
    """One chunk, as Envoy writes it (lower-case size)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def encode_end(trailers: list[Field] | None) -> bytes:
    """The last chunk with the trailers that may be passed on."""
    if not trailers:
        return b"0\r\n\r\n"
    return b"0\r\n" + b"".join([b"%b: %b\r\n" % field for field in trailers]) + b"\r\n"
