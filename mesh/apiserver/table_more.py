"""What stands in the columns of configuration, budgets, autoscalers and defined kinds?"""

import re
from collections.abc import Sequence
from typing import Any

import orjson

from mesh.apiserver.table_pod import age, ago

Json = dict[str, Any]
_MOST_TARGETS = 2
_STEP = re.compile(r"\.([\w-]+)|\.?\[(\d+)\]|\.?\['([^']+)'\]")


def config_map(obj: Json, wall_s: float) -> list[Any]:
    """A ConfigMap."""
    count = len(obj.get("data") or ()) + len(obj.get("binaryData") or ())
    return [obj["metadata"]["name"], count, age(obj, wall_s)]


def secret(obj: Json, wall_s: float) -> list[Any]:
    """A Secret."""
    return [obj["metadata"]["name"], obj.get("type", ""), len(obj.get("data") or ()), age(obj, wall_s)]


def service_account(obj: Json, wall_s: float) -> list[Any]:
    """A ServiceAccount."""
    return [obj["metadata"]["name"], len(obj.get("secrets") or ()), age(obj, wall_s)]


def quota(obj: Json, wall_s: float) -> list[Any]:
    """A ResourceQuota: nothing counts what is used."""
    hard = (obj.get("spec") or {}).get("hard") or {}
    return [obj["metadata"]["name"], ", ".join(f"{name}: -/{hard[name]}" for name in sorted(hard)), age(obj, wall_s)]


def lease(obj: Json, wall_s: float) -> list[Any]:
    """A Lease."""
    return [obj["metadata"]["name"], (obj.get("spec") or {}).get("holderIdentity") or "", age(obj, wall_s)]


def budget(obj: Json, wall_s: float) -> list[Any]:
    """A PodDisruptionBudget."""
    spec = obj.get("spec") or {}
    shown = [str(spec.get(name, "N/A")) for name in ("minAvailable", "maxUnavailable")]
    allowed = (obj.get("status") or {}).get("disruptionsAllowed", 0)
    return [obj["metadata"]["name"], *shown, allowed, age(obj, wall_s)]


def autoscaler(obj: Json, wall_s: float) -> list[Any]:
    """A HorizontalPodAutoscaler."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    target = spec.get("scaleTargetRef") or {}
    return [obj["metadata"]["name"], f"{target.get('kind')}/{target.get('name')}",
            _targets(spec.get("metrics") or [], status.get("currentMetrics") or []),
            str(spec.get("minReplicas", "<unset>")), spec.get("maxReplicas", 0), status.get("currentReplicas", 0),
            age(obj, wall_s)]  # fmt: skip


def _targets(metrics: list[Json], current: list[Json]) -> str:
    shown = [_target(metric, current[index] if index < len(current) else {}) for index, metric in enumerate(metrics)]
    if not shown:
        return "<none>"
    more = f" + {len(shown) - _MOST_TARGETS} more..." if len(shown) > _MOST_TARGETS else ""
    return ", ".join(shown[:_MOST_TARGETS]) + more


def _target(metric: Json, current: Json) -> str:
    kind = str(metric.get("type", ""))
    part = kind[:1].lower() + kind[1:]
    source, target = metric.get(part) or {}, (metric.get(part) or {}).get("target") or {}
    now = (current.get(part) or {}).get("current") or {}
    if target.get("averageUtilization") is not None:
        have = now.get("averageUtilization")
        text = f"{'<unknown>' if have is None else f'{have}%'}/{target['averageUtilization']}%"
    elif target.get("averageValue") is not None:
        text = f"{now.get('averageValue', '<unknown>')}/{target['averageValue']}"
        text += " (avg)" if kind in ("External", "Object") else ""
    else:
        text = f"{now.get('value', '<unknown>')}/{target.get('value', '<unknown>')}"
    return f"{source['name']}: {text}" if kind == "Resource" else text


def definition(obj: Json, wall_s: float) -> list[Any]:
    """A CustomResourceDefinition."""
    return [obj["metadata"]["name"], obj["metadata"].get("creationTimestamp", "")]


def own_cells(columns: Sequence[tuple[str, str, str, int]], obj: Json, wall_s: float) -> list[Any]:
    """What a defined kind prints by its own columns of (name, type, path, priority)."""
    cells: list[Any] = [obj["metadata"]["name"]]
    for _, kind, path, _ in columns:
        value = at(obj, path)
        if kind == "date":
            cells.append(ago(value if isinstance(value, str) else None, wall_s))
        elif isinstance(value, list | dict):
            cells.append(orjson.dumps(value).decode())
        else:
            cells.append(value)
    return cells if columns else [*cells, age(obj, wall_s)]


def at(obj: Any, path: str) -> Any:
    """The value at a plain JSON path such as `.spec.hosts[0]`; None where there is none, or the path is not plain."""
    position = 0
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            return None
        name, index, quoted = step.groups()
        if index is not None:
            obj = obj[int(index)] if isinstance(obj, list) and int(index) < len(obj) else None
        else:
            obj = obj.get(name or quoted) if isinstance(obj, dict) else None
        position = step.end()
    return obj
