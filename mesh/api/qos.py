"""Which quality of service does a pod get? Nothing is measured out here, but `kubectl describe` shows the class."""

from collections.abc import Iterator, Mapping
from typing import Any

from mesh.api.quantities import amount

BEST_EFFORT, BURSTABLE, GUARANTEED = "BestEffort", "Burstable", "Guaranteed"
_COUNTED = ("cpu", "memory")


def qos_class(spec: Mapping[str, Any]) -> str:
    """From the spec of a pod, as JSON.

    Guaranteed: every container limits cpu and memory and asks for as much as it is limited to. BestEffort: none says
    anything about either.
    """
    said = [_counted(container) for container in _containers(spec)]
    if not any(limits or requests for limits, requests in said):
        return BEST_EFFORT
    alike = all(set(limits) == set(_COUNTED) and {**limits, **requests} == limits for limits, requests in said)
    return GUARANTEED if alike else BURSTABLE


def _containers(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for part in ("containers", "initContainers"):
        found = spec.get(part)
        yield from (
            (container for container in found if isinstance(container, Mapping)) if isinstance(found, list) else ()
        )


def _counted(container: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, float]]:
    """Limits and requests of what counts; a request that is not written is the limit."""
    resources = container.get("resources")
    groups = [resources.get(group) if isinstance(resources, Mapping) else None for group in ("limits", "requests")]
    limits, requests = ({what: _amount(group[what]) for what in _COUNTED if what in group and _amount(group[what])}
                        if isinstance(group, Mapping) else {} for group in groups)  # fmt: skip
    return limits, requests


def _amount(written: Any) -> float:
    try:
        return amount(written)
    except (AttributeError, TypeError, ValueError):
        return 0.0
