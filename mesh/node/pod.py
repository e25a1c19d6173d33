"""How does one pod live on its node, from its first address to its last answer?"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mesh.api.core import Container, Pod, PodSpec
from mesh.api.errors import ApiError, Conflict, NotFound
from mesh.client.base import Client
from mesh.node import lifecycle, probes, status
from mesh.node.addresses import OUTBOUND_PORT
from mesh.node.apps.context import BadSetting
from mesh.node.backoff import Backoff
from mesh.node.container import Place, RunningContainer
from mesh.node.events import Recorder
from mesh.node.images import ImageTable
from mesh.node.status_writer import StatusWriter
from mesh.node.volumes import Volumes
from mesh.runtime.clock import Clock, rfc3339
from mesh.runtime.net import BindError
from mesh.runtime.tasks import Tasks

log = logging.getLogger("mesh.node")
INJECT = "sidecar.istio.io/inject"
AGAIN_S = 0.5
SIDECAR_AGAIN_S, SIDECAR_AGAIN_CAP_S = 1.0, 30.0


class Sidecar(Protocol):
    """The proxy beside a pod, handed in by the emulator."""

    async def start(self) -> None:
        """Bind and have a configuration. Raises BindError."""
        ...

    async def drain(self, timeout_s: float) -> None:
        """Finish what is in flight, telling clients to come on another connection."""
        ...

    async def stop(self) -> None: ...


SidecarFactory = Callable[[Pod, str, str], Sidecar]
"""(pod, its address, the application's address) -> a sidecar that has not started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSettings:
    """What may be tuned about pods."""

    linger_s: float = 0.3
    """How long a pod that was told to go keeps serving as before, so that every proxy learns of it first."""

    drain_s: float = 5.0
    """How long its sidecar may then finish what is in flight before the application is told to stop: Istio's 5 s."""

    backoff_base_s: float = 10.0
    backoff_cap_s: float = 300.0
    """Between two starts of a container that fails: the kubelet's 10 s doubling to 5 minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What a pod needs of its node."""

    client: Client
    clock: Clock
    tasks: Tasks
    recorder: Recorder
    statuses: StatusWriter
    images: ImageTable
    volumes: Volumes
    sidecars: SidecarFactory | None
    log_dir: Path
    node_ip: str
    settings: PodSettings


def meshed(pod: Pod) -> bool:
    """Whether a sidecar stands beside the pod: unless its label or annotation says `false`."""
    written = pod.metadata.annotation_map.get(INJECT) or pod.metadata.label_map.get(INJECT) or "true"
    return written.lower() != "false"


class PodWorker:
    """One pod. `start` once, `terminate` when it is marked, `kill` when there is nothing left to be polite to."""

    def __init__(self, pod: Pod, host: Host, pod_ip: str, app_ip: str, gone: Callable[["PodWorker"], None]) -> None:
        self.pod, self.host, self.pod_ip, self.app_ip = pod, host, pod_ip, app_ip
        self.terminating = False
        self.containers: list[RunningContainer] = []
        self._gone = gone
        self._tasks = Tasks(f"pod-{pod.name}")
        self._started_at = pod.status.start_time or rfc3339(host.clock.wall())
        self._facts = status.known_facts(pod)
        self._conditions = {c.type: (c.status, c.last_transition_time or "") for c in pod.status.conditions or ()}
        self._was_ready: bool | None = None
        self._sidecar: Sidecar | None = None
        self._serving = False
        self._shorter = asyncio.Event()
        self._kill_at = float("inf")
        self._killing: asyncio.Future[None] | None = None

    # Coming.

    def start(self) -> None:
        images = {c.name: self.host.images.find(c.image) for c in self.pod.spec.containers}
        self.containers = [self._running(container) for container in self.pod.spec.containers]
        built_in = frozenset(name for name, image in images.items() if not image.command)
        for line in lifecycle.not_executed(self.pod, built_in):
            self.host.recorder.tell(self.pod, "NotExecuted", line, True)
        for container in self.pod.spec.containers:
            for line in probes.refused(container):
                self.host.recorder.tell(self.pod, "NotExecuted", line, True, container.name)
        self._changed()
        self._tasks.start(self._run(), "run")

    def _running(self, container: Container) -> RunningContainer:
        host, pod = self.host, self.pod
        place = Place(
            address=self.app_ip,
            pod_ip=self.pod_ip,
            host_ip=host.node_ip,
            proxy=f"http://{self.pod_ip}:{OUTBOUND_PORT}" if self._has_sidecar else "",
            log_dir=host.log_dir,
            volumes=host.volumes,
            clock=host.clock,
            client=host.client,
        )

        def tell(reason: str, message: str, warning: bool) -> None:
            host.recorder.tell(pod, reason, message, warning, container.name)

        backoff = Backoff(host.settings.backoff_base_s, host.settings.backoff_cap_s)
        image = host.images.find(container.image)
        running = RunningContainer(pod, container, image, place, backoff, tell, self._changed)
        running.facts.comes_back(self._facts.get(container.name))
        return running

    @property
    def _has_sidecar(self) -> bool:
        return self.host.sidecars is not None and meshed(self.pod)

    async def _run(self) -> None:
        if self.host.sidecars is not None and self._has_sidecar:
            self._sidecar = self.host.sidecars(self.pod, self.pod_ip, self.app_ip)
            await self._start_sidecar(self._sidecar)
        await asyncio.gather(*(running.run() for running in self.containers))
        # Every container has ended for good: nobody needs the sidecar any more.
        if self._sidecar is not None and not self.terminating:
            await self._quietly(self._sidecar.stop())

    async def _start_sidecar(self, sidecar: Sidecar) -> None:
        """A sidecar whose ports are taken is tried again; the pod waits for it and says why."""
        pause_s = SIDECAR_AGAIN_S
        while True:
            try:
                await sidecar.start()
                self._serving = True
                return
            except BindError as error:
                problem = str(error)
            except Exception as error:
                # The sidecar is handed in: whatever it fails with, the pod says so instead of waiting in silence.
                log.exception("sidecar does not start pod=%s", self.pod.name)
                problem = f"sidecar: {error!r}"
            self.host.recorder.tell(self.pod, "FailedSidecar", problem, True)
            for running in self.containers:
                running.facts.state = status.waiting("CreateContainerError", problem)
            self._changed()
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, SIDECAR_AGAIN_CAP_S)

    def change(self, spec: PodSpec) -> None:
        """The spec was changed: of what may change on a pod, only its images concern the node."""
        self.pod.spec = spec
        by_name = {running.container.name: running for running in self.containers}
        for container in spec.containers:
            running = by_name.get(container.name)
            if running is not None and container.image != running.container.image and not self.terminating:
                running.change_image(container, self.host.images.find(container.image))

    # Telling.

    def _changed(self) -> None:
        facts = [running.facts for running in self.containers]
        ready = status.is_ready(facts, self.terminating)
        settled = any(fact.troubled for fact in facts)
        self.host.statuses.mark(self, lifecycle.pace(self._was_ready, ready, settled))

    def status(self) -> dict[str, Any]:
        """The pod's whole status as it is now."""
        now = rfc3339(self.host.clock.wall())
        facts = [running.facts for running in self.containers]
        self._was_ready = status.is_ready(facts, self.terminating)
        conditions = status.conditions(self.pod, facts, self._conditions, now, self.terminating)
        self._conditions = {c["type"]: (c["status"], c["lastTransitionTime"]) for c in conditions}
        return {
            "phase": status.phase_of(facts, self.pod.spec.restart_policy or "Always"),
            "conditions": conditions,
            "hostIP": self.host.node_ip,
            "podIP": self.pod_ip,
            "podIPs": [{"ip": self.pod_ip}],
            "startTime": self._started_at,
            "qosClass": self.pod.status.qos_class or "BestEffort",
            "containerStatuses": [fact.to_json() for fact in facts],
        }

    def written(self, pod: Pod) -> None:
        log.debug("status written pod=%s version=%s", pod.name, pod.metadata.resource_version)

    # Going.

    def terminate(self, marked: Pod) -> None:
        """The pod was asked to go: leave politely within its grace period, which may only become shorter."""
        self.pod.metadata = marked.metadata
        kill_at = self.host.clock.now() + lifecycle.grace_s(marked)
        if self.terminating:
            if kill_at < self._kill_at - 0.5:
                self._kill_at = kill_at
                self._shorter.set()
            return
        self.terminating, self._kill_at = True, kill_at
        for running in self.containers:
            running.leave()
            self.host.recorder.tell(
                self.pod, "Killing", f"Stopping container {running.container.name}", False, running.container.name
            )
        self._changed()
        self.host.tasks.start(self._leave(), f"leave-{self.pod.name}")

    async def _leave(self) -> None:
        """Leave in order, or earlier when the grace period is shortened; then end what is left, and say so."""
        leaving = asyncio.ensure_future(self._in_order())
        try:
            while not leaving.done() and self.host.clock.now() < self._kill_at:
                self._shorter.clear()
                shorter = asyncio.ensure_future(self._shorter.wait())
                left_s = max(0.0, self._kill_at - self.host.clock.now())
                await asyncio.wait([leaving, shorter], timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
                shorter.cancel()
        finally:
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
        await self.kill()
        await self.confirm(self.host.client, self.pod)

    async def _in_order(self) -> None:
        now, settings = self.host.clock.now, self.host.settings
        plan = lifecycle.departure(now(), self._kill_at - now(), settings.linger_s, settings.drain_s)
        await asyncio.sleep(max(0.0, plan.serve_until - now()))
        if self._sidecar is not None and self._serving:
            await self._quietly(self._sidecar.drain(max(0.0, plan.drain_until - now())))
        left_s = max(0.0, plan.kill_at - now())
        await asyncio.gather(*(self._quietly(running.stop(left_s)) for running in self.containers))

    @staticmethod
    async def confirm(client: Client, pod: Pod) -> None:
        """Remove the object of a pod that has stopped; the API may be away for a while."""
        while True:
            try:
                await client.delete(Pod, pod.name, pod.namespace, grace_period_s=0, uid=pod.metadata.uid)
                return
            except (NotFound, Conflict):
                return
            except ApiError as error:
                log.info("removal not confirmed pod=%s error=%s", pod.name, error)
                await asyncio.sleep(AGAIN_S)

    async def kill(self) -> None:
        """End everything now and give the addresses back. Whoever calls again waits for the same end."""
        if self._killing is None:
            self._killing = asyncio.ensure_future(self._kill())
        await asyncio.shield(self._killing)

    async def _kill(self) -> None:
        await self._tasks.close()  # first, so that nothing starts again meanwhile
        await asyncio.gather(*(self._quietly(running.stop(0.0)) for running in self.containers))
        if self._sidecar is not None:
            await self._quietly(self._sidecar.stop())
        self.host.statuses.forget(self)
        self.host.volumes.forget(self.pod)
        self._gone(self)

    async def _quietly(self, work: Awaitable[None]) -> None:
        """One part that fails to stop must not keep the others."""
        try:
            await work
        except (OSError, BadSetting) as error:
            log.warning("part did not stop cleanly pod=%s error=%r", self.pod.name, error)
