"""What does a pod's status say, given what its node knows?"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mesh.api.core import Container, Pod


@dataclass(slots=True)
class ContainerFacts:
    """What the node knows about one container. state and last_state: in the API's own form."""

    container: Container
    image_id: str = ""
    container_id: str = ""
    ready: bool = False
    started: bool = False
    restarts: int = 0
    state: dict[str, Any] = field(default_factory=lambda: waiting("ContainerCreating"))
    last_state: dict[str, Any] = field(default_factory=dict)

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


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def running(started_at: str) -> dict[str, Any]:
    return {"running": {"startedAt": started_at}}


def terminated(code: int, reason: str, started_at: str, finished_at: str, container_id: str) -> dict[str, Any]:
    return {
        "terminated": {
            "exitCode": code,
            "reason": reason,
            "startedAt": started_at,
            "finishedAt": finished_at,
            "containerID": container_id,
        }
    }


def phase_of(containers: Iterable[ContainerFacts], restart_policy: str) -> str:
    """Pending, Running, Succeeded or Failed, by the kubelet's rules."""
    facts = list(containers)
    if any("waiting" in fact.state and not fact.restarts and not fact.last_state for fact in facts):
        return "Pending"
    ended = [fact.state["terminated"]["exitCode"] for fact in facts if "terminated" in fact.state]
    if len(ended) == len(facts) and restart_policy != "Always":
        if all(code == 0 for code in ended):
            return "Succeeded"
        if restart_policy == "Never":
            return "Failed"
    return "Running"


def pod_status(
    pod: Pod, facts: list[ContainerFacts], *, pod_ip: str, host_ip: str, started_at: str, now: str, terminating: bool
) -> dict[str, Any]:
    """The whole status object. now: the time that a condition which changes gets."""
    phase = phase_of(facts, pod.spec.restart_policy or "Always")
    unready = [fact.container.name for fact in facts if not fact.ready]
    ready = not unready and phase == "Running" and not terminating
    why = None if ready else ("PodCompleted" if phase == "Succeeded" else "ContainersNotReady")
    message = None if ready or not unready else f"containers with unready status: [{' '.join(unready)}]"
    conditions = [
        _condition(pod, "PodScheduled", True, now),
        _condition(pod, "Initialized", True, now),
        _condition(pod, "ContainersReady", ready, now, why, message),
        _condition(pod, "Ready", ready, now, why, message),
    ]
    return {
        "phase": phase,
        "conditions": conditions,
        "hostIP": host_ip,
        "podIP": pod_ip,
        "podIPs": [{"ip": pod_ip}],
        "startTime": started_at,
        "qosClass": pod.status.qos_class or "BestEffort",
        "containerStatuses": [fact.to_json() for fact in facts],
    }


def _condition(
    pod: Pod, kind: str, holds: bool, now: str, reason: str | None = None, message: str | None = None
) -> dict[str, Any]:
    """A condition that keeps its transition time while its status stays."""
    status = "True" if holds else "False"
    old = next((c for c in pod.status.conditions or () if c.type == kind), None)
    when = old.last_transition_time if old is not None and old.status == status else now
    out: dict[str, Any] = {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": when}
    if reason:
        out["reason"] = reason
    if message:
        out["message"] = message
    return out
