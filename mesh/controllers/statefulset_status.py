"""What is a StatefulSet's status?

Source: Kubernetes' stateful set control. `current` is the revision that an update comes from and `update` the one it
goes to; once every pod is of the latter and ready, they are one.
"""

from collections.abc import Collection, Sequence

from mesh.api.core import Pod
from mesh.api.workloads import StatefulSet
from mesh.controllers.actions import Patch, status_patch
from mesh.controllers.facts import dump_conditions, finished, terminating
from mesh.controllers.templates import REVISION_LABEL


def plan_status(
    owner: StatefulSet, pods: Sequence[Pod], available: Collection[Pod], current: str, update: str
) -> Patch | None:
    """The status to write, if it differs. available: how many of the pods are.  current, update: revisions."""
    replicas = 1 if owner.spec.replicas is None else owner.spec.replicas
    rolling = (owner.spec.update_strategy or {}).get("type", "RollingUpdate") == "RollingUpdate"
    made = [pod for pod in pods if not finished(pod)]
    ready = sum(pod.ready for pod in made)
    revisions = [pod.metadata.label_map.get(REVISION_LABEL) for pod in made if not terminating(pod)]
    updated = revisions.count(update)
    if rolling and updated == replicas == ready == len(made):
        current = update
    status = {
        "observedGeneration": owner.metadata.generation,
        "replicas": len(made),
        "readyReplicas": ready or None,
        "availableReplicas": len(available),
        "currentReplicas": revisions.count(current) or None,
        "updatedReplicas": updated or None,
        "currentRevision": current,
        "updateRevision": update,
        "collisionCount": owner.status.collision_count or 0,
        "conditions": dump_conditions(owner.status.conditions),
    }
    return status_patch(owner, status)
