"""How did one attempt end?

The words are Envoy's reset reasons, as they reach the client in a local reply; an answer is told by its status.
`retry` and `outlier` read outcomes, the proxy makes them.
"""

from __future__ import annotations

from dataclasses import dataclass

from mesh.routing.request import Headers

ANSWERED = "answered"
CONNECT_FAILED = "remote connection failure"
CONNECT_TIMEOUT = "connection timeout"
TERMINATED = "connection termination"
PROTOCOL_ERROR = "protocol error"
TRY_TIMEOUT = "per try timeout"
ROUTE_TIMEOUT = "route timeout"
OVERFLOW = "overflow"
"""A limit was hit before anything was sent."""

NEVER_SENT = frozenset({CONNECT_FAILED, CONNECT_TIMEOUT})
"""No byte of the request left: whoever failed has not begun with it."""
GATEWAY_STATUSES = frozenset({502, 503, 504})


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one attempt. `status` and `headers` of an answer; `reason` one of the words above."""

    reason: str
    status: int = 0
    headers: Headers | tuple[()] = ()

    @property
    def answered(self) -> bool:
        return self.reason == ANSWERED

    @property
    def status_or_stand_in(self) -> int:
        """The answer's status, or the one that stands for none: 504 for a timeout, else 503."""
        if self.reason == ANSWERED:
            return self.status
        return 504 if self.reason in (TRY_TIMEOUT, ROUTE_TIMEOUT) else 503


def answer(status: int, headers: Headers | tuple[()] = ()) -> Outcome:
    return Outcome(ANSWERED, status, headers)
