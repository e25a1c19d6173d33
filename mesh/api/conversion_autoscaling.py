"""How does an autoscaling/v1 HorizontalPodAutoscaler read in autoscaling/v2, and back?

v1 knows one metric, cpu utilisation. Whatever else there is travels in annotations, as a cluster does it, so that an
old client that writes back what it read loses nothing.
"""

from typing import Any

import orjson

Json = dict[str, Any]
_METRICS = "autoscaling.alpha.kubernetes.io/metrics"
_BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
_CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
_CURRENT = "autoscaling.alpha.kubernetes.io/current-metrics"
_PERCENT = "targetCPUUtilizationPercentage"


def to_v2(obj: Json) -> None:
    """Changes `obj`."""
    spec, meta = obj.get("spec"), obj.get("metadata")
    if not isinstance(spec, dict) or not isinstance(meta, dict):
        return
    metrics = []
    if isinstance(percent := spec.pop(_PERCENT, None), int):
        target = {"type": "Utilization", "averageUtilization": percent}
        metrics.append({"type": "Resource", "resource": {"name": "cpu", "target": target}})
    annotations = meta.get("annotations")
    if isinstance(annotations, dict):
        carried = {name: _read(annotations.pop(name)) for name in (_METRICS, _BEHAVIOR) if name in annotations}
        metrics += carried.get(_METRICS) or []
        if carried.get(_BEHAVIOR):
            spec["behavior"] = carried[_BEHAVIOR]
        for name in (_CONDITIONS, _CURRENT):
            annotations.pop(name, None)
        if not annotations:
            meta.pop("annotations")
    if metrics:
        spec["metrics"] = metrics
    status = obj.get("status")
    if isinstance(status, dict):
        status.pop("currentCPUUtilizationPercentage", None)


def to_v1(obj: Json) -> None:
    """Changes `obj`."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    carried: Json = {}
    others = []
    for metric in spec.pop("metrics", None) or ():
        percent = _cpu_percent(metric)
        if percent is not None and _PERCENT not in spec:
            spec[_PERCENT] = percent
        else:
            others.append(metric)
    if others:
        carried[_METRICS] = others
    if behavior := spec.pop("behavior", None):
        carried[_BEHAVIOR] = behavior
    if conditions := status.pop("conditions", None):
        carried[_CONDITIONS] = conditions
    if current := status.pop("currentMetrics", None):
        carried[_CURRENT] = current
    if carried:
        annotations = obj["metadata"].setdefault("annotations", {})
        annotations.update({name: orjson.dumps(value).decode() for name, value in carried.items()})


def _cpu_percent(metric: Json) -> int | None:
    source = metric.get("resource") or {}
    percent = (source.get("target") or {}).get("averageUtilization")
    return percent if source.get("name") == "cpu" and isinstance(percent, int) else None


def _read(text: Any) -> Any:
    try:
        return orjson.loads(text)
    except (orjson.JSONDecodeError, TypeError):
        return None  # not ours: an annotation that somebody wrote by hand
