"""When does the clock matter to a stream, and what happens then?

A stream notes moments of its connection's loop; the connection has the one timer, asks for the earliest moment and
calls `look` when it has come. Functions on a stream.
"""

from typing import TYPE_CHECKING

from mesh.proxy import local_reply, router

if TYPE_CHECKING:
    from mesh.proxy.stream import Stream


def after(stream: "Stream", after_s: float) -> float:
    """The moment (loop time) in so many seconds; the connection will wake up for it."""
    at = stream.connection.loop.time() + after_s
    stream.connection.arm(at)
    return at


def set_idle(stream: "Stream", idle_s: float) -> None:
    """End the stream when nothing moved for so long; 0: never."""
    stream.idle_s = idle_s
    if idle_s:
        stream.last_moved = stream.connection.loop.time()
        stream.connection.arm(stream.last_moved + idle_s)


def limit_duration(stream: "Stream", limit_s: float) -> None:
    """End the stream, whatever it does, when it has lasted so long; 0: never."""
    stream.end_deadline = after(stream, limit_s) if limit_s else 0.0


def earliest(stream: "Stream") -> float:
    """The earliest moment at which the clock matters; 0 when it does not."""
    idle_s = min([s for s in (stream.idle_s, stream.try_idle_s) if s], default=0.0)
    idle = stream.last_moved + idle_s if idle_s else 0.0
    times = (stream.route_deadline, stream.try_deadline, stream.request_deadline, stream.end_deadline, idle)
    pending = [at for at in times if at]
    return min(pending) if pending else 0.0


def look(stream: "Stream", now: float) -> None:
    """Some deadline of the connection has come; is it one of this stream's?"""
    if stream.over:
        return
    if stream.route_deadline and now >= stream.route_deadline:
        stream.route_deadline = 0.0
        router.route_timeout(stream)
    elif stream.try_deadline and now >= stream.try_deadline:
        stream.try_deadline = 0.0
        router.try_timeout(stream)
    elif stream.try_idle_s and now >= stream.last_moved + stream.try_idle_s:
        stream.try_idle_s = 0.0
        router.try_timeout(stream, local_reply.TRY_IDLE)
    elif stream.idle_s and now >= stream.last_moved + stream.idle_s:
        stream.idle_s = 0.0
        stream.http.stats.downstream_rq_idle_timeout += 1
        stream.fail(local_reply.IDLE_TIMEOUT if stream.received_all else local_reply.UPLOAD_IDLE)
    elif stream.end_deadline and now >= stream.end_deadline:
        stream.end_deadline = 0.0
        stream.fail(local_reply.MAX_DURATION)
    elif stream.request_deadline and now >= stream.request_deadline:
        stream.request_deadline = 0.0
        stream.http.stats.downstream_rq_timeout += 1
        stream.fail(local_reply.REQUEST_LATE)
