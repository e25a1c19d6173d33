"""What is a client told when no endpoint answered?

The one table from a failure to status, body, response flag and Envoy's response code details. Everything that the
proxy says in its own name is written here.
"""

import time
from dataclasses import dataclass

from mesh.proxy import exchange as upstream
from mesh.proxy.http1 import errors
from mesh.proxy.http1.lines import Field
from mesh.proxy.http1.status import status_line
from mesh.routing import decision as flags

_UPSTREAM_TEXT = b"upstream connect error or disconnect/reset before headers. "


@dataclass(frozen=True, slots=True)
class Failure:
    """One way in which a request ends without an endpoint's answer."""

    status: int
    body: bytes
    flag: bytes
    details: bytes
    grpc_status: int | None = None
    """None: derived from the HTTP status."""


# --- before a route is known: bytes, and the rules of the connection manager ------------------------------------
_CODEC: dict[str, tuple[int, bytes]] = {
    errors.BAD_TRANSFER_ENCODING: (501, b"Not Implemented"),
    errors.HEADERS_TOO_LARGE: (431, b"Request Header Fields Too Large"),
    errors.TOO_MANY_HEADERS: (431, b"Request Header Fields Too Large"),
}


def codec_failure(details: str) -> Failure:
    """Bytes from a client that are not acceptable HTTP/1."""
    status, body = _CODEC.get(details, (400, b"Bad Request"))
    return Failure(status, body, flags.DOWNSTREAM_PROTOCOL_ERROR, details.encode())


LOW_VERSION = Failure(426, b"Upgrade Required", b"", b"low_version")
MISSING_HOST = Failure(400, b"", b"", b"missing_host_header")
BAD_PATH = Failure(400, b"", b"", b"path_normalization_failed")
SLASH_REDIRECT = Failure(307, b"", b"", b"path_normalization_failed")
ABSOLUTE_PATH = Failure(404, b"", b"", b"absolute_path_rejected")
QUERY_WITHOUT_TYPE = Failure(400, b"", b"", b"query_missing_content_type")
UPGRADE_REFUSED = Failure(403, b"", b"", b"upgrade_failed")
NO_ROUTE = Failure(404, b"", flags.NO_ROUTE, b"route_not_found")
HEADERS_LATE = Failure(408, b"request header timeout", b"", b"request_header_timeout")
REQUEST_LATE = Failure(408, b"request timeout", b"", b"request_overall_timeout")

# --- the router -------------------------------------------------------------------------------------------------
NO_CLUSTER = Failure(503, b"", flags.NO_CLUSTER, b"cluster_not_found")
NO_ENDPOINT = Failure(503, b"no healthy upstream", flags.NO_HEALTHY_UPSTREAM, b"no_healthy_upstream")
ROUTE_TIMEOUT = Failure(504, b"upstream request timeout", flags.UPSTREAM_TIMEOUT, b"response_timeout", 14)
TRY_TIMEOUT = Failure(504, b"upstream request timeout", flags.UPSTREAM_TIMEOUT, b"upstream_per_try_timeout", 14)
TRY_IDLE = Failure(504, b"upstream request timeout", flags.UPSTREAM_TIMEOUT, b"upstream_per_try_idle_timeout", 14)
IDLE_TIMEOUT = Failure(504, b"stream timeout", flags.STREAM_IDLE_TIMEOUT, b"stream_idle_timeout")
MAX_DURATION = Failure(408, b"downstream duration timeout", flags.DURATION_TIMEOUT, b"max_duration_timeout")
UPLOAD_IDLE = Failure(408, b"stream timeout", flags.STREAM_IDLE_TIMEOUT, b"stream_idle_timeout")
HANDSHAKE = b"websocket_handshake_unsuccessful"

_RESETS: dict[str, tuple[int, bytes]] = {
    upstream.CONNECT_FAILED: (503, flags.UPSTREAM_CONNECTION_FAILURE),
    upstream.CONNECT_TIMEOUT: (503, flags.UPSTREAM_CONNECTION_FAILURE),
    upstream.TERMINATED: (503, flags.UPSTREAM_CONNECTION_TERMINATION),
    upstream.PROTOCOL: (502, flags.UPSTREAM_PROTOCOL_ERROR),
    upstream.OVERFLOW: (503, flags.UPSTREAM_OVERFLOW),
}


def reset_failure(reason: str, detail: str, retried: bool) -> Failure:
    """The endpoint (or the way to it) failed before an answer began; reason: see `exchange`."""
    status, flag = _RESETS[reason]
    text = b"retried and the latest reset reason: " if retried else b"reset reason: "
    inside = reason.replace(" ", "_") + (f"|{detail}" if detail else "")
    details = b"upstream_reset_before_response_started{%b}" % inside.encode()
    return Failure(status, _UPSTREAM_TEXT + text + reason.encode(), flag, details)


def reset_details(reason: str) -> bytes:
    """Response code details when the answer had already begun."""
    return b"upstream_reset_after_response_started{%b}" % reason.replace(" ", "_").encode()


# --- writing ----------------------------------------------------------------------------------------------------
_GRPC_OF_HTTP = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}


def reply_fields(failure: Failure, extra: list[Field], *, grpc: bool) -> tuple[int, list[Field], bytes]:
    """Status, headers so far (framing excluded where it comes last) and body of a local reply."""
    if grpc:
        number = failure.grpc_status if failure.grpc_status is not None else _GRPC_OF_HTTP.get(failure.status, 2)
        fields = [(b"content-type", b"application/grpc"), (b"grpc-status", b"%d" % number)]
        if failure.body:
            fields.append((b"grpc-message", failure.body))
        return 200, extra + fields, b""
    fields = list(extra)
    if failure.body:
        fields.append((b"content-length", b"%d" % len(failure.body)))
        if not any(name == b"content-type" for name, _ in fields):
            fields.append((b"content-type", b"text/plain"))
    return failure.status, fields, failure.body


def serialise(
    status: int, fields: list[Field], body: bytes, *, minor: int, head_only: bool, tail: bytes = b""
) -> bytes:
    """A whole local reply. `tail`: date, server and connection lines, already written."""
    parts = [status_line(status, minor)]
    sized = False
    for name, value in fields:
        sized = sized or name == b"content-length"
        parts.append(b"%b: %b\r\n" % (name, value))
    parts.append(tail)
    if not sized and status >= 200 and status not in (204, 304):
        parts.append(b"transfer-encoding: chunked\r\n" if head_only else b"content-length: 0\r\n")
    parts.append(b"\r\n")
    if not head_only:
        # Also for a 304: a direct response with that status and a body is written so by Envoy.
        parts.append(body)
    return b"".join(parts)


_date_second = 0
_date_line = b""


def date_line() -> bytes:
    """`date: ...` with its line end; rewritten once a second."""
    global _date_second, _date_line
    now = int(time.time())
    if now != _date_second:
        stamp = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now))
        _date_line = f"date: {stamp}\r\n".encode()
        _date_second = now
    return _date_line
