"""How does one container run, end, and run again?

A built-in application or a child process behind the same verbs; `lifecycle.after` says what follows each end. Every
change is told to the pod, which writes it down.
"""

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mesh.api.core import Container, Pod
from mesh.api.errors import ApiError
from mesh.node import hooks, last_words, lifecycle, probes, service_links, sources, status
from mesh.node.apps.context import MALFORMED, BadSetting
from mesh.node.apps.redis import NoRedis
from mesh.node.apps.serving import Listening
from mesh.node.apps.shell import with_volumes
from mesh.node.backoff import Backoff
from mesh.node.image_store import PullFailed
from mesh.node.images import Image
from mesh.node.kubelet.journal import Journal
from mesh.node.launch import Place, Work, around, launch, runs_program
from mesh.node.prober import Prober
from mesh.node.process import CommandNotFound
from mesh.node.read_only import Guard
from mesh.runtime.clock import rfc3339

Tell = Callable[[str, str, bool], None]
"""(reason, message, warning) of an event."""


class RunningContainer:
    """One container of a pod. policy: its restart policy.  changed: called after every change of `facts`."""

    came_up: asyncio.Event | None = None
    """Set once it has started, where somebody waits for that."""
    links = service_links.NO_LINKS

    def __init__(
        self, pod: Pod, container: Container, image: Image, place: Place, backoff: Backoff, tell: Tell,
        changed: Callable[[], None], policy: str = "Always",
    ) -> None:  # fmt: skip
        self.pod, self.container, self.image, self.place, self.policy = pod, container, image, place, policy
        self.facts = status.ContainerFacts(container)
        self.sources = sources.NO_SOURCES
        self.journal = Journal(place.log_dir / f"{pod.namespace}_{pod.name}_{container.name}.log", place.clock)
        self._backoff, self._tell, self._changed = backoff, tell, changed
        self._work: Work | None = None
        self._probers: list[Prober] = []
        self._ending: asyncio.Task[None] | None = None
        self._leaving = False
        self._started_at = ""

    async def run(self) -> None:
        """Start, and start again after each end, until stopped or until the restart policy says it is enough."""
        container, pod, clock = self.container, self.pod, self.place.clock
        who = f"container={container.name} pod={pod.name}_{pod.namespace}({pod.metadata.uid})"
        while not self._is_leaving():
            outcome = await self._attempt()
            if self._is_leaving():
                if isinstance(outcome, lifecycle.Exited):
                    self._show(self._ended(outcome.code))
                return
            ran = isinstance(outcome, lifecycle.Exited)
            delay_s = self._backoff.next_delay_s(clock.now(), first_at_once=ran)
            move = lifecycle.after(outcome, self.policy, delay_s, self._backoff.failures, who)
            if isinstance(outcome, lifecycle.Exited):
                self.facts.last_state = self._ended(outcome.code)
            if isinstance(move, lifecycle.Finished):
                self._show(self.facts.last_state)
                self.facts.last_state = {}
                return
            self._show(status.waiting(move.reason, move.message) if move.reason else self.facts.last_state)
            if move.tell_backoff:
                text = f"Back-off restarting failed container {container.name} in pod {pod.name}"
                self._tell("BackOff", text, True)
            await asyncio.sleep(move.delay_s)
            self.facts.restarts += move.counts

    async def _attempt(self) -> lifecycle.Outcome:
        """Start, and wait for the end."""
        failed = await self._start()
        if failed is not None:
            return failed
        assert self._work is not None
        try:
            if await self._hook(hooks.POST_START, None):
                self._begin_probes()
            else:
                self._tell("Killing", f"Stopping container {self.container.name}: its postStart hook failed", False)
                await self._work.stop(lifecycle.grace_s(self.pod))
            code = await self._work.wait()
            self._stop_probers()
            await self._work.stop(0.0)  # what ended by itself may have left something behind
        finally:
            self.journal.end()
        self._work = None
        return lifecycle.Exited(code)

    async def _hook(self, name: str, limit_s: float | None) -> bool:
        """Carry out a hook, if there is one, within so long; False when it failed, which people are told."""
        wanted = hooks.action(self.container, name)
        program = runs_program(self.image)
        if wanted is None or hooks.not_executed(self.container, name, program):
            return True
        try:
            async with asyncio.timeout(limit_s):
                problem = await hooks.run(wanted, self.container, self.place.address, program, self._beside)
        except TimeoutError:
            problem = "it was not done within the grace period"
        if problem is not None:
            title = name[0].upper() + name[1:] + "Hook"
            self._tell(f"Failed{title}", f"{title} failed: {problem}", True)
        return problem is None

    def _beside(self, words: Sequence[str]) -> tuple[Sequence[str], Mapping[str, str], Path, Guard | None]:
        found = around(self.pod, self.container, self.image, self.place, self.sources, self.links)
        return with_volumes(words, found.context.volumes), found.env, found.context.volume_dir, found.guard

    async def _start(self) -> lifecycle.StartFailed | None:
        name = self.container.image
        try:
            pulled = await self.place.images.pull(name, self.container.image_pull_policy)
            self.image = image = pulled.image
            self.sources = await sources.fetch(self.place.client, self.pod.namespace, self.container)
            if runs_program(image):
                self.links = await service_links.fetch(self.place.client, self.pod)
            self._work = await launch(
                self.pod, self.container, image, self.place, self.sources, self.links, self.journal
            )
        except PullFailed as error:
            return self._failed(error.reason, str(error))
        except (CommandNotFound, NoRedis) as error:
            if isinstance(error, CommandNotFound) and image.runs_command:
                word = str(error).rpartition(": ")[2]
                return self._failed("RunContainerError", f'Error: exec: "{word}": executable file not found in $PATH')
            return self._failed("ErrImagePull", f'Failed to pull image "{name}": {error}')
        except (BadSetting, ApiError, *MALFORMED) as error:
            return self._failed("CreateContainerConfigError", f"Error: {error}")
        except OSError as error:  # a port in use, a volume that cannot be read
            return self._failed("RunContainerError", f"Error: {error}")
        if pulled.message.startswith("Successfully"):
            self._tell("Pulling", f'Pulling image "{name}"', False)
        self._tell("Pulled", pulled.message, False)
        self._tell("Created", f"Created container: {self.container.name}", False)
        self._tell("Started", f"Started container {self.container.name}", False)
        self.facts.image_id = pulled.image_id
        self.facts.container_id = f"loopmesh://{uuid.uuid4().hex}"
        self._started_at = rfc3339(self.place.clock.wall())
        if image.behaviour == "crash" and isinstance(self._work, Listening):
            self._work.crash(1)
        return None

    def _failed(self, reason: str, message: str) -> lifecycle.StartFailed:
        self._tell("Failed", message, True)
        self.journal.end()
        return lifecycle.StartFailed(reason, message)

    def skip(self) -> None:
        """Count as done without having run."""
        self._started_at = rfc3339(self.place.clock.wall())
        self._show(self._ended(0))

    # Probes: startup first; readiness and liveness once it has started.

    def _begin_probes(self) -> None:
        if self._ask("startup"):
            self._show(status.running(self._started_at), started=False)
        else:
            self._has_started()

    def _has_started(self) -> None:
        waits = self._ask("readiness") or self.image.behaviour == "never-ready"
        self._ask("liveness")
        self._show(status.running(self._started_at), started=True, ready=not waits)

    def _ask(self, role: probes.Role) -> bool:
        """Begin to ask, if there is such a probe."""
        program = runs_program(self.image)
        probe = probes.of_role(self.container, role, program)
        if probe is None or self._leaving:
            return False
        beside = self._beside if program else None
        prober = Prober(role, probe, self.container, self.place.address, self.place.clock, self._answered, beside)
        self._probers.append(prober)
        prober.start()
        return True

    def _answered(self, track: probes.Track, noted: probes.Noted, problem: str) -> None:
        if noted.counted:
            self._tell("Unhealthy", f"{track.title} probe failed: {problem}", True)
        if not noted.flipped:
            return
        if track.role == "readiness":
            ready = bool(track.value) and self.image.behaviour != "never-ready"
            self._show(self.facts.state, started=True, ready=ready)
        elif track.value is False:
            self._unhealthy(track)
        elif track.role == "startup":
            self._has_started()

    def _unhealthy(self, track: probes.Track) -> None:
        """A failed liveness or startup probe ends the container; `run` starts it again."""
        self._stop_probers()
        name, work = self.container.name, self._work
        self._tell("Killing", f"Container {name} failed {track.role} probe, will be restarted", False)
        if work is not None:
            probe = probes.of_role(self.container, track.role, program=True)
            own = probe.termination_grace_period_seconds if probe is not None else None
            grace_s = lifecycle.grace_s(self.pod) if own is None else float(own)
            self._show(self.facts.state, started=False)
            self._ending = asyncio.get_running_loop().create_task(self._end(work, grace_s), name=f"restart/{name}")

    def _stop_probers(self) -> None:
        for prober in self._probers:
            prober.stop()
        self._probers.clear()

    def change_image(self, container: Container, image: Image) -> None:
        """Run another image from now on, as a changed spec asks; it is a restart."""
        self.container = self.facts.container = container
        self.image = image
        name = container.name
        self._tell("Killing", f"Container {name} definition changed, will be restarted", False)
        self._stop_probers()
        if self._work is not None:
            stopping = self._end(self._work, lifecycle.grace_s(self.pod))
            self._ending = asyncio.get_running_loop().create_task(stopping, name=f"change/{name}")

    async def _end(self, work: Work, grace_s: float) -> None:
        """End one run, its preStop hook first."""
        begun = self.place.clock.now()
        if hooks.action(self.container, hooks.PRE_STOP) is not None:
            await self._hook(hooks.PRE_STOP, grace_s)
            grace_s = max(grace_s - (self.place.clock.now() - begun), lifecycle.LEAST_GRACE_S)
        await work.stop(grace_s)

    @property
    def before_stop(self) -> bool:
        """Whether there is something to do before it is stopped."""
        return self._work is not None and hooks.action(self.container, hooks.PRE_STOP) is not None

    async def pre_stop(self, limit_s: float) -> None:
        """Do what the container wants done before it is stopped, within so long."""
        await self._hook(hooks.PRE_STOP, limit_s)

    async def stop(self, grace_s: float) -> None:
        """Stop for good; within the grace period if it wants to."""
        self.leave()
        if self._work is not None:
            await self._work.stop(grace_s)

    def leave(self) -> None:
        """The pod is going: what ends from now on is not started again, and whether it is well is no question."""
        self._leaving = True
        self._stop_probers()

    def _is_leaving(self) -> bool:
        return self._leaving

    def _show(self, state: Mapping[str, object], started: bool = False, ready: bool = False) -> None:
        self.facts.state, self.facts.started, self.facts.ready = dict(state), started, ready
        if started and self.came_up is not None:
            self.came_up.set()
        self._changed()

    def _ended(self, code: int) -> dict[str, object]:
        now = rfc3339(self.place.clock.wall())
        said = ""
        if runs_program(self.image):
            file = last_words.file_of(self.place.volumes, self.pod, self.container)
            said = last_words.read(file, self.journal.path, self.container, code)
        return status.terminated(code, lifecycle.exit_reason(code), self._started_at or now, now,
                                 self.facts.container_id, said)  # fmt: skip
