"""Which controllers are there, and how do they start and stop together?"""

import asyncio
import random
from collections.abc import Callable
from functools import partial
from typing import Any

from mesh.api.core import Pod
from mesh.client.base import Client
from mesh.client.informer import Informer
from mesh.client.sharing import Sharing
from mesh.controllers.accounts import AccountsController
from mesh.controllers.attach import AttachController
from mesh.controllers.autoscaler import AutoscalerController
from mesh.controllers.cache import Caches
from mesh.controllers.claims import ClaimController
from mesh.controllers.daemonset import DaemonSetController
from mesh.controllers.deployment import DeploymentController
from mesh.controllers.disruption import DisruptionController
from mesh.controllers.endpoints import EndpointsController, EndpointSliceController
from mesh.controllers.ephemeral import EphemeralController
from mesh.controllers.events import Recorder
from mesh.controllers.garbage import GarbageCollector
from mesh.controllers.ingress import IngressController
from mesh.controllers.job import JobController
from mesh.controllers.load_balancers import LoadBalancerController
from mesh.controllers.mirroring import MirroringController
from mesh.controllers.namespaces import NamespaceController
from mesh.controllers.nodes import NodeController
from mesh.controllers.provisioner import Provisioner
from mesh.controllers.replicaset import ReplicaSetController
from mesh.controllers.runtime import Context, Controller
from mesh.controllers.scheduler import SchedulerController
from mesh.controllers.services import ServicesController
from mesh.controllers.services_advice import ServicesAdvice
from mesh.controllers.settings import Settings
from mesh.controllers.statefulset import StatefulSetController
from mesh.controllers.volumes import VolumeController
from mesh.runtime.clock import Clock
from mesh.runtime.tasks import Tasks

CONTROLLERS: tuple[type[Controller], ...] = (
    DeploymentController,
    ReplicaSetController,
    StatefulSetController,
    DaemonSetController,
    JobController,
    EphemeralController,
    ClaimController,
    Provisioner,
    VolumeController,
    AttachController,
    SchedulerController,
    EndpointSliceController,
    EndpointsController,
    MirroringController,
    ServicesController,
    ServicesAdvice,
    LoadBalancerController,
    IngressController,
    GarbageCollector,
    NamespaceController,
    NodeController,
    AccountsController,
    DisruptionController,
    AutoscalerController,
)


class Manager:
    """All controllers on one shared set of caches.

    make_informer: how a kind is watched; only tests hand in another.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        settings: Settings | None = None,
        rng: random.Random | None = None,
        make_informer: Callable[[type[Any]], Informer[Any]] | None = None,
    ) -> None:
        settings = settings or Settings()
        self.recorder = Recorder(client, clock, ttl_s=settings.event_ttl_s, most=settings.max_events)
        self.caches = Caches(make_informer or partial(_informer, client))
        context = Context(
            client=client,
            caches=self.caches,
            recorder=self.recorder,
            clock=clock,
            rng=rng or random.Random(),
            settings=settings,
        )
        self.controllers = tuple(make(context) for make in CONTROLLERS)
        self._tasks = Tasks("controllers")
        self._stopped = asyncio.Event()

    def start(self, tasks: Tasks) -> None:
        """Begin to work as soon as the caches are filled; ends with `close`, or with `tasks`."""
        for informer in self.caches.informers.values():
            informer.start(self._tasks)
        self._tasks.start(self._begin(), "begin")
        tasks.start(self._hold(), "controllers")

    async def _begin(self) -> None:
        await self.caches.synced()
        self.recorder.start(self._tasks)
        for controller in self.controllers:
            controller.start(self._tasks)

    async def _hold(self) -> None:
        try:
            await self._stopped.wait()
        finally:
            await self._tasks.close()

    async def synced(self) -> None:
        """Wait until the caches hold what the API holds."""
        await self.caches.synced()

    async def close(self) -> None:
        """Stop all controllers. What they wrote stays; safe to call twice, or without a start."""
        self._stopped.set()
        await self._tasks.close()


def _informer(client: Client, cls: type[Any]) -> Informer[Any]:
    return Informer(client, cls, transform=Sharing() if cls is Pod else None)
