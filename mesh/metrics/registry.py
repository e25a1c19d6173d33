"""How is a finished request counted, at a cost that a data plane can pay?

One `ProxyMetrics` belongs to one proxy and is empty until something happens. The proxy asks once for the cell of
a combination of labels, keeps it beside its route or endpoint, and afterwards a request costs one `observe`:
three bisects and a few integer additions. Text is made only when somebody scrapes (`exposition`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Literal, NamedTuple

from mesh.metrics.names import BOUNDARIES, ISTIO_SPELLING, Spelling
from mesh.metrics.scopes import ClusterStats, HttpStats, ListenerStats

Reporter = Literal["source", "destination"]


class Workload(NamedTuple):
    """One side of a request, as its labels tell it; `unknown` where nothing is known."""

    workload: str = "unknown"
    namespace: str = "unknown"
    principal: str = "unknown"
    app: str = "unknown"
    version: str = "unknown"
    canonical_service: str = "unknown"
    canonical_revision: str = "latest"
    cluster: str = "unknown"


UNKNOWN = Workload()


class CalledService(NamedTuple):
    """The service that was called."""

    host: str = "unknown"
    """Fully qualified, or the Host header where no service is known."""
    name: str = "unknown"
    namespace: str = "unknown"


class RequestLabels(NamedTuple):
    """What tells one cell from another. The proxy's own side is not in it: `ProxyMetrics` knows that."""

    reporter: Reporter
    peer: Workload
    """The other side: the destination when reporting as source, the source when reporting as destination."""
    service: CalledService
    response_code: int
    """0 when no answer was sent because the client left."""
    response_flags: str = "-"
    protocol: str = "http"
    grpc_status: str = ""
    security: str = "unknown"
    """`none` or `mutual_tls` at the destination, always `unknown` at the source."""


class TcpLabels(NamedTuple):
    reporter: Reporter
    peer: Workload
    service: CalledService
    response_flags: str = "-"
    security: str = "unknown"


class RequestCell:
    """Requests that share all their labels."""

    __slots__ = (
        "count",
        "duration_buckets",
        "duration_sum_ms",
        "request_buckets",
        "request_sum_bytes",
        "response_buckets",
        "response_sum_bytes",
    )

    def __init__(self) -> None:
        size = len(BOUNDARIES) + 1
        self.count = 0
        self.duration_sum_ms = 0.0
        self.request_sum_bytes = 0
        self.response_sum_bytes = 0
        self.duration_buckets = [0] * size
        self.request_buckets = [0] * size
        self.response_buckets = [0] * size

    def observe(self, duration_ms: float, request_bytes: int, response_bytes: int) -> None:
        """Count one request. Buckets hold their own observations; they are summed up when rendered."""
        self.count += 1
        self.duration_sum_ms += duration_ms
        self.request_sum_bytes += request_bytes
        self.response_sum_bytes += response_bytes
        self.duration_buckets[bisect_left(BOUNDARIES, duration_ms)] += 1
        self.request_buckets[bisect_left(BOUNDARIES, request_bytes)] += 1
        self.response_buckets[bisect_left(BOUNDARIES, response_bytes)] += 1


class TcpCell:
    """TCP connections that share all their labels; the proxy adds to the attributes."""

    __slots__ = ("closed", "opened", "received_bytes", "sent_bytes")

    def __init__(self) -> None:
        self.opened = 0
        self.closed = 0
        self.sent_bytes = 0
        self.received_bytes = 0


class ProxyMetrics:
    """Everything that one proxy counts. Many live in one process; an idle one is a few empty dicts."""

    __slots__ = (
        "clusters",
        "http_managers",
        "identity",
        "listeners",
        "live",
        "requests",
        "spelling",
        "tag",
        "tcp",
    )

    def __init__(
        self, identity: Workload = UNKNOWN, *, tag: str = "unknown", spelling: Spelling = ISTIO_SPELLING
    ) -> None:
        self.identity = identity
        self.tag = tag
        self.spelling = spelling
        self.live = True
        self.requests: dict[RequestLabels, RequestCell] = {}
        self.tcp: dict[TcpLabels, TcpCell] = {}
        self.clusters: dict[str, ClusterStats] = {}
        self.http_managers: dict[str, HttpStats] = {}
        self.listeners: dict[str, ListenerStats] = {}

    def cell(self, labels: RequestLabels) -> RequestCell:
        """The cell of these labels, made at the first call. Keep it: this costs more than `observe`."""
        found = self.requests.get(labels)
        if found is None:
            found = self.requests[labels] = RequestCell()
        return found

    def tcp_cell(self, labels: TcpLabels) -> TcpCell:
        found = self.tcp.get(labels)
        if found is None:
            found = self.tcp[labels] = TcpCell()
        return found

    def cluster(self, name: str) -> ClusterStats:
        found = self.clusters.get(name)
        if found is None:
            found = self.clusters[name] = ClusterStats()
        return found

    def http(self, prefix: str) -> HttpStats:
        found = self.http_managers.get(prefix)
        if found is None:
            found = self.http_managers[prefix] = HttpStats()
        return found

    def listener(self, address: str) -> ListenerStats:
        """address: `127.0.0.1_8080`, as Envoy spells it in statistics."""
        found = self.listeners.get(address)
        if found is None:
            found = self.listeners[address] = ListenerStats()
        return found

    def render(self, *, uptime_s: float = 0.0) -> bytes:
        """All series in the Prometheus text format, at once."""
        return b"".join(self.render_chunks(uptime_s=uptime_s))

    def render_chunks(self, *, uptime_s: float = 0.0) -> Iterator[bytes]:
        """The same in pieces of about a millisecond's work, for a server that lets others run in between."""
        # Imported when first scraped: an unscraped process never pays for the library.
        from mesh.metrics.exposition import chunks

        return chunks(self, uptime_s)

    def stats(self, *, uptime_s: float = 0.0) -> Iterator[tuple[str, int | float]]:
        """Envoy's own names and values (`cluster.NAME.upstream_rq_total`), as the admin page /stats lists them."""
        from mesh.metrics.exposition import stats

        return stats(self, uptime_s)
