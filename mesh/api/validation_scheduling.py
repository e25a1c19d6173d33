"""What is wrong with where a pod wants to be?"""

from collections.abc import Iterator
from typing import Any

from mesh.api.errors import Cause, invalid, not_supported, required
from mesh.api.validation_meta import selector_causes
from mesh.api.validation_names import qualified_name

Json = dict[str, Any]
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_NODE_OPERATORS = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
_UNSATISFIABLE = ["DoNotSchedule", "ScheduleAnyway"]


def scheduling_causes(spec: Json, path: str) -> Iterator[Cause]:
    """Everything wrong with affinity and topology spread; what has a wrong shape is stepped over."""
    affinity = spec.get("affinity")
    if isinstance(affinity, dict):
        yield from _node_affinity(affinity.get("nodeAffinity"), f"{path}.affinity.nodeAffinity.{_REQUIRED}")
        for name in ("podAffinity", "podAntiAffinity"):
            part = affinity.get(name)
            terms = part.get(_REQUIRED) if isinstance(part, dict) else None
            for index, term in enumerate(_items(terms)):
                yield from _placed_by_pods(term, f"{path}.affinity.{name}.{_REQUIRED}[{index}]")
    for index, constraint in enumerate(_items(spec.get("topologySpreadConstraints"))):
        yield from _spread(constraint, f"{path}.topologySpreadConstraints[{index}]")


def _node_affinity(part: Any, path: str) -> Iterator[Cause]:
    selector = part.get(_REQUIRED) if isinstance(part, dict) else None
    if not isinstance(selector, dict):
        return
    terms = selector.get("nodeSelectorTerms")
    if terms == []:
        yield required(f"{path}.nodeSelectorTerms", "must have at least one term")
    for index, term in enumerate(_items(terms)):
        for field in ("matchExpressions", "matchFields"):
            for position, requirement in enumerate(_items(term.get(field))):
                yield from _requirement(requirement, f"{path}.nodeSelectorTerms[{index}].{field}[{position}]")


def _requirement(requirement: Json, path: str) -> Iterator[Cause]:
    operator, values = requirement.get("operator"), requirement.get("values")
    if isinstance(operator, str) and operator not in _NODE_OPERATORS:
        yield not_supported(f"{path}.operator", operator, _NODE_OPERATORS)
    elif operator in ("In", "NotIn") and not values:
        yield required(f"{path}.values", f"must be given when operator is {operator}")
    elif operator in ("Exists", "DoesNotExist") and values:
        yield invalid(f"{path}.values", values, f"may not be given when operator is {operator}")
    elif operator in ("Gt", "Lt") and (not isinstance(values, list) or len(values) != 1):
        yield required(f"{path}.values", f"must be one value when operator is {operator}")


def _placed_by_pods(term: Json, path: str) -> Iterator[Cause]:
    yield from _topology_key(term, path)
    yield from selector_causes(term.get("labelSelector"), f"{path}.labelSelector")


def _spread(constraint: Json, path: str) -> Iterator[Cause]:
    skew, otherwise = constraint.get("maxSkew"), constraint.get("whenUnsatisfiable")
    if isinstance(skew, int) and skew < 1:
        yield invalid(f"{path}.maxSkew", skew, "must be greater than zero")
    yield from _topology_key(constraint, path)
    if isinstance(otherwise, str) and otherwise not in _UNSATISFIABLE:
        yield not_supported(f"{path}.whenUnsatisfiable", otherwise, _UNSATISFIABLE)
    yield from selector_causes(constraint.get("labelSelector"), f"{path}.labelSelector")


def _topology_key(part: Json, path: str) -> Iterator[Cause]:
    key = part.get("topologyKey")
    if isinstance(key, str) and (wrong := qualified_name(key)):
        yield invalid(f"{path}.topologyKey", key, wrong) if key else required(f"{path}.topologyKey")


def _items(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
