"""What does a pod's status say, given what its node knows?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mesh.api.core import Container, ContainerStatus, Pod

CREATING, INITIALIZING = "ContainerCreating", "PodInitializing"
_ON_ITS_WAY = (CREATING, INITIALIZING)


@dataclass(slots=True)
class ContainerFacts:
    """What the node knows about one container. state and last_state: in the API's own form."""

    container: Container
    image_id: str = ""
    container_id: str = ""
    ready: bool = False
    started: bool = False
    restarts: int = 0
    state: dict[str, Any] = field(default_factory=lambda: waiting(CREATING))
    last_state: dict[str, Any] = field(default_factory=dict)

    def comes_back(self, known: ContainerStatus | None) -> None:
        """The node has started anew and the container with it: what the API knew of it ended without a word."""
        if known is None or not known.container_id:
            return
        self.restarts = known.restart_count + 1
        state = known.state
        started = (state.running or state.terminated or {}).get("startedAt", "")
        self.last_state = terminated(255, "Unknown", started, started, known.container_id)

    @property
    def stays(self) -> bool:
        """Of an init container: whether it runs beside the others instead of before them."""
        return self.container.restart_policy == "Always"

    @property
    def initialized(self) -> bool:
        """Of an init container: whether the next one may start."""
        if self.stays:
            return self.started
        ended: dict[str, Any] | None = self.state.get("terminated")
        return ended is not None and ended["exitCode"] == 0

    @property
    def failed(self) -> bool:
        """Whether its present or last end was a bad one."""
        ended = self.state.get("terminated") or (self.last_state.get("terminated") if "waiting" in self.state else None)
        return ended is not None and ended["exitCode"] != 0

    @property
    def troubled(self) -> bool:
        """Not running, and not merely on its way up."""
        if "terminated" in self.state:
            return True
        return "waiting" in self.state and self.state["waiting"]["reason"] not in _ON_ITS_WAY

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.container.name,
            "image": self.container.image,
            "imageID": self.image_id,
            "containerID": self.container_id,
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self.last_state,
        }


def known_facts(pod: Pod) -> dict[str, ContainerStatus]:
    """What the API says of the pod's containers, by name."""
    both = (*(pod.status.container_statuses or ()), *(pod.status.init_container_statuses or ()))
    return {known.name: known for known in both}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def running(started_at: str) -> dict[str, Any]:
    return {"running": {"startedAt": started_at}}


def terminated(
    code: int, reason: str, started_at: str, finished_at: str, container_id: str, message: str = ""
) -> dict[str, Any]:
    return {
        "terminated": {
            "exitCode": code,
            "reason": reason,
            **({"message": message} if message else {}),
            "startedAt": started_at,
            "finishedAt": finished_at,
            "containerID": container_id,
        }
    }


def phase_of(facts: Sequence[ContainerFacts], restart_policy: str, init: Sequence[ContainerFacts] = ()) -> str:
    """Pending, Running, Succeeded or Failed, by the kubelet's rules."""
    if restart_policy == "Never" and any(fact.failed for fact in init if not fact.stays):
        return "Failed"
    if any("waiting" in fact.state and not fact.restarts and not fact.last_state for fact in facts):
        return "Pending"
    ended = [fact.state["terminated"]["exitCode"] for fact in facts if "terminated" in fact.state]
    if len(ended) == len(facts) and restart_policy != "Always":
        if all(code == 0 for code in ended):
            return "Succeeded"
        if restart_policy == "Never":
            return "Failed"
    return "Running"


def is_ready(facts: Sequence[ContainerFacts], terminating: bool) -> bool:
    """Whether the pod may be sent requests."""
    return bool(facts) and not terminating and all(fact.ready for fact in facts)


def conditions(
    phase: str,
    facts: Sequence[ContainerFacts],
    before: Mapping[str, tuple[str, str]],
    now: str,
    terminating: bool,
    init: Sequence[ContainerFacts] = (),
) -> list[dict[str, Any]]:
    """The pod's conditions.

    before: type -> (status, transition time) as last said.  now: the time that one which changes gets.
    init: the facts of init containers; those that stay are to be ready as well.
    """
    beside = [*facts, *(fact for fact in init if fact.stays)]
    ready = is_ready(beside, terminating)
    unready = [fact.container.name for fact in beside if not fact.ready]
    done = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase)
    why = {} if ready else {"reason": done or "ContainersNotReady"}
    if unready and not done:
        why["message"] = f"containers with unready status: [{' '.join(unready)}]"
    elif terminating and not ready:
        why = {"reason": "Terminating", "message": "the pod is going away"}
    missing = [fact.container.name for fact in init if not fact.initialized] if phase != "Succeeded" else []
    incomplete = {"reason": "ContainersNotInitialized",
                  "message": f"containers with incomplete status: [{' '.join(missing)}]"}  # fmt: skip
    told: list[tuple[str, bool, dict[str, str]]] = [
        ("PodScheduled", True, {}),
        ("Initialized", not missing, incomplete if missing else {}),
        ("ContainersReady", ready, why),
        ("Ready", ready, why),
    ]
    out = []
    for kind, holds, extra in told:
        text = "True" if holds else "False"
        old, since = before.get(kind, ("", ""))
        when = since if since and old == text else now
        out.append({"type": kind, "status": text, "lastProbeTime": None, "lastTransitionTime": when, **extra})
    return out
