"""How does one container run, fail and come back?

A built-in application or a child process behind the same two verbs; failures wait their back-off and start again, as
restartPolicy says. Every change is told to the pod.
"""

import asyncio
import uuid
from collections.abc import Callable
from pathlib import Path

from mesh.api.core import Container, Pod
from mesh.node import environment, status
from mesh.node.apps.context import AppContext, BadSetting
from mesh.node.apps.http_echo import listen_port
from mesh.node.apps.serving import Listening
from mesh.node.backoff import Backoff
from mesh.node.images import Image
from mesh.node.process import Program
from mesh.node.volumes import Volumes
from mesh.runtime.clock import Clock, rfc3339
from mesh.runtime.net import BindError

Tell = Callable[[str, str, bool], None]


class RunningContainer:
    """One container of a pod.

    told: (reason, message, warning) events.  changed: called after every change of `facts`.
    """

    def __init__(
        self,
        pod: Pod,
        container: Container,
        image: Image,
        volumes: Volumes,
        log_dir: Path,
        clock: Clock,
        backoff: Backoff,
        told: Tell,
        changed: Callable[[], None],
    ) -> None:
        self.pod, self.container, self.image = pod, container, image
        self.facts = status.ContainerFacts(container)
        self._volumes, self._log_dir, self._clock, self._backoff = volumes, log_dir, clock, backoff
        self._tell, self._changed = told, changed
        self._work: Listening | Program | None = None
        self._again = asyncio.Event()
        self._exit_code = 0
        self._started_at = ""
        self.address = self.pod_ip = self.host_ip = self.proxy = ""

    async def run(self) -> None:
        """Start, and start again after each end, until cancelled or until the restart policy says it is enough."""
        while True:
            problem = await self._start()
            if problem is None:
                await self._again.wait()
                self._again.clear()
                code, reason = self._exit_code, "Completed" if self._exit_code == 0 else "Error"
                self.facts.last_state = self._ended(code, reason)
            policy = self.pod.spec.restart_policy or "Always"
            if problem is None and (policy == "Never" or (policy == "OnFailure" and self._exit_code == 0)):
                self._state(self._ended(self._exit_code, reason), ready=False)
                return
            delay_s = self._backoff.next_delay_s(self._clock.now())
            self._wait_state(problem, delay_s)
            await asyncio.sleep(delay_s)
            if problem is None or problem[0] == "CrashLoopBackOff":
                self.facts.restarts += 1

    def _wait_state(self, problem: tuple[str, str] | None, delay_s: float) -> None:
        if problem is not None:
            reason = "ImagePullBackOff" if problem[0] == "ErrImagePull" and self._backoff.failures > 1 else problem[0]
            self._state(status.waiting(reason, problem[1]), ready=False)
            return
        if delay_s <= 0:
            self._state(self.facts.last_state, ready=False)
            return
        text = f"back-off {delay_s:.0f}s restarting failed container={self.container.name} pod={self.pod.name}"
        self._tell(
            "BackOff", f"Back-off restarting failed container {self.container.name} in pod {self.pod.name}", True
        )
        self._state(status.waiting("CrashLoopBackOff", text), ready=False)

    async def _start(self) -> tuple[str, str] | None:
        """Bring the container up; None, or the waiting reason and message of what went wrong."""
        name = self.container.image
        if self.image.behaviour == "fail-pull":
            text = f'Failed to pull image "{name}": image not found'
            self._tell("Failed", text, True)
            return "ErrImagePull", text
        try:
            await self._launch()
        except BadSetting as error:
            self._tell("Failed", f"Error: {error}", True)
            return "CreateContainerConfigError", str(error)
        except BindError as error:
            self._tell("Failed", f"Error: {error}", True)
            return "CrashLoopBackOff", str(error)
        self.facts.image_id = self.image.image_id
        self.facts.container_id = f"loopmesh://{uuid.uuid4().hex}"
        self._started_at = rfc3339(self._clock.wall())
        self.facts.started = True
        self._state(status.running(self._started_at), ready=self.container.readiness_probe is None)
        if self.image.behaviour == "crash":
            self.ended(1)
        return None

    async def _launch(self) -> None:
        container, pod = self.container, self.pod
        env = environment.container_env(container, pod, self.pod_ip, self.host_ip)
        ports = tuple(port.container_port for port in container.ports or () if port.protocol == "TCP")
        directory = self._volumes.mount(pod, container)
        if self.image.factory is None:
            env = {**self._program_env(ports), **env}
            log_path = self._log_dir / f"{pod.namespace}_{pod.name}_{container.name}.log"
            command = [*self.image.command, *(container.args or ())]
            program = await Program.start(command, env, directory, log_path)
            self._work = program
            asyncio.get_running_loop().create_task(self._await_exit(program), name=f"exit/{pod.name}")
            return
        args = tuple(container.args or ())
        if self.image.reference.startswith("hashicorp/http-echo") and not ports:
            ports = (listen_port(args),)
        context = AppContext(
            pod_name=pod.name,
            pod_ip=self.pod_ip,
            node_name=pod.spec.node_name or "",
            namespace=pod.namespace,
            container_name=container.name,
            image=container.image,
            address=self.address,
            ports=ports,
            volume_dir=directory,
            labels=pod.metadata.label_map,
            args=args,
        )
        self._work = await Listening.open(self.image.factory(env, context), self.address, ports)

    def _program_env(self, ports: tuple[int, ...]) -> dict[str, str]:
        env = {
            "HOST": self.address,
            "PORT": str(ports[0]) if ports else "",
            "POD_IP": self.pod_ip,
            "POD_NAME": self.pod.name,
            "POD_NAMESPACE": self.pod.namespace,
            "NODE_NAME": self.pod.spec.node_name or "",
        }
        return env | ({"http_proxy": self.proxy, "HTTP_PROXY": self.proxy} if self.proxy else {})

    async def _await_exit(self, program: Program) -> None:
        code = await program.wait()
        if self._work is program:
            self.ended(code)

    def ended(self, code: int) -> None:
        """The container came to an end by itself."""
        self._exit_code = code
        self._again.set()

    async def restart(self, grace_s: float) -> None:
        """Stop it, as a failed liveness probe asks; `run` starts it again."""
        work, self._work = self._work, None
        await self._halt(work, grace_s)
        self.ended(137)

    async def stop(self, grace_s: float) -> None:
        """Stop for good."""
        work, self._work = self._work, None
        await self._halt(work, grace_s)

    @staticmethod
    async def _halt(work: Listening | Program | None, grace_s: float) -> None:
        if isinstance(work, Program):
            await work.stop(grace_s)
        elif work is not None:
            await work.close(grace_s)

    def set_ready(self, ready: bool) -> None:
        if self.facts.ready != ready and "running" in self.facts.state:
            self.facts.ready = ready
            self._changed()

    def _state(self, state: dict[str, object], ready: bool) -> None:
        never = self.image.behaviour == "never-ready"
        self.facts.state, self.facts.ready = state, ready and not never
        self._changed()

    def _ended(self, code: int, reason: str) -> dict[str, object]:
        now = rfc3339(self._clock.wall())
        return status.terminated(code, reason, self._started_at or now, now, self.facts.container_id)
