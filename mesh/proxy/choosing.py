"""What of a request has a say in the choice of its endpoint?

Its hash, for clusters that place by hash, and its session cookie, which names one endpoint outright.
"""

from typing import TYPE_CHECKING

from mesh.balance.health import DEGRADED, HEALTHY
from mesh.proxy.record import remote_of
from mesh.routing.hash_policy import HashContext

if TYPE_CHECKING:
    from mesh.proxy.cluster import Cluster
    from mesh.proxy.host import Host
    from mesh.proxy.http1.lines import Field
    from mesh.proxy.stream import Stream


def by_session(stream: "Stream", cluster: "Cluster") -> "Host | None":
    """The endpoint of a request with a session: the one that its cookie names while that is usable, else any.

    Labels of a route's subset and panic play no part for the cookie's endpoint, as in Envoy.
    """
    session = stream.session
    assert session is not None
    if session.wanted is not None:
        host = cluster.host(session.wanted)
        if host is not None and host.health in (HEALTHY, DEGRADED):
            return host
        if session.spec.strict:
            return None
    return cluster.pick(stream)


def show_session(stream: "Stream", fields: "list[Field]") -> None:
    """Tell the client its endpoint, where the request had a session and went to another one than its cookie said."""
    session, host = stream.session, stream.host
    if session is not None and host is not None:
        cookie = session.set_cookie(host.key, stream.http.proxy.clock.wall())
        if cookie is not None:
            fields.append((b"set-cookie", cookie))


def hash_of(stream: "Stream") -> int | None:
    """The request's number for consistent hashing, worked out once; None: any endpoint."""
    if not stream.hashed:
        stream.hashed = True
        policies = stream.route.hash_policy
        if policies is not None:
            result = policies.value(stream, _context(stream))
            stream.hash_value = result.value
            stream.set_cookies = result.set_cookie
    return stream.hash_value


def hash_for_weights(stream: "Stream") -> int | None:
    """The same for the draw among weighted clusters, for which Envoy makes up no cookie."""
    policies = stream.route.hash_policy
    return None if policies is None else policies.value(stream, _context(stream), invent=False).value


def _context(stream: "Stream") -> HashContext:
    connection = stream.connection
    ends = f"{connection.peer[0]}:{connection.peer[1]}{connection.listener.address}:{connection.listener.port}"
    return HashContext(remote_ip=remote_ip(stream), connection=ends.encode())


def remote_ip(stream: "Stream") -> bytes:
    """The downstream remote address as text."""
    remote = remote_of(stream)
    return (remote[0] if remote is not None else stream.peer_ip).encode()
