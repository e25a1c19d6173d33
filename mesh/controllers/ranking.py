"""Which pod goes first when a ReplicaSet shrinks?

Source: Kubernetes' ActivePodsWithRanks; the first difference decides.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from mesh.api.core import Pod
from mesh.controllers.facts import active, ready_since, restarts, seconds_of

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}

Rank = tuple[bool, int, bool, int, int, int, int, int, str]


def _age_bucket(since: float | None, wall: float) -> int:
    """Powers of two of an age, so that near equals count as equal; the unknown is youngest."""
    if since is None:
        return -1
    return int(math.log2(max(wall - since, 1.0)))


def deletion_cost(pod: Pod) -> int:
    """What the user says its loss costs; 0 when nothing legible is said."""
    try:
        return int(pod.metadata.annotation_map.get(DELETION_COST, "0"))
    except ValueError:
        return 0


def rank(pod: Pod, neighbours: int, wall: float) -> Rank:
    """Sorts pods by who goes first. neighbours: pods of the same owner on its node."""
    since = ready_since(pod)
    return (
        bool(pod.spec.node_name),
        _PHASES.get(pod.status.phase or "Pending", 0),
        since is not None,
        deletion_cost(pod),
        -neighbours,
        _age_bucket(since, wall) if since is not None else 0,
        -restarts(pod),
        _age_bucket(seconds_of(pod.metadata.creation_timestamp), wall),
        pod.metadata.uid or pod.name,
    )


def victims(pods: Sequence[Pod], count: int, related: Iterable[Pod], wall: float) -> list[Pod]:
    """The `count` pods to delete, first to go first. related: pods of the same Deployment, on which nodes they sit."""
    if count >= len(pods):
        return list(pods)
    on_node = Counter(pod.spec.node_name for pod in related if active(pod) and pod.spec.node_name)
    ranked = sorted(pods, key=lambda pod: rank(pod, on_node[pod.spec.node_name or ""], wall))
    return ranked[: max(0, count)]
