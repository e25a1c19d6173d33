"""Which name and value does a header line hold, and may it hold them?

A head is cut into lines and each line into a lower-case name and a trimmed value. The usual block is checked as a whole
and cut in one pass; names that were seen before cost a look-up. New names, folded lines, bare line feeds and stray
carriage returns take the slow way, which repairs what Envoy repairs and never passes it on as it came.
"""

import re

from mesh.proxy.http1.errors import INVALID_CHARACTERS, MALFORMED, TOO_MANY_HEADERS, ProtocolError

Field = tuple[bytes, bytes]

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CLEAN = bytes(byte for byte in range(256) if byte in b"\t\r\n" or (byte >= 0x20 and byte != 0x7F))

_MEMO_NAMES = 1024
_names: dict[bytes, bytes] = {}
"""Names as they were written -> in lower case; only good ones are in it."""

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
        if raw[end - 2] != 13:
            return raw[: end - 1] if raw[end - 1] == 13 else raw[:end], raw[end + 1 : -4]
        return raw[:end].rstrip(b"\r"), raw[end + 1 : -4]
    return raw[:end].rstrip(b"\r"), raw[end + 1 :].rstrip(b"\r\n")


def parse_block(block: bytes, max_fields: int) -> list[Field]:
    """The fields of a block of header lines, in order. Raises ProtocolError."""
    if not block:
        return []
    lines = block.split(b"\r\n")
    breaks = len(lines) - 1
    if block.count(b"\n") != breaks or block.count(b"\r") != breaks or block.translate(None, _CLEAN):
        return _parse_unusual(block, max_fields)
    known = _names
    try:
        fields = [(known[name], value.strip()) for name, value in [line.split(b":", 1) for line in lines]]
    except (KeyError, ValueError):
        return _parse_unusual(block, max_fields)
    if breaks >= max_fields:
        raise ProtocolError(TOO_MANY_HEADERS)
    return fields


def _field(line: bytes) -> Field:
    """One line without its line end. Raises ProtocolError."""
    name, colon, value = line.partition(b":")
    if not colon or _NAME.fullmatch(name) is None:
        raise ProtocolError(MALFORMED)
    if _FORBIDDEN.search(value) is not None:
        raise ProtocolError(INVALID_CHARACTERS)
    low = name.lower()
    if len(_names) >= _MEMO_NAMES:
        _names.clear()
    _names[name] = low
    return low, value.strip(b" \t")


def _parse_unusual(block: bytes, max_fields: int) -> list[Field]:
    """Line by line: learns new names, joins folded lines (only the line break goes), deletes stray carriage returns."""
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
