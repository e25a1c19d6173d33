"""What did an origin answer, and where does its body end?

Reads one complete response head, as lenient and as strict as Envoy is with origins. Hop-by-hop headers are taken
out. Heads are remembered like those of requests: an origin that answers alike within a second (same `date`) costs
one look-up.
"""

import re

from mesh.proxy.http1.errors import (
    BAD_TRANSFER_ENCODING,
    HEADERS_TOO_LARGE,
    LENGTH_AND_CHUNKED,
    MALFORMED,
    ProtocolError,
)
from mesh.proxy.http1.lines import (
    Field,
    head_end,
    merge_singletons,
    parse_block,
    parse_length,
    split_head,
    tokens,
)
from mesh.proxy.http1.memory import Memory

_LINE = re.compile(rb"HTTP/1\.(\d)[ \t]+(\d{3})(?:[ \t].*)?", re.S)
_HOP = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"))
_MAX_HEAD = 256 * 1024
_MEMO_HEADS = 1024
_MEMO_HEAD_BYTES = 2048

UNTIL_CLOSE, CHUNKED = -1, -2


class ResponseHead:
    """One response head. Shared between answers that look alike, so nobody may change it."""

    __slots__ = ("case", "fields", "length", "names", "plans", "reusable", "status", "switching")

    def __init__(self, status: int) -> None:
        self.status = status
        self.fields: list[Field] = []
        self.names: frozenset[bytes] = frozenset()
        self.length = UNTIL_CLOSE
        """Bytes of body announced; or UNTIL_CLOSE, CHUNKED. What a HEAD, 204 or 304 has is the reader's business."""
        self.reusable = True
        """May the connection carry another request?"""
        self.switching: list[Field] = []
        """The `upgrade` and `connection` headers of a 101, for those who asked for it."""
        self.case: dict[bytes, bytes] | None = None
        self.plans: dict[object, object] = {}
        """What others derived from this head alone; lives and dies with the memo."""


_memory: Memory[ResponseHead] = Memory(_MEMO_HEADS)


def find_end(data: bytes) -> int:
    """Index behind the head, -1 when more bytes are needed. Raises ProtocolError when it is too large."""
    end = head_end(data)
    if end < 0 and len(data) > _MAX_HEAD:
        raise ProtocolError(HEADERS_TOO_LARGE)
    return end


def parse(raw: bytes, max_fields: int = 100) -> ResponseHead:
    """raw: a complete head including its blank line. Raises ProtocolError."""
    head = _memory.known.get(raw)
    if head is None:
        head = parse_response(raw, max_fields)
        if len(raw) <= _MEMO_HEAD_BYTES:
            _memory.consider(raw, head)
    return head


def parse_response(raw: bytes, max_fields: int = 100) -> ResponseHead:
    """Read one head without memory. Raises ProtocolError."""
    line, block = split_head(raw)
    match = _LINE.fullmatch(line)
    if match is None:
        raise ProtocolError(MALFORMED)
    head = ResponseHead(int(match.group(2)))
    if head.status < 100:
        raise ProtocolError(MALFORMED)
    fields = parse_block(block, max_fields)
    _frame(head, fields)
    fields = merge_singletons(fields)
    connection = tokens(b",".join([v for n, v in fields if n in (b"connection", b"proxy-connection")]))
    head.reusable = b"close" not in connection and (match.group(1) != b"0" or b"keep-alive" in connection)
    if head.length == UNTIL_CLOSE and head.status >= 200 and head.status not in (204, 304):
        head.reusable = False
    head.switching = [field for field in fields if field[0] in (b"upgrade", b"connection")]
    head.fields = [field for field in fields if field[0] not in _HOP]
    if head.status == 204:
        head.fields = [field for field in head.fields if field[0] != b"content-length"]
    head.names = frozenset([name for name, _ in head.fields])
    return head


def spelling(raw: bytes) -> dict[bytes, bytes]:
    """lower-case name -> the name as the sender wrote it (for `preserve_case`)."""
    names = [line.partition(b":")[0] for line in split_head(raw)[1].split(b"\r\n")]
    return {name.lower(): name for name in names}


def _frame(head: ResponseHead, fields: list[Field]) -> None:
    lengths = [value for name, value in fields if name == b"content-length"]
    codings = [value for name, value in fields if name == b"transfer-encoding"]
    if len(lengths) > 1:
        raise ProtocolError(MALFORMED)
    if lengths and codings:
        raise ProtocolError(LENGTH_AND_CHUNKED)
    if codings:
        if len(codings) != 1 or codings[0].lower() != b"chunked":
            raise ProtocolError(BAD_TRANSFER_ENCODING)
        head.length = CHUNKED
    elif lengths:
        head.length = parse_length(lengths[0])
        if head.status == 204 and head.length:
            raise ProtocolError(MALFORMED)
