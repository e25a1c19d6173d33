"""On which node should a pod run, and what stands in its way?

Filters name a reason in Kubernetes' own words; among the nodes that are left, the one with the fewest pods of the
same owner is taken, then the one with the fewest pods.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.api.core import Node, Pod, Taint
from mesh.controllers.tolerance import NOT_READY, UNSCHEDULABLE, is_ready, tolerates, untolerated

_BLOCKING = frozenset({"NoSchedule", "NoExecute"})
_PREFERRED = frozenset({"PreferNoSchedule"})
AFFINITY = "node(s) didn't match Pod's node affinity/selector"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A node and how full it is. pods: all on it; of_owner: those of the pod's owner.

    obstacle: what other pods have against it (see `neighbours`), None for nothing.
    """

    node: Node
    pods: int = 0
    of_owner: int = 0
    obstacle: str | None = None


@dataclass(frozen=True, slots=True)
class Unschedulable:
    """No node takes the pod; message is what the event says."""

    message: str


def choose(pod: Pod, candidates: Sequence[Candidate], blocked: str | None = None) -> str | Unschedulable:
    """The name of the best node. Ties go by name, so the answer depends on nothing else.

    blocked: what keeps the pod from every node, whichever it is.
    """
    if blocked is not None:
        return Unschedulable(f"0/{len(candidates)} nodes are available: {blocked}.")
    reasons: Counter[str] = Counter()
    best: tuple[int, int, int, str] | None = None
    for candidate in candidates:
        reason = obstacle(pod, candidate)
        if reason is not None:
            reasons[reason] += 1
            continue
        node = candidate.node
        unwanted = untolerated(pod, node.spec.taints or (), _PREFERRED) is not None
        rank = (int(unwanted), candidate.of_owner, candidate.pods, node.name)
        if best is None or rank < best:
            best = rank
    if best is not None:
        return best[3]
    if not candidates:
        return Unschedulable("no nodes available to schedule pods")
    told = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    return Unschedulable(f"0/{len(candidates)} nodes are available: {told}.")


def obstacle(pod: Pod, candidate: Candidate) -> str | None:
    """Why the node can not take the pod, as a cluster says it; None when it can."""
    node = candidate.node
    if node.spec.unschedulable and not _tolerates_key(pod, UNSCHEDULABLE):
        return "node(s) were unschedulable"
    taint = untolerated(pod, [t for t in node.spec.taints or () if t.key != UNSCHEDULABLE], _BLOCKING)
    if taint is not None:
        return f"node(s) had untolerated taint {{{taint.key}: {taint.value or ''}}}"
    if not is_ready(node) and not _tolerates_key(pod, NOT_READY):
        return f"node(s) had untolerated taint {{{NOT_READY}: }}"
    if not selected(pod, node):
        return AFFINITY
    limit = (node.status.allocatable or {}).get("pods", "")
    if limit.isdigit() and candidate.pods >= int(limit):
        return "Too many pods"
    return candidate.obstacle


def _tolerates_key(pod: Pod, key: str) -> bool:
    return any(tolerates(t, Taint(key=key, effect="NoSchedule")) for t in pod.spec.tolerations or ())


def selected(pod: Pod, node: Node) -> bool:
    """nodeSelector and required node affinity."""
    labels = node.metadata.label_map
    if not (pod.spec.node_selector or {}).items() <= labels.items():
        return False
    required = _dig(pod.spec.affinity, "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    return node_terms_hold(required.get("nodeSelectorTerms") or (), node)


def node_terms_hold(terms: Iterable[Mapping[str, Any]], node: Node) -> bool:
    """Does one of these node selector terms select the node?"""
    return any(_term_holds(term, node) for term in terms)


def _term_holds(term: Mapping[str, Any], node: Node) -> bool:
    """All expressions of a term hold; an empty term selects nothing."""
    labels = [expression_holds(e, node.metadata.label_map) for e in term.get("matchExpressions") or ()]
    fields = [expression_holds(e, {"metadata.name": node.name}) for e in term.get("matchFields") or ()]
    return bool(labels or fields) and all(labels) and all(fields)


def expression_holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """One node selector requirement. An operator that does not exist holds for nothing."""
    key, values = str(expression.get("key")), [str(v) for v in expression.get("values") or ()]
    have = labels.get(key)
    match expression.get("operator"):
        case "In":
            return have in values
        case "NotIn":
            return have not in values
        case "Exists":
            return have is not None
        case "DoesNotExist":
            return have is None
        case "Gt" | "Lt" as operator:
            return _compares(have, values, greater=operator == "Gt")
        case _:
            return False


def _compares(have: str | None, values: Sequence[str], *, greater: bool) -> bool:
    try:
        number, limit = int(have or ""), int(values[0])
    except (ValueError, IndexError):
        return False
    return number > limit if greater else number < limit


def _dig(data: Any, *path: str) -> Any:
    """What is at a path of nested mappings; None when it ends early."""
    for step in path:
        data = data.get(step) if isinstance(data, Mapping) else None
    return data
