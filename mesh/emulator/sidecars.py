"""How is a proxy put beside a pod?

The node knows pods and discovery knows tables; here the two meet the proxy, which knows neither.
"""

import random
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from mesh.api.core import Pod
from mesh.discovery.slim import slim_pod
from mesh.discovery.source import ConfigSource, Subscription
from mesh.metrics.registry import ProxyMetrics
from mesh.node.addresses import ADMIN_PORT, METRICS_PORT
from mesh.proxy.server import Identity, ProxyServer
from mesh.runtime.clock import Clock

TAG = version("loopmesh")
LogLine = Callable[[bytes], None]


class Sidecar:
    """The proxy of one pod; implements what `node.pod.Sidecar` asks."""

    def __init__(
        self, pod: Pod, pod_ip: str, app_ip: str, source: ConfigSource, clock: Clock, log: LogLine | None,
        rng: random.Random,
    ) -> None:  # fmt: skip
        self._pod = slim_pod(pod)
        self._pod.status.pod_ip = pod_ip  # not yet written when the sidecar starts
        self._app_ip, self._source = app_ip, source
        workload = source.workload(self._pod)
        self._proxy = ProxyServer(
            identity=Identity(name=f"{pod.namespace}/{pod.name}", workload=workload, node=pod.spec.node_name or ""),
            metrics=ProxyMetrics(workload, tag=TAG),
            rng=rng,
            clock=clock,
            bind_source=pod_ip,
            access_log=log,
            peers=source.peer,
            admin=(pod_ip, ADMIN_PORT),
            prometheus=(pod_ip, METRICS_PORT),
            describe=self._describe,
        )
        self._subscription: Subscription | None = None

    def _describe(self) -> Mapping[str, Any]:
        """What the admin page /config_dump shows."""
        return self._subscription.describe() if self._subscription is not None else {}

    async def start(self) -> None:
        """Bind and take the first tables. Raises BindError; then nothing stays bound."""
        try:
            await self._proxy.start()
            self._subscription = await self._source.subscribe_sidecar(self._pod, self._app_ip, self._proxy)
        except OSError:
            await self._proxy.close()
            raise

    async def drain(self, timeout_s: float) -> None:
        await self._proxy.drain(timeout_s)

    async def stop(self) -> None:
        if self._subscription is not None:
            self._source.unsubscribe(self._subscription)
        await self._proxy.close()


class Sidecars:
    """Makes the sidecars of one node; `node.pod.SidecarFactory`."""

    def __init__(self, source: ConfigSource, clock: Clock, log: LogLine | None) -> None:
        self._source, self._clock, self._log = source, clock, log
        self._rng = random.Random()

    def __call__(self, pod: Pod, pod_ip: str, app_ip: str) -> Sidecar:
        return Sidecar(pod, pod_ip, app_ip, self._source, self._clock, self._log, self._rng)
