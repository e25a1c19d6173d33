"""What is wrong with a PodDisruptionBudget or a HorizontalPodAutoscaler?"""

from typing import Any

from mesh.api.errors import Cause, invalid, not_supported, required
from mesh.api.validation_meta import selector_causes
from mesh.api.validation_names import int_or_percent, quantity

Json = dict[str, Any]
_EVICTION_POLICIES = ["AlwaysAllow", "IfHealthyBudget"]
_METRIC_TYPES = ["ContainerResource", "External", "Object", "Pods", "Resource"]
_TARGET_TYPES = ["AverageValue", "Utilization", "Value"]
_TARGET_FIELDS = {"AverageValue": "averageValue", "Utilization": "averageUtilization", "Value": "value"}
_SELECT_POLICIES = ["Disabled", "Max", "Min"]
_POLICY_TYPES = ["Percent", "Pods"]
_LONGEST_WINDOW_S, _LONGEST_PERIOD_S = 3600, 1800


def budget_causes(obj: Json) -> list[Cause]:
    """Everything wrong with a PodDisruptionBudget."""
    spec = _part(obj, "spec")
    found = []
    if "minAvailable" in spec and "maxUnavailable" in spec:
        found.append(invalid("spec", "minAvailable, maxUnavailable", "only one of the two may be given"))
    for field in ("minAvailable", "maxUnavailable"):
        if field in spec:
            found += int_or_percent(f"spec.{field}", spec[field])
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in _EVICTION_POLICIES:
        found.append(not_supported("spec.unhealthyPodEvictionPolicy", policy, _EVICTION_POLICIES))
    return found + selector_causes(spec.get("selector"), "spec.selector")


def autoscaler_causes(obj: Json) -> list[Cause]:
    """Everything wrong with a HorizontalPodAutoscaler in autoscaling/v2."""
    spec = _part(obj, "spec")
    found = []
    target = _part(spec, "scaleTargetRef")
    found += [required(f"spec.scaleTargetRef.{name}") for name in ("kind", "name") if not target.get(name)]
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas", 1)
    if isinstance(most, int) and most < 1:
        found.append(invalid("spec.maxReplicas", most, "must be greater than 0"))
    if isinstance(least, int) and least < 1:
        found.append(invalid("spec.minReplicas", least, "must be greater than or equal to 1"))
    elif isinstance(least, int) and isinstance(most, int) and most < least:
        found.append(invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
    for index, metric in enumerate(spec.get("metrics") or ()):
        if isinstance(metric, dict):
            found += _metric(metric, f"spec.metrics[{index}]")
    behavior = _part(spec, "behavior")
    for name in ("scaleUp", "scaleDown"):
        if isinstance(behavior.get(name), dict):
            found += _rules(behavior[name], f"spec.behavior.{name}")
    return found


def _metric(metric: Json, path: str) -> list[Cause]:
    kind = metric.get("type")
    if kind not in _METRIC_TYPES:
        return [not_supported(f"{path}.type", kind, _METRIC_TYPES)]
    part = kind[0].lower() + kind[1:]
    source = metric.get(part)
    if not isinstance(source, dict):
        return [required(f"{path}.{part}", f"must populate information for the given metric source: {kind}")]
    found = []
    if kind in ("Resource", "ContainerResource") and not source.get("name"):
        found.append(required(f"{path}.{part}.name", "must specify a resource name"))
    if kind in ("Pods", "Object", "External") and not _part(source, "metric").get("name"):
        found.append(required(f"{path}.{part}.metric.name", "must specify a metric name"))
    target = _part(source, "target")
    where, wanted = f"{path}.{part}.target", target.get("type")
    if wanted not in _TARGET_TYPES:
        return [*found, not_supported(f"{where}.type", wanted, _TARGET_TYPES)]
    if kind == "Pods" and wanted != "AverageValue":
        return [*found, not_supported(f"{where}.type", wanted, ["AverageValue"])]
    field = _TARGET_FIELDS[str(wanted)]
    value = target.get(field)
    if value is None:
        return [*found, required(f"{where}.{field}", f"must be given for a target of type {wanted}")]
    if field == "averageUtilization":
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            found.append(invalid(f"{where}.{field}", value, "must be a whole number greater than 0"))
    elif wrong := quantity(value):
        found.append(invalid(f"{where}.{field}", value, wrong))
    elif str(value).startswith("-") or not any(char in "123456789" for char in str(value)):
        found.append(invalid(f"{where}.{field}", value, "must be positive"))
    return found


def _rules(rules: Json, path: str) -> list[Cause]:
    found = []
    window = rules.get("stabilizationWindowSeconds")
    if window is not None and not _between(window, 0, _LONGEST_WINDOW_S):
        wrong = f"must be a whole number from 0 to {_LONGEST_WINDOW_S}"
        found.append(invalid(f"{path}.stabilizationWindowSeconds", window, wrong))
    select = rules.get("selectPolicy")
    if select is not None and select not in _SELECT_POLICIES:
        found.append(not_supported(f"{path}.selectPolicy", select, _SELECT_POLICIES))
    policies = rules.get("policies")
    if policies is not None and not isinstance(policies, list):
        return [*found, invalid(f"{path}.policies", policies, "a list is needed here")]
    for index, policy in enumerate(policies or ()):
        where = f"{path}.policies[{index}]"
        if not isinstance(policy, dict):
            found.append(invalid(where, policy, "an object is needed here"))
            continue
        if policy.get("type") not in _POLICY_TYPES:
            found.append(not_supported(f"{where}.type", policy.get("type"), _POLICY_TYPES))
        if not _between(policy.get("value"), 1, 1 << 31):
            found.append(invalid(f"{where}.value", policy.get("value"), "must be a whole number greater than 0"))
        if not _between(policy.get("periodSeconds"), 1, _LONGEST_PERIOD_S):
            wrong = f"must be a whole number from 1 to {_LONGEST_PERIOD_S}"
            found.append(invalid(f"{where}.periodSeconds", policy.get("periodSeconds"), wrong))
    return found


def _between(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _part(value: Json, name: str) -> Json:
    part = value.get(name)
    return part if isinstance(part, dict) else {}
