"""Does a cluster admit one more request, connection or retry?

What Envoy calls circuit breakers: plain limits on what is under way, per cluster and proxy. Pending means waiting for
a connection, so a limit of 0 pending requests refuses whatever needs a new connection. Every endpoint may have one
connection, whatever max_connections says.
"""

from __future__ import annotations

from mesh.routing.spec import ClusterSpec


def admits_request(spec: ClusterSpec, active: int) -> bool:
    """One more request, with `active` in flight."""
    return active < spec.max_requests


def admits_pending(spec: ClusterSpec, pending: int) -> bool:
    """One more request that waits for a connection."""
    return pending < spec.max_pending_requests


def admits_connection(spec: ClusterSpec, connections: int, to_endpoint: int) -> bool:
    """One more connection, with `connections` in the cluster, `to_endpoint` of them to the endpoint in question."""
    return connections < spec.max_connections or to_endpoint == 0


def admits_retry(spec: ClusterSpec, retries: int) -> bool:
    """One more retry, with `retries` of other requests under way (or waiting to be)."""
    return retries < spec.max_retries
