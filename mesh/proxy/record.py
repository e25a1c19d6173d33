"""What is written down about a finished request?

Builds the `Decision` that formatters and the access log read, and counts the request in Istio's and Envoy's figures.
Nothing here is done for a request that nobody logs, except one `observe` on a remembered cell.
"""

from time import monotonic
from typing import TYPE_CHECKING, Any

from mesh.metrics.registry import UNKNOWN, CalledService, RequestLabels, Workload
from mesh.routing.decision import Decision

if TYPE_CHECKING:
    from mesh.proxy.cluster import Cluster
    from mesh.proxy.downstream import DownstreamConnection
    from mesh.proxy.host import Host
    from mesh.proxy.stream import Stream

_PROTOCOLS = {1: b"HTTP/1.1", 0: b"HTTP/1.0"}


def decision_of(stream: "Stream") -> Decision:
    """The request's record as it stands now."""
    wall = stream.http.proxy.clock.wall()
    now = monotonic()
    decision = Decision(stream.started, wall - (now - stream.started))
    decision.request = stream
    decision.route = stream.route
    connection = stream.connection
    decision.peer = connection.peer
    decision.local = (connection.listener.address, connection.listener.port)
    decision.connection_id = connection.number
    decision.protocol = _PROTOCOLS.get(stream.head.minor, b"HTTP/1.1")
    decision.remote = remote_of(stream)
    if stream.cluster is not None:
        decision.cluster = stream.cluster.name
    if stream.host is not None:
        decision.endpoint = stream.host.key
    decision.attempts = stream.attempts
    decision.flags = stream.flags
    decision.details = stream.details
    decision.response_code = stream.status
    decision.bytes_received = stream.bytes_received
    decision.bytes_sent = stream.bytes_sent
    decision.upstream_failure = stream.upstream_failure
    if stream.received_all:
        decision.request_done_s = stream.request_done
    if stream.answer_started:
        decision.response_started_s = stream.answer_started
    if stream.upstream_local is not None:
        decision.upstream_local = stream.upstream_local
    if stream.over:
        decision.ended_s = now
    return decision


def remote_of(stream: "Stream") -> tuple[str, int] | None:
    """Who sent the request: a sidecar believes the last entry of x-forwarded-for."""
    trust = stream.http.trust
    if trust.use_remote_address and not trust.xff_num_trusted_hops:
        return None
    for name, value in stream.headers:
        if name == b"x-forwarded-for":
            last = value.rpartition(b",")[2].strip().decode("latin-1")
            return (last, 0) if last.count(".") == 3 and last.replace(".", "").isdigit() else None
    return None


def finished(stream: "Stream") -> None:
    """Count a request that is over and log it."""
    http = stream.http
    stats = http.stats
    took_ms = (monotonic() - stream.started) * 1000.0
    status = stream.status
    stats.downstream_rq_active -= 1
    stats.answered(status, took_ms)
    cluster = stream.cluster
    if cluster is not None and stream.host is not None:
        cluster.stats.answered(status, took_ms)
    _cell(stream, cluster, stream.host, status).observe(took_ms, stream.bytes_received, stream.bytes_sent)
    if http.logs:
        decision = decision_of(stream)
        if stream.path != stream.original_path and stream.original_path:
            stream.path = stream.original_path
        for log in http.logs:
            log(decision)


def _cell(stream: "Stream", cluster: "Cluster | None", host: "Host | None", status: int) -> Any:
    """The cell of this combination; remembered per endpoint (outbound) or per connection (inbound)."""
    http = stream.http
    inbound = http.inbound
    memory: dict[Any, Any] = stream.connection.metrics if inbound or host is None else host.metrics
    key = (status, stream.flags) if not inbound else (status, stream.flags, cluster)
    cell = memory.get(key)
    if cell is None:
        if len(memory) > 256:
            memory.clear()
        peer = source_of(stream.connection) if inbound else destination_of(host)
        cell = memory[key] = http.proxy.metrics.cell(
            RequestLabels(
                reporter="destination" if inbound else "source",
                peer=peer,
                service=service_of(cluster),
                response_code=status,
                response_flags=stream.flags.decode() or "-",
                security="none" if inbound else "unknown",
            )
        )
    return cell


def destination_of(host: "Host | None") -> Workload:
    """The workload behind an endpoint, from `name;namespace;canonical-name;canonical-revision;cluster`."""
    if host is None:
        return UNKNOWN
    metadata = host.spec.metadata
    text: str = metadata.get("istio", {}).get("workload", "")
    if not text:
        return UNKNOWN
    name, namespace, service, revision, cluster, *_ = [*text.split(";"), "", "", "", "", ""]
    ours = metadata.get("loopmesh", {})
    return Workload(
        workload=name or "unknown",
        namespace=namespace or "unknown",
        app=ours.get("app") or service or "unknown",
        version=ours.get("version") or revision or "unknown",
        canonical_service=service or "unknown",
        canonical_revision=revision or "latest",
        cluster=cluster or "unknown",
    )


def source_of(connection: "DownstreamConnection") -> Workload:
    """The workload that opened a connection, as far as the mesh knows its address."""
    find = connection.listener.proxy.peers
    found = find(connection.peer_ip) if find is not None else None
    return UNKNOWN if found is None else found


def service_of(cluster: "Cluster | None") -> CalledService:
    """The service that a cluster stands for."""
    if cluster is None:
        return CalledService()
    services = cluster.spec.metadata.get("istio", {}).get("services") or []
    if not services:
        return CalledService()
    first = services[0]
    return CalledService(
        host=first.get("host", "unknown"),
        name=first.get("name", "unknown"),
        namespace=first.get("namespace", "unknown"),
    )
