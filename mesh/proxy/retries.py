"""How is a request tried again?

`routing.retry` says whether and when; here the body is kept for it (bounded), the pause becomes a timer, and the next
attempt gets another endpoint where the policy wants one. A request that may not be repeated has no state here at all.
"""

from typing import TYPE_CHECKING

from mesh.proxy import router
from mesh.proxy.http1.response import ResponseHead
from mesh.routing import decision as flags
from mesh.routing import limits, retry
from mesh.routing.outcome import TRY_TIMEOUT, Outcome, answer

if TYPE_CHECKING:
    from mesh.proxy.host import Host
    from mesh.proxy.stream import Stream
    from mesh.routing.retry_policy import RetryPolicy

_BUFFER_LIMIT = 1024 * 1024
"""Bytes of a body that are kept for a retry where the route does not say."""


class RetryState:
    """What a request that may be repeated remembers."""

    __slots__ = ("body", "counted", "done", "limit", "policy", "size", "tried")

    def __init__(self, policy: "RetryPolicy", limit: int) -> None:
        self.policy = policy
        self.limit = limit
        self.done = 0
        self.counted = False
        """A retry is under way and counts against the cluster's limit."""
        self.tried: list[Host] = []
        self.body: list[bytes] = []
        self.size = 0


def arm(stream: "Stream", policy: "RetryPolicy") -> None:
    """Let the request be repeated, if the policy counts for it."""
    if not policy.on or not retry.applies(policy, stream):
        return
    limit = stream.route.buffer_limit_bytes
    stream.retry_state = RetryState(policy, _BUFFER_LIMIT if limit is None else limit)
    for piece in stream.held or ():
        keep(stream, piece)


def keep(stream: "Stream", data: bytes) -> None:
    """Remember a piece of the body; a body that is too large makes the request unrepeatable."""
    state = stream.retry_state
    if state is None or not data:
        return
    state.size += len(data)
    if state.size > state.limit:
        if stream.cluster is not None:
            stream.cluster.stats.retry_or_shadow_abandoned += 1
        forget(stream)
    else:
        state.body.append(data)


def forget(stream: "Stream") -> None:
    """No retry from here on."""
    state = stream.retry_state
    if state is not None:
        _uncount(stream, state)
        stream.retry_state = None


def after_answer(stream: "Stream", head: ResponseHead) -> bool:
    """True when this answer is thrown away and the request tried again."""
    again = _decide(stream, answer(head.status, head.fields))
    if again and stream.cluster is not None:
        codes = stream.cluster.stats.codes
        codes[head.status] = codes.get(head.status, 0) + 1
    return again


def after_failure(stream: "Stream", reason: str) -> bool:
    """The attempt ended without an answer; true when another one follows."""
    return _decide(stream, Outcome(reason))


def after_try_timeout(stream: "Stream") -> bool:
    return _decide(stream, Outcome(TRY_TIMEOUT))


def _decide(stream: "Stream", outcome: Outcome) -> bool:
    state, cluster, host = stream.retry_state, stream.cluster, stream.host
    assert state is not None
    assert cluster is not None
    _uncount(stream, state)
    verdict = retry.decide(
        state.policy,
        outcome,
        state.done,
        stream.http.rng,
        may_retry=limits.admits_retry(cluster.spec, cluster.retries),
        wall_s=stream.http.proxy.clock.wall(),
    )
    if isinstance(verdict, retry.Stop):
        if verdict.reason == retry.LIMIT_EXCEEDED:
            stream.flag(flags.UPSTREAM_RETRY_LIMIT)
            cluster.stats.upstream_rq_retry_limit_exceeded += 1
        elif verdict.reason == retry.RETRY_OVERFLOW:
            stream.flag(flags.UPSTREAM_OVERFLOW)
            cluster.stats.upstream_rq_retry_overflow += 1
        return False
    if host is not None and verdict.avoid_previous:
        state.tried.append(host)
    state.done += 1
    state.counted = True
    cluster.retries += 1
    cluster.stats.upstream_rq_retry += 1
    cluster.stats.upstream_rq_retry_backoff_exponential += not verdict.rate_limited
    stream.upstream = None
    stream.try_deadline = 0.0
    router.release(stream)
    stream.retry_timer = stream.connection.loop.call_later(verdict.delay_s, _again, stream, verdict.avoid_previous)
    return True


def _again(stream: "Stream", avoid_previous: bool) -> None:
    stream.retry_timer = None
    state, cluster = stream.retry_state, stream.cluster
    if stream.over or state is None or cluster is None:
        return
    stream.attempts += 1
    stream.sent_all = False
    stream.held = [b"".join(state.body)] if state.body else None
    host = cluster.pick_again(stream, state.tried, state.policy.host_selection_attempts if avoid_previous else 0)
    router.repeat(stream, host)


def _uncount(stream: "Stream", state: RetryState) -> None:
    if state.counted and stream.cluster is not None:
        state.counted = False
        stream.cluster.retries -= 1
