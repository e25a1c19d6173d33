"""Which name and value does a header line hold, and may it hold them?

A head is cut into lines and each line into a lower-case name and a trimmed value. Clients and servers send the
same lines again and again, so a parsed line is remembered (bounded); a head of known lines costs one dictionary
look-up each. Folded lines, bare line feeds and stray carriage returns take the slow way, which repairs them as
Envoy does (it deletes the line break) and never passes them on.
"""

import re

from mesh.proxy.http1.errors import INVALID_CHARACTERS, MALFORMED, TOO_MANY_HEADERS, ProtocolError

Field = tuple[bytes, bytes]

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

_MEMO_LINES = 8192
_MEMO_LINE_BYTES = 256
_MEMO_NAMES = 1024
_memo: dict[bytes, Field] = {}
_names: dict[bytes, bytes] = {}

# Envoy keeps one value of these and joins repetitions with a comma at the place of the first.
SINGLETONS = frozenset(
    b"accept access-control-allow-credentials access-control-allow-headers access-control-allow-methods"
    b" access-control-allow-origin access-control-expose-headers access-control-max-age"
    b" access-control-request-headers access-control-request-method age authorization cache-control connection"
    b" content-encoding content-type date etag expect expires grpc-message grpc-status grpc-timeout if-match"
    b" if-modified-since if-none-match if-range if-unmodified-since keep-alive last-modified location origin"
    b" proxy-connection proxy-status referer server te transfer-encoding upgrade user-agent vary via"
    b" x-client-trace-id x-envoy-attempt-count x-envoy-decorator-operation x-envoy-downstream-service-cluster"
    b" x-envoy-downstream-service-node x-envoy-expected-rq-timeout-ms x-envoy-external-address"
    b" x-envoy-internal x-envoy-max-retries x-envoy-original-path x-envoy-retry-on x-envoy-upstream-rq-timeout-ms"
    b" x-envoy-upstream-service-time x-forwarded-client-cert x-forwarded-for x-forwarded-host x-forwarded-port"
    b" x-forwarded-proto x-request-id".split()
)


def head_end(data: bytes, start: int = 0) -> int:
    """Index just behind the blank line that ends a head, or -1 when it has not arrived yet.

    A blank line may end in CRLF or in a bare LF; the earlier one counts, so that two readers of the same bytes
    can never see two different heads.
    """
    crlf = data.find(b"\n\r\n", start)
    if crlf < 0:
        bare = data.find(b"\n\n", start)
        return bare + 2 if bare >= 0 else -1
    bare = data.find(b"\n\n", start, crlf)
    return bare + 2 if bare >= 0 else crlf + 3


def split_head(raw: bytes) -> tuple[bytes, bytes]:
    """The start line (without its line end) and the block of header lines of a complete head."""
    end = raw.find(b"\n")
    if raw.endswith(b"\r\n\r\n"):
        return raw[:end].rstrip(b"\r"), raw[end + 1 : -4]
    return raw[:end].rstrip(b"\r"), raw[end + 1 :].rstrip(b"\r\n")


def parse_block(block: bytes, max_fields: int) -> list[Field]:
    """The fields of a block of header lines, in order. Raises ProtocolError."""
    if not block:
        return []
    known = _memo
    fields: list[Field] = []
    for line in block.split(b"\r\n"):
        field = known.get(line)
        if field is None:
            if line[:1] in b" \t" or b"\n" in line or b"\r" in line:
                return _parse_unusual(block, max_fields)
            field = _remember(line)
        fields.append(field)
    if len(fields) > max_fields:
        raise ProtocolError(TOO_MANY_HEADERS)
    return fields


def _remember(line: bytes) -> Field:
    field = _field(line)
    if len(line) <= _MEMO_LINE_BYTES:
        if len(_memo) >= _MEMO_LINES:
            _memo.clear()
        _memo[line] = field
    return field


def _field(line: bytes) -> Field:
    """One line without its line end. Raises ProtocolError."""
    name, colon, value = line.partition(b":")
    low = _names.get(name)
    if low is None:
        if _NAME.fullmatch(name) is None:
            raise ProtocolError(MALFORMED)
        low = name.lower()
        if len(_names) >= _MEMO_NAMES:
            _names.clear()
        _names[name] = low
    if not colon:
        raise ProtocolError(MALFORMED)
    if _FORBIDDEN.search(value) is not None:
        raise ProtocolError(INVALID_CHARACTERS)
    return low, value.strip(b" \t")


def _parse_unusual(block: bytes, max_fields: int) -> list[Field]:
    """Folded lines are joined (only the line break goes) and carriage returns inside values are deleted."""
    lines: list[bytes] = []
    for raw in block.split(b"\n"):
        if raw[:1] in (b" ", b"\t"):
            if not lines:
                raise ProtocolError(MALFORMED)
            lines[-1] += raw.replace(b"\r", b"")
            continue
        name, colon, value = raw.partition(b":")
        lines.append(name + colon + value.replace(b"\r", b"") if colon else raw)
    if len(lines) > max_fields:
        raise ProtocolError(TOO_MANY_HEADERS)
    return [_field(line) for line in lines]


def merge_singletons(fields: list[Field]) -> list[Field]:
    """Join repeated singleton headers with a comma at the place of the first one."""
    place: dict[bytes, int] = {}
    merged: list[Field] = []
    for field in fields:
        name = field[0]
        if name in SINGLETONS:
            first = place.get(name)
            if first is not None:
                merged[first] = (name, merged[first][1] + b"," + field[1])
                continue
            place[name] = len(merged)
        merged.append(field)
    return merged


def tokens(value: bytes) -> list[bytes]:
    """The lower-case members of a comma-separated header value, empty ones left out."""
    return [token for part in value.lower().split(b",") if (token := part.strip(b" \t"))]


def parse_length(value: bytes) -> int:
    """A content-length as Envoy accepts it: decimal digits only, leading zeros allowed. Raises ProtocolError."""
    if not value.isdigit() or len(value) > 19:
        raise ProtocolError(MALFORMED)
    length = int(value)
    if length >= 1 << 63:
        raise ProtocolError(MALFORMED)
    return length
