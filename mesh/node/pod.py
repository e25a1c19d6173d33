"""How does one pod live on its node, from its first address to its last answer?"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mesh.api.core import Container, Pod, Probe
from mesh.api.errors import ApiError, Conflict, NotFound
from mesh.client.base import Client
from mesh.node import probes
from mesh.node.addresses import OUTBOUND_PORT
from mesh.node.apps.context import BadSetting
from mesh.node.backoff import Backoff
from mesh.node.container import RunningContainer
from mesh.node.events import Recorder
from mesh.node.images import ImageTable
from mesh.node.status import pod_status, waiting
from mesh.node.volumes import Volumes
from mesh.runtime.clock import Clock, rfc3339
from mesh.runtime.net import BindError
from mesh.runtime.tasks import Tasks

log = logging.getLogger("mesh.node")
INJECT = "sidecar.istio.io/inject"
DEFAULT_GRACE_S = 30


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
    """What may be tuned about pods. linger_s: how long a pod that was told to go keeps serving as before, so that
    every proxy learns of it first."""

    linger_s: float = 0.3
    backoff_base_s: float = 10.0
    backoff_cap_s: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What a pod needs of its node."""

    client: Client
    clock: Clock
    tasks: Tasks
    recorder: Recorder
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
    """One pod. `start` once, `terminate` at most once, `kill` when there is nothing left to be polite to."""

    def __init__(self, pod: Pod, host: Host, pod_ip: str, app_ip: str, gone: Callable[["PodWorker"], None]) -> None:
        self.pod, self.host, self.pod_ip, self.app_ip = pod, host, pod_ip, app_ip
        self.terminating = False
        self._gone = gone
        self._tasks = Tasks(f"pod-{pod.name}")
        self._started_at = rfc3339(host.clock.wall())
        self._dirty = asyncio.Event()
        self._sidecar: Sidecar | None = None
        self._killed = False
        settings = host.settings
        self.containers = [
            RunningContainer(
                pod,
                container,
                host.images.find(container.image),
                host.volumes,
                host.log_dir,
                host.clock,
                Backoff(settings.backoff_base_s, settings.backoff_cap_s),
                self._teller(container.name),
                self._dirty.set,
            )
            for container in pod.spec.containers
        ]

    def _teller(self, container: str) -> Callable[[str, str, bool], None]:
        def tell(reason: str, message: str, warning: bool) -> None:
            self.host.recorder.tell(self.pod, reason, message, warning, container)

        return tell

    def start(self) -> None:
        self._dirty.set()
        self._tasks.start(self._write_status(), "status")
        self._tasks.start(self._run(), "run")

    async def _run(self) -> None:
        pod, host = self.pod, self.host
        if pod.spec.init_containers:
            host.recorder.tell(pod, "NotExecuted", "spec.initContainers: init containers are not executed here", True)
        if meshed(pod) and host.sidecars is not None:
            self._sidecar = host.sidecars(pod, self.pod_ip, self.app_ip)
            await self._start_sidecar(self._sidecar)
        for running in self.containers:
            running.address, running.pod_ip, running.host_ip = self.app_ip, self.pod_ip, host.node_ip
            running.proxy = f"http://{self.pod_ip}:{OUTBOUND_PORT}" if self._sidecar is not None else ""
            self._announce(running)
            self._tasks.start(running.run(), f"container-{running.container.name}")
            self._start_probes(running)

    async def _start_sidecar(self, sidecar: Sidecar) -> None:
        """A sidecar whose ports are taken is tried again; the pod waits for it and says why."""
        pause_s = 1.0
        while True:
            try:
                await sidecar.start()
                return
            except BindError as error:
                self.host.recorder.tell(self.pod, "FailedSidecar", str(error), True)
                for running in self.containers:
                    running.facts.state = waiting("CreateContainerError", str(error))
                self._dirty.set()
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, 30.0)

    def _announce(self, running: RunningContainer) -> None:
        image, container = running.image, running.container
        if image.behaviour == "fail-pull":
            return
        text = f'Container image "{container.image}" already present on machine'
        if not image.known:
            text = f'Image "{container.image}" is not known here: the demo application stands in for it'
        running._tell("Pulled", text, False)
        running._tell("Created", f"Created container: {container.name}", False)
        running._tell("Started", f"Started container {container.name}", False)

    def _start_probes(self, running: RunningContainer) -> None:
        container = running.container
        roles: list[tuple[str, Probe | None, bool, Callable[[bool, str], None]]] = [
            ("readiness", container.readiness_probe, False, self._on_readiness(running)),
            ("liveness", container.liveness_probe, True, self._on_liveness(running)),
            ("startup", container.startup_probe, True, self._on_liveness(running)),
        ]
        for role, probe, first, changed in roles:
            if probe is None:
                continue
            if why := probes.unsupported(probe):
                running._tell("Unhealthy", f"{role.capitalize()} probe ignored: {why}", True)
                if role == "readiness":
                    container.readiness_probe = None  # an ignored probe cannot hold a pod back
                continue
            verdict = probes.Verdict(
                max(probe.success_threshold, 1), max(probe.failure_threshold, 1), first, forgives=first
            )
            watch = probes.watch(probe, container, self.app_ip, verdict, changed, until_success=role == "startup")
            self._tasks.start(watch, f"{role}-{container.name}")

    def _on_readiness(self, running: RunningContainer) -> Callable[[bool, str], None]:
        def changed(ready: bool, problem: str) -> None:
            if not ready:
                running._tell("Unhealthy", f"Readiness probe failed: {problem}", True)
            running.set_ready(ready)

        return changed

    def _on_liveness(self, running: RunningContainer) -> Callable[[bool, str], None]:
        def changed(alive: bool, problem: str) -> None:
            if alive:
                return
            name = running.container.name
            running._tell("Unhealthy", f"Liveness probe failed: {problem}", True)
            running._tell("Killing", f"Container {name} failed liveness probe, will be restarted", False)
            self._tasks.start(running.restart(self.grace_s(self.pod)), f"restart-{name}")

        return changed

    async def _write_status(self) -> None:
        """Write the status after each change; changes that come together are one write."""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            status = pod_status(
                self.pod,
                [running.facts for running in self.containers],
                pod_ip=self.pod_ip,
                host_ip=self.host.node_ip,
                started_at=self._started_at,
                now=rfc3339(self.host.clock.wall()),
                terminating=self.terminating,
            )
            patch = {"metadata": {"uid": self.pod.metadata.uid}, "status": status}
            try:
                written = await self.host.client.patch(Pod, self.pod.name, patch, self.pod.namespace, "status")
                self.pod.status = written.status
            except (NotFound, Conflict):
                pass  # deleted, or another pod has the name by now; the watch will say
            except ApiError as error:
                log.info("status not written pod=%s error=%s", self.pod.name, error)
                await asyncio.sleep(0.5)
                self._dirty.set()

    @staticmethod
    def grace_s(pod: Pod) -> float:
        grace = pod.metadata.deletion_grace_period_seconds
        if grace is None:
            grace = pod.spec.termination_grace_period_seconds
        return float(DEFAULT_GRACE_S if grace is None else grace)

    def terminate(self, marked: Pod) -> None:
        """The pod was asked to go: leave politely within its grace period."""
        if self.terminating:
            return
        self.terminating = True
        self.pod.metadata = marked.metadata
        self.host.tasks.start(self._leave(self.grace_s(marked)), f"leave-{self.pod.name}")

    async def _leave(self, grace_s: float) -> None:
        """Readiness off, serve on for a moment, drain the sidecar, stop the containers, confirm the removal."""
        for running in self.containers:
            running._tell("Killing", f"Stopping container {running.container.name}", False)
        self._dirty.set()
        deadline = self.host.clock.now() + grace_s

        def left_s(most: float = 1e9) -> float:
            return max(0.0, min(most, deadline - self.host.clock.now()))

        await asyncio.sleep(left_s(self.host.settings.linger_s))
        if self._sidecar is not None:
            await self._quietly(self._sidecar.drain(left_s()))
        await asyncio.gather(*(self._quietly(running.stop(left_s())) for running in self.containers))
        await self.kill()
        await self._confirm()

    async def _confirm(self) -> None:
        """Remove the object; the API may be away for a while."""
        while True:
            try:
                await self.host.client.delete(
                    Pod, self.pod.name, self.pod.namespace, grace_period_s=0, uid=self.pod.metadata.uid
                )
                return
            except (NotFound, Conflict):
                return
            except ApiError as error:
                log.info("removal not confirmed pod=%s error=%s", self.pod.name, error)
                await asyncio.sleep(0.5)

    async def kill(self) -> None:
        """End everything now and give the addresses back. Safe to call twice."""
        if self._killed:
            return
        self._killed = True
        await self._tasks.close()
        await asyncio.gather(*(self._quietly(running.stop(0.0)) for running in self.containers))
        if self._sidecar is not None:
            await self._quietly(self._sidecar.stop())
        self.host.volumes.forget(self.pod)
        self._gone(self)

    async def _quietly(self, work: Awaitable[None]) -> None:
        """One part that fails to stop must not keep the others."""
        try:
            await work
        except (OSError, BadSetting) as error:
            log.warning("part did not stop cleanly pod=%s error=%r", self.pod.name, error)


def main_container(pod: Pod) -> Container | None:
    """The first container, which names the pod's log."""
    return pod.spec.containers[0] if pod.spec.containers else None
