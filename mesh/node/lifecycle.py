"""What does a pod do next? The decisions of a pod's life, from values to values.

`after` says what follows the end of a container, `departure` when each step of a termination begins, `pace` how long a
change of status may wait for a better one, and `not_executed` which fields of a pod nobody here carries out.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from mesh.api.core import Container, Pod

DEFAULT_GRACE_S = 30.0
SETTLE_S = 0.25
"""A pod that starts usually stands within so long: its first written status is then already the last one."""


@dataclass(frozen=True, slots=True)
class StartFailed:
    """The container did not come up. reason, message: what its waiting state says."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Exited:
    """The container ran and ended."""

    code: int


Outcome = StartFailed | Exited


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Start again after delay_s.

    reason, message: of the waiting state meanwhile; empty where the end itself stays to be seen.
    counts: whether it is a restart.  tell_backoff: whether people hear of the wait.
    """

    delay_s: float
    reason: str = ""
    message: str = ""
    counts: bool = True
    tell_backoff: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """The container stays ended."""

    code: int


def after(outcome: Outcome, policy: str, delay_s: float, failures: int, who: str) -> Retry | Finished:
    """What follows the end of a container.

    policy: the pod's restartPolicy.  delay_s, failures: from the container's back-off, this end included.
    who: `container=C pod=P_NS(UID)`, for the message.
    """
    if isinstance(outcome, StartFailed):
        pulled = outcome.reason != "ErrImagePull"
        reason = outcome.reason if pulled or failures == 1 else "ImagePullBackOff"
        return Retry(delay_s=delay_s, reason=reason, message=outcome.message, counts=False)
    if policy == "Never" or (policy == "OnFailure" and outcome.code == 0):
        return Finished(outcome.code)
    if delay_s <= 0:
        return Retry(delay_s=0.0)
    text = f"back-off {delay_s:.0f}s restarting failed {who}"
    return Retry(delay_s=delay_s, reason="CrashLoopBackOff", message=text, tell_backoff=True)


def exit_reason(code: int) -> str:
    """The reason of a terminated state."""
    return "Completed" if code == 0 else "Error"


def grace_s(pod: Pod) -> float:
    """How long the pod may take to stop: what its deletion says, else its spec."""
    for said in (pod.metadata.deletion_grace_period_seconds, pod.spec.termination_grace_period_seconds):
        if said is not None:
            return float(said)
    return DEFAULT_GRACE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """When the steps of a termination begin and end, on the clock that gave `now`.

    Until `serve_until` everything serves as before, so that every proxy learns of the end first. Until `drain_until`
    the sidecar finishes what is in flight while the application still answers. Then the application is told to stop,
    and at `kill_at` whatever is left ends.
    """

    serve_until: float
    drain_until: float
    kill_at: float


def departure(now: float, grace_s: float, linger_s: float, drain_s: float) -> Departure:
    """The steps of a termination that begins now; none of them outlasts the grace period."""
    kill_at = now + max(grace_s, 0.0)
    serve_until = min(now + linger_s, kill_at)
    return Departure(serve_until=serve_until, drain_until=min(serve_until + drain_s, kill_at), kill_at=kill_at)


def pace(was_ready: bool | None, ready: bool, settled: bool) -> float:
    """Seconds that a change of status may wait to be written.

    was_ready: as last written, None when nothing was.  settled: no container is on its way up.
    """
    if ready != bool(was_ready) or settled:
        return 0.0
    return SETTLE_S


def not_executed(pod: Pod, built_in: frozenset[str]) -> Iterator[str]:
    """Fields that the pod uses and that nothing here carries out, with what happens instead.

    built_in: names of the containers that run a built-in application.
    """
    spec = pod.spec
    if spec.init_containers:
        yield "spec.initContainers: init containers do not run here; the pod starts without them"
    extra = spec.model_extra or {}
    if extra.get("hostNetwork"):
        yield "spec.hostNetwork: the pod has an address of its own as every pod here"
    if extra.get("readinessGates"):
        yield "spec.readinessGates: not waited for"
    if extra.get("activeDeadlineSeconds"):
        yield "spec.activeDeadlineSeconds: the pod is not ended by it"
    for container in spec.containers:
        yield from _not_executed(container, container.name in built_in)


def _not_executed(container: Container, built_in: bool) -> Iterator[str]:
    where = f"spec.containers{{{container.name}}}"
    if container.command:
        instead = "is a built-in application here; --image NAME=COMMAND runs a program"
        yield f"{where}.command: {container.image} {instead if built_in else 'runs as --image says'}"
    if container.working_dir and not built_in:
        yield f"{where}.workingDir: programs run where `mesh up` was called"
    for hook, action in (container.lifecycle or {}).items():
        if action:
            yield f"{where}.lifecycle.{hook}: hooks do not run here"
    for port in container.ports or ():
        if port.host_port:
            yield f"{where}.ports.hostPort: {port.host_port} is not opened on the node; use a Service of type NodePort"
        if port.protocol != "TCP":
            yield f"{where}.ports.protocol: {port.protocol} port {port.container_port} is not opened, only TCP is"
