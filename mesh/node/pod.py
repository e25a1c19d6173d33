"""How does one pod live on its node, from its first address to its last answer?"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from mesh.api.core import Container, Pod, PodSpec
from mesh.node import departure, flagged, lifecycle, order, status
from mesh.node.addresses import OUTBOUND_PORT
from mesh.node.backoff import Backoff
from mesh.node.container import RunningContainer
from mesh.node.departure import Leaving, quietly
from mesh.node.host import Host, Sidecar, meshed
from mesh.node.launch import Place
from mesh.runtime.clock import rfc3339
from mesh.runtime.net import BindError
from mesh.runtime.tasks import Tasks

log = logging.getLogger("mesh.node")
ENDING_S = 1.0
SIDECAR_AGAIN_S, SIDECAR_AGAIN_CAP_S = 1.0, 30.0


class PodWorker:
    """One pod. `start` once, `terminate` when it is marked, `kill` when there is nothing left to be polite to."""

    init: tuple[RunningContainer, ...] = ()
    verdict: tuple[str, str] | None = None
    """(reason, message) once the node has ended the pod for good."""
    _failing = False
    _deadline: asyncio.TimerHandle | None = None

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
        spec = self.pod.spec
        self.containers = [self._running(container) for container in spec.containers]
        if spec.init_containers:
            self.init = tuple(self._running(container, init=True) for container in spec.init_containers)
            for running in (*self.init, *self.containers):
                running.facts.state = status.waiting(status.INITIALIZING)
        for line, container in flagged.not_executed(self.pod, {r.container.name: r.image for r in self.all}):
            self.host.recorder.tell(self.pod, "NotExecuted", line, True, container)
        self._changed()
        self._watch_deadline()
        self._running_all = self._tasks.start(self._run(), "run")

    def _watch_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        left_s = lifecycle.deadline_s(self.pod, self._started_at, self.host.clock.wall())
        if left_s is not None:
            ended = partial(self.fail, *lifecycle.TOO_LONG, lifecycle.grace_s(self.pod), warning=False)
            self._deadline = asyncio.get_running_loop().call_later(left_s, ended)

    @property
    def all(self) -> list[RunningContainer]:
        """Its containers, those that run before the others first."""
        return [*self.init, *self.containers]

    def _running(self, container: Container, init: bool = False) -> RunningContainer:
        host, pod = self.host, self.pod
        place = Place(
            address=self.app_ip,
            pod_ip=self.pod_ip,
            host_ip=host.node_ip,
            proxy=f"http://{self.pod_ip}:{OUTBOUND_PORT}" if self._has_sidecar else "",
            dns=host.dns,
            nameserver=host.nameserver,
            log_dir=host.log_dir,
            volumes=host.volumes,
            images=host.images,
            clock=host.clock,
            client=host.client,
        )

        def tell(reason: str, message: str, warning: bool) -> None:
            host.recorder.tell(pod, reason, message, warning, container.name)

        backoff = Backoff(host.settings.backoff_base_s, host.settings.backoff_cap_s)
        image, policy = host.images.find(container.image), order.policy_of(pod, container, init)
        running = RunningContainer(pod, container, image, place, backoff, tell, self._changed, policy)
        running.facts.comes_back(self._facts.get(container.name))
        return running

    @property
    def _has_sidecar(self) -> bool:
        return self.host.sidecars is not None and meshed(self.pod)

    async def _run(self) -> None:
        await self.host.mounter.mount(self)
        if self.host.sidecars is not None and self._has_sidecar:
            self._sidecar = self.host.sidecars(self.pod, self.pod_ip, self.app_ip)
            await self._start_sidecar(self._sidecar)
        await order.run(self.init, self.containers, self._tasks)
        # Every container has ended for good: nobody needs those beside them any more.
        if not self.terminating and not self._failing:
            await quietly(self.pod, order.stop((), self.init, lifecycle.grace_s(self.pod)))
            if self._sidecar is not None:
                await quietly(self.pod, self._sidecar.stop())
            await self.host.mounter.release(self.pod)

    async def _start_sidecar(self, sidecar: Sidecar) -> None:
        """A sidecar whose ports are taken is tried again; the pod waits for it and says why."""
        pause_s = SIDECAR_AGAIN_S
        while True:
            try:
                await sidecar.start()
                self._serving = True
                for running in self.all:
                    running.facts.state = status.waiting(status.INITIALIZING if self.init else status.CREATING)
                return
            except BindError as error:
                problem = str(error)
            except Exception as error:
                # The sidecar is handed in: whatever it fails with, the pod says so instead of waiting in silence.
                log.exception("sidecar does not start pod=%s", self.pod.name)
                problem = f"sidecar: {error!r}"
            self.host.recorder.tell(self.pod, "FailedSidecar", problem, True)
            for running in self.all:
                running.facts.state = status.waiting("CreateContainerError", problem)
            self._changed()
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, SIDECAR_AGAIN_CAP_S)

    def change(self, spec: PodSpec) -> None:
        """The spec was changed: of what may change on a pod, its images and its deadline concern the node."""
        self.pod.spec = spec
        self._watch_deadline()
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
        facts, init = [running.facts for running in self.containers], [running.facts for running in self.init]
        self._was_ready = status.is_ready(facts, self.terminating)
        phase = status.phase_of(facts, self.pod.spec.restart_policy or "Always", init) if not self.verdict else "Failed"
        conditions = status.conditions(phase, facts, self._conditions, now, self.terminating, init)
        self._conditions = {c["type"]: (c["status"], c["lastTransitionTime"]) for c in conditions}
        told = {
            "phase": phase,
            "conditions": conditions,
            "hostIP": self.host.node_ip,
            "podIP": self.pod_ip,
            "podIPs": [{"ip": self.pod_ip}],
            "startTime": self._started_at,
            "qosClass": self.pod.status.qos_class or "BestEffort",
            "containerStatuses": [fact.to_json() for fact in facts],
        }
        if init:
            told["initContainerStatuses"] = [fact.to_json() for fact in init]
        if self.verdict:
            told["reason"], told["message"] = self.verdict
        return told

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
        self._say_goodbye()
        self.host.tasks.start(self._leave(), f"leave-{self.pod.name}")

    def _say_goodbye(self) -> None:
        for running in self.all:
            if running in self.containers or "running" in running.facts.state:
                name = running.container.name
                self.host.recorder.tell(self.pod, "Killing", f"Stopping container {name}", False, name)
            running.leave()
        self._changed()

    def _leaving(self) -> Leaving:
        return Leaving(self.pod, self.containers, self.init, self._sidecar if self._serving else None)

    async def _leave(self) -> None:
        """Leave in order, or earlier when the grace period is shortened; then end what is left, and say so."""
        what = self._leaving()
        leaving = asyncio.ensure_future(what.in_order(self.host, self._kill_at))
        self._kill_at += lifecycle.LEAST_GRACE_S if what.hooked else 0.0
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
        await departure.confirm(self.host.client, self.pod)

    def fail(self, reason: str, message: str, grace_s: float, warning: bool) -> None:
        """End the pod for good; its object stays and says why."""
        if not self._failing and not self.terminating:
            self._failing = True
            self.host.recorder.tell(self.pod, reason, message, warning)
            self.host.tasks.start(self._fail(reason, message, grace_s), f"fail-{self.pod.name}")

    async def _fail(self, reason: str, message: str, grace_s: float) -> None:
        self._say_goodbye()
        await self._leaving().in_order(self.host, self.host.clock.now() + grace_s)
        await asyncio.wait({self._running_all}, timeout=ENDING_S)  # it notes how each container has ended
        await self._tasks.close()
        self.verdict = (reason, message)
        self._changed()
        if self._sidecar is not None and not self.terminating:
            await quietly(self.pod, self._sidecar.stop())
        await self.host.mounter.release(self.pod)

    async def kill(self) -> None:
        """End everything now and give the addresses back. Whoever calls again waits for the same end."""
        if self._killing is None:
            self._killing = asyncio.ensure_future(self._kill())
        await asyncio.shield(self._killing)

    async def _kill(self) -> None:
        await self._tasks.close()  # first, so that nothing starts again meanwhile
        await quietly(self.pod, order.stop(self.containers, self.init, 0.0))
        if self._sidecar is not None:
            await quietly(self.pod, self._sidecar.stop())
        if self._deadline is not None:
            self._deadline.cancel()
        if self.pod.spec.volumes:
            self.host.tasks.start(self.host.mounter.release(self.pod), f"release-{self.pod.name}")
        self.host.statuses.forget(self)
        self.host.volumes.forget(self.pod)
        self._gone(self)
