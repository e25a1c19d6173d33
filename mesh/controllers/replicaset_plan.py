"""Given a ReplicaSet and its pods, which pods are to be made, which are to go, and what is its status?"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from mesh.api.core import Pod
from mesh.api.meta import Condition
from mesh.api.workloads import ReplicaSet
from mesh.controllers.actions import Patch, status_patch
from mesh.controllers.facts import (
    active,
    available_in,
    condition,
    dump_conditions,
    finished,
    fresh_condition,
    terminating,
    with_condition,
)
from mesh.controllers.ranking import victims


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything that the decision depends on.

    pods: those it controls.  related: those of all ReplicaSets of the same Deployment.
    settled: the cache shows all earlier creations and deletions; until then `leaving` holds the uids of pods that were
    deleted although they are in `pods`, and `coming` says how many were created that are not.
    failure: what the API said when a pod was refused.
    """

    rs: ReplicaSet
    pods: Sequence[Pod]
    related: Sequence[Pod] = ()
    settled: bool = True
    leaving: AbstractSet[str] = frozenset()
    coming: int = 0
    failure: str | None = None
    wall: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPlan:
    """create: how many pods to make.  delete: which to delete.  status: to write, if it differs."""

    create: int = 0
    delete: tuple[Pod, ...] = ()
    status: Patch | None = None
    requeue_after_s: float | None = None


def plan_replica_set(seen: Observed) -> SetPlan:
    """Compare the pods that count with the number wanted. Pods that ran to their end are cleared away."""
    counted = [pod for pod in seen.pods if active(pod) and pod.metadata.uid not in seen.leaving]
    status, again = _status(seen, counted)
    if terminating(seen.rs) or not seen.settled:
        return SetPlan(status=status, requeue_after_s=again)
    wanted = 1 if seen.rs.spec.replicas is None else seen.rs.spec.replicas
    missing = wanted - len(counted)
    ended = [pod for pod in seen.pods if finished(pod) and not terminating(pod)]
    surplus = victims(counted, -missing, seen.related or counted, seen.wall) if missing < 0 else []
    return SetPlan(create=max(0, missing), delete=(*ended, *surplus), status=status, requeue_after_s=again)


def _status(seen: Observed, counted: Sequence[Pod]) -> tuple[Patch | None, float | None]:
    """The status to write, and the seconds until the next pod has been ready for long enough."""
    rs = seen.rs
    min_ready_s = rs.spec.min_ready_seconds or 0
    labels = (rs.spec.template.metadata.labels or {}).items()
    ready = available = labelled = 0
    again: float | None = None
    for pod in counted:
        labelled += labels <= pod.metadata.label_map.items()
        wait_s = available_in(pod, min_ready_s, seen.wall)
        if wait_s is None:
            continue
        ready += 1
        if wait_s == 0:
            available += 1
        elif again is None or wait_s < again:
            again = wait_s
    status = {
        "replicas": len(counted) + seen.coming,
        "fullyLabeledReplicas": labelled or None,
        "readyReplicas": ready or None,
        "availableReplicas": available or None,
        "observedGeneration": rs.metadata.generation,
        "conditions": dump_conditions(_conditions(seen)),
    }
    return status_patch(rs, status), again


def _conditions(seen: Observed) -> list[Condition]:
    """ReplicaFailure while pods are refused; it goes with the refusal."""
    have = list(seen.rs.status.conditions or ())
    if seen.failure is None:
        return [c for c in have if c.type != "ReplicaFailure"]
    old = condition(have, "ReplicaFailure")
    if old is not None and old.message == seen.failure:
        return have
    return with_condition(have, fresh_condition("ReplicaFailure", "True", "FailedCreate", seen.failure, seen.wall))
