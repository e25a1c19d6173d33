"""What is the gateway? Ingress at layer 7 and kube-proxy at layer 4, in the control process or in one of its own."""

import random
from collections.abc import Mapping
from typing import Any

from mesh.api.core import Node
from mesh.api.services import EndpointSlice, Service
from mesh.client.base import Client
from mesh.client.http import HttpClient
from mesh.client.informer import Informers
from mesh.discovery.report import Reporter
from mesh.discovery.source import ConfigSource, Subscription
from mesh.emulator.settings import Settings
from mesh.emulator.sidecars import TAG, LogLine
from mesh.emulator.worker import access_log, until_told
from mesh.metrics.registry import ProxyMetrics, Workload
from mesh.node.addresses import ADMIN_PORT, METRICS_PORT
from mesh.node.events import Recorder
from mesh.node.kubeproxy import KubeProxy
from mesh.node.ways import NodeFact, node_fact
from mesh.proxy.server import Identity, ProxyServer, Tables
from mesh.runtime.clock import Clock, SystemClock
from mesh.runtime.net import BindError
from mesh.runtime.tasks import Tasks

NAME = "istio-ingressgateway"
WORKLOAD = Workload(workload=NAME, namespace="istio-system", app=NAME, canonical_service=NAME, cluster="Kubernetes")


class GatewayWorker:
    """The gateway and kube-proxy of one mesh, in the caller's event loop."""

    def __init__(self, settings: Settings, client: Client, clock: Clock, log: LogLine | None = None) -> None:
        self.settings = settings
        self.tasks = Tasks("gateway")
        self.reporter = Reporter(client, clock)
        self.source = ConfigSource(client, Tables, reporter=self.reporter, certificates=True)
        people = settings.plan.people
        self.proxy = ProxyServer(
            identity=Identity(name=NAME, workload=WORKLOAD),
            metrics=ProxyMetrics(WORKLOAD, tag=TAG),
            rng=random.Random(),
            clock=clock,
            access_log=log,
            peers=self.source.peer,
            admin=(people, ADMIN_PORT),
            prometheus=(people, METRICS_PORT),
            describe=self._describe,
        )
        self._subscription: Subscription | None = None
        informers = Informers(client, self.tasks)
        nodes = informers.of(Node)

        def facts() -> list[NodeFact]:
            return [fact for node in nodes.list() if (fact := node_fact(node)) is not None]

        def node_changed(old: Node | None, new: Node | None) -> None:
            if old is None or new is None or node_fact(old) != node_fact(new):
                self.kube_proxy.refresh()

        self._recorder = Recorder(client, "", clock, component="kube-proxy")
        own = {(people, settings.api_port), (settings.plan.dns_service, settings.dns_port)}
        self.kube_proxy = KubeProxy(
            informers.of(Service),
            informers.of(EndpointSlice),
            facts,
            random.Random(),
            lambda address, port: (address, port) in own,
            self._recorder.tell,
        )
        nodes.on_change(node_changed)

    async def start(self) -> None:
        """Bind and take the first tables. Raises BindError."""
        await self.proxy.start()
        self.reporter.start(self.tasks)
        self._recorder.start(self.tasks)
        self.source.start(self.tasks)
        people, port, tls_port = self.settings.plan.people, self.settings.gateway_port, self.settings.gateway_tls_port
        self._subscription = await self.source.subscribe_gateway(people, port, self.proxy, tls_port)
        self.kube_proxy.start()

    def _describe(self) -> Mapping[str, Any]:
        """What the admin page /config_dump shows."""
        return self._subscription.describe() if self._subscription is not None else {}

    async def close(self) -> None:
        await self.proxy.drain(1.0)
        await self.kube_proxy.close()
        await self.proxy.close()
        await self.tasks.close()


async def run_gateway(settings: Settings) -> None:
    """A gateway process (`--separate-gateway`): say `ready`, run until told to stop or the control process is gone."""
    async with HttpClient(settings.api_url, "gateway") as client:
        worker = GatewayWorker(settings, client, SystemClock(), access_log(settings))
        try:
            await until_told(worker.start())
        except BindError as error:
            print(error, flush=True)
        finally:
            await worker.close()
