"""How does an endpoint's answer look to the client?

Writes the head of a relayed answer: status line, the endpoint's headers in their order, Envoy's own behind them. The
part that depends on the endpoint's head alone is written once and kept with that head, so an ordinary answer costs
two concatenations.
"""

from mesh.proxy.http1.lines import Field
from mesh.proxy.http1.response import ResponseHead
from mesh.proxy.http1.status import status_line
from mesh.proxy.local_reply import date_line

OVERWRITE, APPEND_IF_ABSENT, PASS_THROUGH = range(3)

SERVICE_TIME = b"x-envoy-upstream-service-time"
CLOSE = b"connection: close\r\n"
KEEP_ALIVE = b"connection: keep-alive\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Prefix:
    """The lines of one answer that never change: before and after the service time, and which lines are missing."""

    __slots__ = ("after", "before", "needs_date", "server_line")

    def __init__(self, before: bytes, after: bytes, needs_date: bool, server_line: bytes) -> None:
        self.before = before
        self.after = after
        self.needs_date = needs_date
        self.server_line = server_line


def prefix_of(head: ResponseHead, server: bytes, mode: int) -> Prefix:
    """The constant lines for an HTTP/1.1 client, remembered with `head`."""
    key = (server, mode)
    found = head.plans.get(key)
    if found is None:
        found = head.plans[key] = _prefix(head, server, mode)
    assert isinstance(found, Prefix)
    return found


def _prefix(head: ResponseHead, server: bytes, mode: int) -> Prefix:
    before = [status_line(head.status)]
    after: list[bytes] = []
    target = before
    timed = False
    for name, value in head.fields:
        if name == b"server" and mode == OVERWRITE:
            value = server
        elif name == SERVICE_TIME and not timed:
            timed = True
            before.append(SERVICE_TIME + b": ")
            target = after
            target.append(b"\r\n")
            continue
        target.append(b"%b: %b\r\n" % (name, value))
    if not timed:
        before.append(SERVICE_TIME + b": ")
        after.append(b"\r\n")
    line = b"" if mode == PASS_THROUGH or b"server" in head.names else b"server: %b\r\n" % server
    return Prefix(b"".join(before), b"".join(after), b"date" not in head.names, line)


def plain_head(prefix: Prefix, milliseconds: int, tail: bytes) -> bytes:
    """The head of an answer that nothing changes. tail: the framing and connection lines."""
    date = date_line() if prefix.needs_date else b""
    return b"%b%d%b%b%b%b\r\n" % (prefix.before, milliseconds, prefix.after, date, prefix.server_line, tail)


def finish_fields(fields: list[Field], server: bytes, mode: int) -> None:
    """Add date and server (or overwrite it in place), as the last step before the connection's own lines."""
    has_date = False
    place = -1
    for at, (name, _) in enumerate(fields):
        if name == b"date":
            has_date = True
        elif name == b"server" and place < 0:
            place = at
    if not has_date:
        fields.append((b"date", date_line()[6:-2]))
    if mode == PASS_THROUGH:
        return
    if place < 0:
        fields.append((b"server", server))
    elif mode == OVERWRITE:
        fields[place] = (b"server", server)


def write_head(status: int, fields: list[Field], tail: bytes, minor: int, case: dict[bytes, bytes] | None) -> bytes:
    """A head from its fields. case: how the endpoint spelled its names, when that is to be kept."""
    parts = [status_line(status, minor)]
    if case:
        parts += [b"%b: %b\r\n" % (case.get(name, name), value) for name, value in fields]
    else:
        parts += [b"%b: %b\r\n" % field for field in fields]
    parts.append(tail)
    parts.append(b"\r\n")
    return b"".join(parts)
