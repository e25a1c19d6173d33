"""What do the pods that are placed already have against a node, for a pod that is to be placed?

Required pod affinity and anti-affinity (in both directions) and topology spread. Preferences are not weighed: pods are
spread over nodes anyway.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mesh.api.core import Node, Pod
from mesh.api.meta import LabelSelector
from mesh.api.selectors import Selector, from_model

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
ANTI_AFFINITY = "node(s) didn't match pod anti-affinity rules"
EXISTING_ANTI_AFFINITY = "node(s) didn't satisfy existing pods anti-affinity rules"
AFFINITY = "node(s) didn't match pod affinity rules"
SPREAD = "node(s) didn't match pod topology spread constraints"
SPREAD_LABEL = "node(s) didn't match pod topology spread constraints (missing required label)"


def has_anti_affinity(pod: Pod) -> bool:
    """Does it keep others away?"""
    return bool(_terms(pod, "podAntiAffinity"))


def is_choosy(pod: Pod) -> bool:
    """Does it matter to this pod where others are?"""
    return bool(_terms(pod, "podAntiAffinity") or _terms(pod, "podAffinity") or _constraints(pod))


def _terms(pod: Pod, kind: str) -> Sequence[Mapping[str, Any]]:
    return ((pod.spec.affinity or {}).get(kind) or {}).get(REQUIRED) or ()


def _constraints(pod: Pod) -> Sequence[Mapping[str, Any]]:
    found = (pod.spec.model_extra or {}).get("topologySpreadConstraints") or ()
    return [c for c in found if c.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule"]


def _selector(term: Mapping[str, Any]) -> Selector | None:
    """None selects nothing: a term without a selector matches no pod."""
    raw = term.get("labelSelector")
    return None if raw is None else from_model(LabelSelector.model_validate(raw))


def _matches(term: Mapping[str, Any], owner: Pod, other: Pod) -> bool:
    """Does `other` match a term of `owner`?"""
    selector = _selector(term)
    namespaces = term.get("namespaces") or [owner.namespace]
    everywhere = term.get("namespaceSelector") == {}
    in_scope = everywhere or other.namespace in namespaces
    return in_scope and selector is not None and selector.matches(other.metadata.labels)


def obstacles(
    pod: Pod, nodes: Iterable[Node], placed: Mapping[str, Iterable[Pod]], keeping_away: Iterable[tuple[Pod, str]]
) -> dict[str, str]:
    """Node name -> reason, for nodes that other pods rule out.

    placed: node name -> pods on it.  keeping_away: placed pods with anti-affinity of their own, with their node's name.
    """
    by_name = {node.name: node for node in nodes}
    found: dict[str, str] = {}
    for owner, place in keeping_away:
        for term in _terms(owner, "podAntiAffinity"):
            if place in by_name and _matches(term, owner, pod):
                key = str(term.get("topologyKey"))
                _rule_out(found, by_name, {_value(by_name[place], key)}, key, EXISTING_ANTI_AFFINITY)
    for term in _terms(pod, "podAntiAffinity"):
        key = str(term.get("topologyKey"))
        taken = set(_domains(term, pod, by_name, placed, key))
        _rule_out(found, by_name, taken, key, ANTI_AFFINITY)
    for term in _terms(pod, "podAffinity"):
        _together(found, term, pod, by_name, placed)
    for constraint in _constraints(pod):
        _spread(found, constraint, pod, by_name, placed)
    return found


def _value(node: Node, key: str) -> str | None:
    return node.metadata.label_map.get(key)


def _domains(
    term: Mapping[str, Any], pod: Pod, nodes: Mapping[str, Node], placed: Mapping[str, Iterable[Pod]], key: str
) -> Counter[str | None]:
    """How many matching pods each value of the topology key holds."""
    counts: Counter[str | None] = Counter()
    for name, node in nodes.items():
        value = _value(node, key)
        if value is not None:
            counts[value] += sum(_matches(term, pod, other) for other in placed.get(name, ()))
    return +counts


def _rule_out(found: dict[str, str], nodes: Mapping[str, Node], values: set[str | None], key: str, reason: str) -> None:
    for name, node in nodes.items():
        value = _value(node, key)
        if value is not None and value in values:
            found.setdefault(name, reason)


def _together(
    found: dict[str, str],
    term: Mapping[str, Any],
    pod: Pod,
    nodes: Mapping[str, Node],
    placed: Mapping[str, Iterable[Pod]],
) -> None:
    """Affinity: there must be company; the first of a group that seeks its own kind may go anywhere."""
    key = str(term.get("topologyKey"))
    company = _domains(term, pod, nodes, placed, key)
    first_of_its_kind = not company and _matches(term, pod, pod)
    for name, node in nodes.items():
        value = _value(node, key)
        if value is None or not (first_of_its_kind or value in company):
            found.setdefault(name, AFFINITY)


def _spread(
    found: dict[str, str],
    constraint: Mapping[str, Any],
    pod: Pod,
    nodes: Mapping[str, Node],
    placed: Mapping[str, Iterable[Pod]],
) -> None:
    """A domain may hold at most maxSkew pods more than the emptiest one."""
    key = str(constraint.get("topologyKey"))
    counts = _domains(constraint, pod, nodes, placed, key)
    values = {value for node in nodes.values() if (value := _value(node, key)) is not None}
    least = min((counts[value] for value in values), default=0)
    itself = int(_matches(constraint, pod, pod))
    for name, node in nodes.items():
        value = _value(node, key)
        if value is None:
            found.setdefault(name, SPREAD_LABEL)
        elif counts[value] + itself - least > int(constraint.get("maxSkew", 1)):
            found.setdefault(name, SPREAD)
