"""What does a format string such as `%REQ(x-user)% from %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%` say of a request?

Envoy's command operators, compiled once into a function of a Decision (the record of one request). Header
mutations write nothing for a value that is missing, the access log writes `-`. An operator that is not in the
table below is refused when the configuration is compiled.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from mesh.routing.decision import Decision
from mesh.routing.errors import Refused
from mesh.routing.request import Headers, header

Operator = Callable[[Decision], bytes | None]
Format = Callable[[Decision], bytes]

DEFAULT_ACCESS_LOG = (
    '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% '
    "%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "
    '"%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n'
)
_TOKEN = re.compile(r"%%|%([A-Z0-9_]+)(?:\(([^)]*)\))?(?::([0-9]+))?%")


def compile_format(text: str, at: str, missing: bytes = b"") -> bytes | Format:
    """A constant when the text holds no operator, else a function of the Decision."""
    pieces: list[bytes | Operator] = []
    last = 0
    for token in _TOKEN.finditer(text):
        pieces.append(_plain(text[last : token.start()], at))
        last = token.end()
        if token[0] == "%%":
            pieces.append(b"%")
        else:
            operator = _operator(token[1], token[2], at)
            pieces.append(_cut(operator, int(token[3])) if token[3] else operator)
    pieces.append(_plain(text[last:], at))
    if not any(callable(piece) for piece in pieces):
        return b"".join(piece for piece in pieces if isinstance(piece, bytes))
    return _joined([piece for piece in pieces if piece != b""], missing)


def _joined(pieces: list[bytes | Operator], missing: bytes) -> Format:
    def write(decision: Decision) -> bytes:
        parts = []
        for piece in pieces:
            value = piece if isinstance(piece, bytes) else piece(decision)
            parts.append(missing if value is None else value)
        return b"".join(parts)

    return write


def _plain(text: str, at: str) -> bytes:
    if "%" in text:
        raise Refused(
            at, f"cannot read {text.strip()!r}; write %OPERATOR%, %OPERATOR(ARGUMENT)% or %% for a percent sign"
        )
    return text.encode()


def _cut(operator: Operator, size: int) -> Operator:
    def cut(decision: Decision) -> bytes | None:
        value = operator(decision)
        return None if value is None else value[:size]

    return cut


def _operator(name: str, argument: str | None, at: str) -> Operator:
    make = WITH_ARGUMENT.get(name)
    if make is not None:
        return make(argument or "", at)
    plain = PLAIN.get(name)
    if plain is None:
        known = ", ".join(sorted([*PLAIN, *WITH_ARGUMENT]))
        raise Refused(at, f"%{name}% is not executed; use one of {known}")
    if argument is not None:
        raise Refused(at, f"%{name}% takes no argument")
    return plain


def _request_header(argument: str, at: str) -> Operator:
    """%REQ(NAME?OTHER)%: the header, or the other one where it is absent."""
    names = [part.strip().lower().encode() for part in argument.split("?")]
    if not names[0] or len(names) > 2:
        raise Refused(at, "%REQ()% takes NAME or NAME?OTHER")

    def read(decision: Decision) -> bytes | None:
        for name in names:
            value = request_value(decision, name)
            if value is not None:
                return value
        return None

    return read


def request_value(decision: Decision, name: bytes) -> bytes | None:
    request = decision.request
    if request is None:
        return None
    if name == b":path":
        return request.path
    if name == b":method":
        return request.method
    if name == b":authority" or name == b"host":
        return request.authority
    if name == b":scheme":
        return request.scheme
    return header(request.headers, name)


def _response_header(argument: str, at: str) -> Operator:
    names = [part.strip().lower().encode() for part in argument.split("?")]
    if not names[0] or len(names) > 2:
        raise Refused(at, "%RESP()% takes NAME or NAME?OTHER")

    def read(decision: Decision) -> bytes | None:
        lines: Headers = decision.response_headers or []
        for name in names:
            value = header(lines, name)
            if value is not None:
                return value
        return None

    return read


def _start_time(argument: str, at: str) -> Operator:
    if not argument:
        return lambda decision: moment(decision.start_wall_s)
    wanted = argument.replace("%3f", "@MS@").replace("%6f", "@US@").replace("%f", "@NS@")

    def write(decision: Decision) -> bytes:
        when = datetime.fromtimestamp(decision.start_wall_s, UTC)
        text = when.strftime(wanted.replace("%s", str(int(decision.start_wall_s))))
        micros = f"{when.microsecond:06d}"
        return text.replace("@MS@", micros[:3]).replace("@US@", micros).replace("@NS@", micros + "000").encode()

    return write


def moment(wall_s: float) -> bytes:
    """Unix seconds as the access log writes them: 2026-11-23T10:00:00.123Z."""
    when = datetime.fromtimestamp(wall_s, UTC)
    return b"%s.%03dZ" % (when.strftime("%Y-%m-%dT%H:%M:%S").encode(), when.microsecond // 1000)


def _address(pick: Callable[[Decision], tuple[str, int] | None], part: str) -> Operator:
    def write(decision: Decision) -> bytes | None:
        where = pick(decision)
        if where is None:
            return None
        if part == "ip":
            return where[0].encode()
        if part == "port":
            return b"%d" % where[1]
        return f"[{where[0]}]:{where[1]}".encode() if ":" in where[0] else f"{where[0]}:{where[1]}".encode()

    return write


def _remote(decision: Decision) -> tuple[str, int] | None:
    return decision.remote or decision.peer


def _peer(decision: Decision) -> tuple[str, int] | None:
    return decision.peer


def _local(decision: Decision) -> tuple[str, int] | None:
    return decision.local


def _upstream_local(decision: Decision) -> tuple[str, int] | None:
    return decision.upstream_local


def _upstream_ip(decision: Decision) -> bytes | None:
    return decision.endpoint.rpartition(b":")[0] or None


def _route_name(decision: Decision) -> bytes | None:
    return (decision.route.name or None) if decision.route is not None else None


def _since_start(pick: Callable[[Decision], float | None]) -> Operator:
    def write(decision: Decision) -> bytes | None:
        moment_s = pick(decision)
        return None if moment_s is None else b"%d" % int((moment_s - decision.start_s) * 1000)

    return write


PLAIN: dict[str, Operator] = {
    "PROTOCOL": lambda d: d.protocol or None,
    "RESPONSE_CODE": lambda d: b"%d" % d.response_code,
    "RESPONSE_CODE_DETAILS": lambda d: d.details or None,
    "RESPONSE_FLAGS": lambda d: d.flags or None,
    "BYTES_RECEIVED": lambda d: b"%d" % d.bytes_received,
    "BYTES_SENT": lambda d: b"%d" % d.bytes_sent,
    "DURATION": _since_start(lambda d: d.ended_s),
    "REQUEST_DURATION": _since_start(lambda d: d.request_done_s),
    "RESPONSE_DURATION": _since_start(lambda d: d.response_started_s),
    "UPSTREAM_HOST": lambda d: d.endpoint or None,
    "UPSTREAM_REMOTE_ADDRESS": lambda d: d.endpoint or None,
    "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": _upstream_ip,
    "UPSTREAM_LOCAL_ADDRESS": _address(_upstream_local, "both"),
    "UPSTREAM_CLUSTER": lambda d: d.cluster or None,
    "UPSTREAM_REQUEST_ATTEMPT_COUNT": lambda d: b"%d" % d.attempts,
    "UPSTREAM_TRANSPORT_FAILURE_REASON": lambda d: d.upstream_failure or None,
    "ROUTE_NAME": _route_name,
    "CONNECTION_ID": lambda d: b"%d" % d.connection_id,
    "DOWNSTREAM_REMOTE_ADDRESS": _address(_remote, "both"),
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": _address(_remote, "ip"),
    "DOWNSTREAM_REMOTE_PORT": _address(_remote, "port"),
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS": _address(_peer, "both"),
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT": _address(_peer, "ip"),
    "DOWNSTREAM_DIRECT_REMOTE_PORT": _address(_peer, "port"),
    "DOWNSTREAM_LOCAL_ADDRESS": _address(_local, "both"),
    "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT": _address(_local, "ip"),
    "DOWNSTREAM_LOCAL_PORT": _address(_local, "port"),
}
WITH_ARGUMENT: dict[str, Callable[[str, str], Operator]] = {
    "REQ": _request_header,
    "RESP": _response_header,
    "START_TIME": _start_time,
}
