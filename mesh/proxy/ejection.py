"""When do endpoints that fail too often leave, and when do they come back?

`routing.outlier` counts and judges; here its verdicts change the balancer. A change reaches the balancer at once, or
a whole merge window later when the last one was less than that ago (as in Envoy). The tick runs only while an endpoint
is out or still remembered for having been out.
"""

import asyncio
from typing import TYPE_CHECKING

from mesh.routing import outlier
from mesh.routing.outcome import Outcome

if TYPE_CHECKING:
    from mesh.proxy.cluster import Cluster
    from mesh.proxy.host import Host


class Ejector:
    """Outlier detection of one cluster, as it runs."""

    __slots__ = ("_changed_at", "_pending", "_ticker", "out")

    def __init__(self) -> None:
        self.out = 0
        """Endpoints that are ejected now."""
        self._changed_at = -1e9
        self._pending: asyncio.TimerHandle | None = None
        self._ticker: asyncio.TimerHandle | None = None

    def judge(self, cluster: "Cluster", host: "Host", outcome: Outcome) -> None:
        """Count one outcome; eject the endpoint when that is the verdict."""
        spec, monitor = cluster.spec.outlier, host.monitor
        if spec is None or monitor is None:
            return
        loop = asyncio.get_running_loop()
        verdict = outlier.record(spec, monitor, outcome, loop.time(), self.out, len(cluster.hosts), cluster.rng)
        if verdict is None:
            return
        stats = cluster.stats
        if verdict.overflow:
            stats.outlier_detection_ejections_overflow += 1
        if not verdict.ejected:
            return
        self.out += 1
        stats.outlier_detection_ejections_active += 1
        stats.outlier_detection_ejections_enforced_total += 1
        if verdict.cause == outlier.CONSECUTIVE_5XX:
            stats.outlier_detection_ejections_enforced_consecutive_5xx += 1
        host.close_idle()
        self._change(cluster)
        if self._ticker is None:
            # Envoy's ticks know nothing of the ejection: on average the first one comes half an interval later.
            self._ticker = loop.call_later(spec.interval_s / 2, self._tick, cluster)

    def recount(self, cluster: "Cluster") -> None:
        """The set of endpoints has changed."""
        self.out = sum(host.monitor is not None and host.monitor.ejected_s is not None for host in cluster.hosts)
        cluster.stats.outlier_detection_ejections_active = self.out

    def close(self) -> None:
        for timer in (self._pending, self._ticker):
            if timer is not None:
                timer.cancel()
        self._pending = self._ticker = None

    def _tick(self, cluster: "Cluster") -> None:
        self._ticker = None
        spec = cluster.spec.outlier
        if spec is None:
            return
        loop = asyncio.get_running_loop()
        monitors = [host.monitor for host in cluster.hosts if host.monitor is not None]
        back = outlier.tick(spec, monitors, loop.time())
        if back:
            self.recount(cluster)
            self._change(cluster)
        if any(monitor.ejected_s is not None or monitor.times for monitor in monitors):
            self._ticker = loop.call_later(spec.interval_s, self._tick, cluster)

    def _change(self, cluster: "Cluster") -> None:
        """The health of an endpoint has changed."""
        loop = asyncio.get_running_loop()
        window_s = cluster.spec.lb.update_merge_window_s
        now = loop.time()
        if now - self._changed_at >= window_s:
            self._changed_at = now
            cluster.rebalance()
        elif self._pending is None:
            self._pending = loop.call_later(window_s, self._late, cluster)

    def _late(self, cluster: "Cluster") -> None:
        self._pending = None
        self._changed_at = asyncio.get_running_loop().time()
        cluster.rebalance()
