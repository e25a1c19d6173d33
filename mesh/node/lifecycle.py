"""What does a pod do next? The decisions of a pod's life, from values to values.

`after` says what follows the end of a container, `departure` when each step of a termination begins, and `pace` how
long a change of status may wait for a better one.
"""

from dataclasses import dataclass

from mesh.api.core import Pod
from mesh.runtime.clock import parse_rfc3339

DEFAULT_GRACE_S = 30.0
LEAST_GRACE_S = 2.0
"""What a container gets at least after a preStop hook that has used the grace period up."""
TOO_LONG = ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
"""Why a pod ends after its spec.activeDeadlineSeconds: reason and message of the kubelet."""
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


def deadline_s(pod: Pod, started_at: str, wall_s: float) -> float | None:
    """Seconds until the pod has been active for too long, 0 when it has been; None when it may be for ever."""
    if pod.spec.active_deadline_seconds is None:
        return None
    return max(0.0, pod.spec.active_deadline_seconds - (wall_s - parse_rfc3339(started_at)))


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
