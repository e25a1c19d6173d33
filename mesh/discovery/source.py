"""How does a change in the API reach the proxies of this process?

Informers feed `Configuration`. The first change starts a short wait, so that a burst costs one refresh; then each
subscriber whose tables changed gets new ones. One task does all of it, so a proxy never sees tables out of order.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from mesh.api.config import Secret
from mesh.api.core import Pod
from mesh.api.destination import DestinationRule
from mesh.api.meta import Object
from mesh.api.services import EndpointSlice, Ingress, IngressClass, Service
from mesh.api.traffic import RouteRule
from mesh.client.base import Client
from mesh.client.informer import Informer
from mesh.discovery.advice import Advice
from mesh.discovery.configuration import Configuration
from mesh.discovery.dump import config_dump
from mesh.discovery.proxies import GatewayState, ProxyState, SidecarState
from mesh.discovery.report import Reporter
from mesh.discovery.slim import slim_pod
from mesh.discovery.tables import MakeTables, Subscriber
from mesh.metrics.registry import Workload
from mesh.routing.errors import Refused
from mesh.runtime.net import BindError
from mesh.runtime.tasks import Tasks
from mesh.translate.analysis import analyze
from mesh.translate.findings import NO_ADDRESS, Finding
from mesh.translate.hosts import DOMAIN
from mesh.translate.views import TLS_TYPE, PodView
from mesh.translate.ways_in import WayIn

log = logging.getLogger("mesh.discovery")
SETTLE_S = 0.005
"""How long a burst may go on before it is put in force. Long enough to merge one kubectl apply, short enough to
stay far below the 100 ms in which a rule must act."""
LONGEST_SETTLE_S = 0.04
"""In a storm (a thousand pods start) the wait is twice what the last refresh took, up to this: proxies come first."""
BIND_AGAIN_S = 5.0
"""When an address that could not be bound is tried again."""
ADVICE_PERIOD_S = 1.0
"""How often somebody looks whether a finding has stood long enough."""
TURN = 25
"""Subscribers served before other tasks of the process get their turn."""


@dataclass(slots=True, eq=False)
class Subscription:
    """One proxy that wants tables, and the tables that it took last."""

    name: str
    subscriber: Subscriber
    state: ProxyState
    applied: Any = None

    def describe(self) -> dict[str, Any]:
        """The configuration in force, as Envoy's /config_dump shows it."""
        return config_dump(self.state.resources())


class ConfigSource:
    """The one source of configuration in a process: start it, subscribe proxies, close its tasks at the end.

    make_tables: how the process's proxies want their tables.  reporter: tells people about objects that can not be
    executed; one process of a mesh has one.  certificates: whether some proxy here shows those that Secrets hold.
    """

    def __init__(
        self,
        client: Client,
        make_tables: MakeTables,
        *,
        reporter: Reporter | None = None,
        domain: str = DOMAIN,
        certificates: bool = False,
    ) -> None:
        self.configuration = Configuration(domain)
        self._make_tables = make_tables
        self._reporter = reporter
        self._judged: dict[str, Informer[Any]] = {
            kind.__name__: Informer(client, kind) for kind in (RouteRule, Ingress, DestinationRule)
        }
        """What findings are about, by kind."""
        self._informers: list[Informer[Any]] = [
            Informer(client, Service),
            Informer(client, EndpointSlice),
            # A pod without an address concerns no proxy: most of what is written of a pod that starts is not sent here.
            Informer(client, Pod, field_selector="status.podIP!=", transform=slim_pod),
            *self._judged.values(),
            Informer(client, IngressClass),
        ]
        if certificates:
            self._informers.append(Informer(client, Secret, field_selector=f"type={TLS_TYPE}"))
        self._subscriptions: dict[Subscription, None] = {}
        self._dirty = asyncio.Event()
        self._lock = asyncio.Lock()
        self._told: set[tuple[str, str]] = set()
        """What was said of Ingresses whose listeners have no address."""
        self._behind = False
        """Whether a new subscriber's refresh left the others with older tables."""
        self._workloads: dict[str, tuple[PodView, Workload]] = {}

    def start(self, tasks: Tasks) -> None:
        """Begin to follow the API; everything runs in `tasks`."""
        for informer in self._informers:
            informer.on_change(self._changed)
            informer.start(tasks)
        tasks.start(self._follow(), "discovery")
        if self._reporter is not None:
            tasks.start(self._advise(self._reporter), "advice")

    async def synced(self) -> None:
        """Wait until the first state of every kind has arrived."""
        for informer in self._informers:
            await informer.synced()

    async def subscribe_sidecar(self, pod: Pod, app_ip: str, subscriber: Subscriber) -> Subscription:
        """Configure the sidecar of a pod, now and on every change. Raises what the first `apply` raises."""
        state = SidecarState(self.configuration, self._make_tables, pod, app_ip)
        return await self._subscribe(Subscription(f"{pod.namespace}/{pod.name}", subscriber, state))

    async def subscribe_gateway(
        self, address: str, port: int, subscriber: Subscriber, https_port: int = 0
    ) -> Subscription:
        """Configure the gateway, now and on every change. Raises what the first `apply` raises."""
        state = GatewayState(self.configuration, self._make_tables, address, port, https_port)
        return await self._subscribe(Subscription("gateway", subscriber, state))

    def unsubscribe(self, subscription: Subscription) -> None:
        """Leave a proxy as it is from now on."""
        self._subscriptions.pop(subscription, None)

    def peer(self, address: str) -> Workload | None:
        """Who has this address: what metrics call the pod; None when it is no pod."""
        pod = self.configuration.snapshot.pods.get(address)
        if pod is None:
            return None
        known = self._workloads.get(address)
        if known is None or known[0] is not pod:
            known = self._workloads[address] = (pod, self.configuration.workload(pod))
        return known[1]

    def workload(self, pod: Pod) -> Workload:
        """What metrics call this pod."""
        return self.configuration.workload(self.configuration.pod(pod))

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            if old is not None:
                self.configuration.remove(old)
        else:
            problem = self.configuration.put(new)
            if problem is not None:
                log.warning("object not in force kind=%s object=%s/%s why=%s", type(new).__name__, *new.key, problem)
            if self._reporter is not None:
                if problem is None:
                    self._reporter.accepted(new)
                else:
                    self._reporter.refused(problem)
        self._dirty.set()

    async def _subscribe(self, subscription: Subscription) -> Subscription:
        await self.synced()
        async with self._lock:
            if self._refresh():
                self._behind = True
                self._dirty.set()
            await self._give(subscription)
            self._subscriptions[subscription] = None
        return subscription

    async def _follow(self) -> None:
        await self.synced()
        clock, took_s = asyncio.get_running_loop().time, 0.0
        while True:
            await self._dirty.wait()
            await asyncio.sleep(min(max(SETTLE_S, 2 * took_s), LONGEST_SETTLE_S))
            self._dirty.clear()
            started = clock()
            async with self._lock:
                if self._refresh() or self._behind:
                    self._behind = False
                    await self._distribute()
                    self.configuration.sweep()
            took_s = clock() - started

    async def _advise(self, reporter: Reporter) -> None:
        """Tell what looks wrong with rules and Ingresses, once it has stood for a while."""
        advice, seen = Advice(), None
        while True:
            await asyncio.sleep(ADVICE_PERIOD_S)
            snapshot = self.configuration.snapshot
            if snapshot is seen and not advice.waiting:
                continue
            seen = snapshot
            for finding in advice.due(analyze(snapshot), reporter.clock.now()):
                informer = self._judged.get(finding.kind)
                obj = informer.get(finding.name, finding.namespace) if informer is not None else None
                if obj is not None:
                    reporter.found(obj, finding)

    def _refresh(self) -> bool:
        """Put what arrived in force; False when nothing changed, or when it can not be executed as a whole."""
        try:
            return self.configuration.refresh()
        except Refused as refused:
            log.error("configuration refused, the old one stays error=%s", refused)
        except Exception:
            # A mistake of ours in one corner must not end the following of all later changes; the old tables stay.
            log.exception("configuration failed, the old one stays")
        return False

    async def _distribute(self) -> None:
        for place, subscription in enumerate(tuple(self._subscriptions)):
            if place % TURN == TURN - 1:
                await asyncio.sleep(0)
            if subscription not in self._subscriptions:
                continue
            try:
                await self._give(subscription)
            except (Refused, OSError) as error:
                log.error("proxy keeps its old tables proxy=%s error=%s", subscription.name, error)
            except Exception:
                # One proxy's mistake must not keep the others from their tables.
                log.exception("proxy keeps its old tables proxy=%s", subscription.name)

    async def _give(self, subscription: Subscription) -> None:
        tables = subscription.state.tables()
        while tables is not subscription.applied:
            try:
                await subscription.subscriber.apply(tables)
            except BindError as error:
                way = subscription.state.without(error.address, error.port)
                if way is None:
                    raise
                self._left_out(subscription, way, error)
                tables = subscription.state.tables()
            else:
                subscription.applied = tables

    def _left_out(self, subscription: Subscription, way: WayIn, error: BindError) -> None:
        """A listener that not everything depends on has no address: say so, and try again later."""
        log.warning("listener left out proxy=%s error=%s", subscription.name, error)
        for ingress in (each for each in way.ingresses if each.spec.tls or not way.certificates):
            obj = self._judged[Ingress.__name__].get(ingress.name, ingress.namespace)
            said = (ingress.key_text, str(error))
            if obj is not None and self._reporter is not None and said not in self._told:
                self._told.add(said)
                self._reporter.found(
                    obj, Finding("Ingress", ingress.namespace, ingress.name, "spec", *NO_ADDRESS, str(error))
                )
        asyncio.get_running_loop().call_later(BIND_AGAIN_S, self._bind_again, subscription)

    def _bind_again(self, subscription: Subscription) -> None:
        if subscription in self._subscriptions and subscription.state.retry():
            self._behind = True
            self._dirty.set()
