"""Who is on this side of an upstream connection?

A connection to an endpoint serves one exchange at a time and tells it what arrives. The router's stream is one kind
of exchange, a mirror's copy another. Callbacks are plain calls on the event loop: nothing here waits.
"""

from typing import TYPE_CHECKING, Protocol

from mesh.proxy.http1.lines import Field
from mesh.proxy.http1.response import ResponseHead

if TYPE_CHECKING:
    from mesh.proxy.upstream import UpstreamConnection

# Why an exchange ended without a complete answer. The words are Envoy's and reach the client.
CONNECT_FAILED = "remote connection failure"
CONNECT_TIMEOUT = "connection timeout"
TERMINATED = "connection termination"
PROTOCOL = "protocol error"
OVERFLOW = "overflow"


class Exchange(Protocol):
    """One request on its way to an endpoint."""

    sent_all: bool
    """The whole request has been handed to the connection."""
    method: bytes
    upgrade: bytes
    """The protocol that the request asks to switch to; empty for all ordinary requests."""

    def on_connection(self, connection: "UpstreamConnection") -> None:
        """A connection is yours: send."""

    def on_informational(self, head: ResponseHead) -> None:
        """A 1xx answer other than 101."""

    def discards(self, head: ResponseHead, bodyless: bool) -> bool:
        """Asked at the final head: true when this answer is thrown away (the request is tried again)."""

    def on_response(self, head: ResponseHead, body: bytes, end: bool) -> None:
        """The final head, with what is known of the body; `end` when that is all of it."""

    def on_body(self, data: bytes, end: bool, trailers: list[Field]) -> None:
        """More of the body."""

    def on_reset(self, reason: str, detail: str) -> None:
        """No (further) answer will come; `reason` is one of the words above."""

    def on_upstream_writable(self, writable: bool) -> None:
        """The connection's buffer is full, or has drained."""
