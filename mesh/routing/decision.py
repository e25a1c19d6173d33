"""What happened to one request, all in one record?

The record is filled while the request moves downstream to upstream; access log, metrics, formatters and
tests read it and nothing else. It is mutable and has slots, because one is made for every request.

Flags are Envoy's response flags. They keep the order in which they were raised (`URX,UF`), as Envoy shows them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mesh.routing.request import Headers, Request
    from mesh.routing.route_table import Route

NO_ROUTE = b"NR"
NO_CLUSTER = b"NC"
NO_HEALTHY_UPSTREAM = b"UH"
UPSTREAM_CONNECTION_FAILURE = b"UF"
UPSTREAM_CONNECTION_TERMINATION = b"UC"
UPSTREAM_PROTOCOL_ERROR = b"UPE"
UPSTREAM_REMOTE_RESET = b"UR"
UPSTREAM_OVERFLOW = b"UO"
UPSTREAM_TIMEOUT = b"UT"
UPSTREAM_RETRY_LIMIT = b"URX"
DOWNSTREAM_CONNECTION_TERMINATION = b"DC"
DOWNSTREAM_PROTOCOL_ERROR = b"DPE"
FAULT_INJECTED = b"FI"
DELAY_INJECTED = b"DI"
RATE_LIMITED = b"RL"
STREAM_IDLE_TIMEOUT = b"SI"
DURATION_TIMEOUT = b"DT"
MAX_STREAM_DURATION = b"UMSDR"


class Decision:
    """One request's account. Times are monotonic seconds unless the name says otherwise."""

    __slots__ = (
        "attempts",
        "bytes_received",
        "bytes_sent",
        "cluster",
        "connection_id",
        "details",
        "ended_s",
        "endpoint",
        "flags",
        "local",
        "peer",
        "protocol",
        "remote",
        "request",
        "request_done_s",
        "response_code",
        "response_headers",
        "response_started_s",
        "route",
        "start_s",
        "start_wall_s",
        "upstream_failure",
        "upstream_local",
        "upstream_started_s",
    )

    def __init__(self, start_s: float, start_wall_s: float = 0.0) -> None:
        self.start_s = start_s
        self.start_wall_s = start_wall_s
        self.request: Request | None = None
        self.route: Route | None = None
        self.cluster: bytes = b""
        self.endpoint: bytes = b""
        """`ip:port` of the endpoint of the last attempt."""
        self.attempts = 0
        self.flags: bytes = b""
        self.details: bytes = b""
        self.response_code = 0
        self.response_headers: Headers | None = None
        self.bytes_received = 0
        self.bytes_sent = 0
        self.protocol: bytes = b"HTTP/1.1"
        self.peer: tuple[str, int] | None = None
        """Who opened the connection."""
        self.remote: tuple[str, int] | None = None
        """Who sent the request, after x-forwarded-for was considered; None: the peer. Port 0: unknown."""
        self.local: tuple[str, int] | None = None
        self.connection_id = 0
        self.upstream_local: tuple[str, int] | None = None
        self.upstream_failure: bytes = b""
        """Why the upstream connection failed (transport failure reason)."""
        self.request_done_s: float | None = None
        self.upstream_started_s: float | None = None
        self.response_started_s: float | None = None
        self.ended_s: float | None = None

    def flag(self, name: bytes) -> None:
        """Raise a response flag; raising it again changes nothing."""
        flags = self.flags
        if not flags:
            self.flags = name
        elif name not in flags.split(b","):
            self.flags = flags + b"," + name
