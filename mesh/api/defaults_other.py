"""What do the fields of a Secret, a HorizontalPodAutoscaler and a CustomResourceDefinition mean when left out?"""

import base64
from typing import Any

Json = dict[str, Any]
_CPU_PERCENT = 80
_DEFAULT_RULES: dict[str, Json] = {
    "scaleUp": {
        "stabilizationWindowSeconds": 0,
        "selectPolicy": "Max",
        "policies": [
            {"type": "Pods", "value": 4, "periodSeconds": 15},
            {"type": "Percent", "value": 100, "periodSeconds": 15},
        ],
    },
    "scaleDown": {
        "selectPolicy": "Max",
        "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
    },
}


def default_secret(obj: Json, _api_version: str) -> None:
    """stringData is only a way to write data: it is folded in, and wins."""
    obj.setdefault("type", "Opaque")
    plain = obj.get("stringData")
    data = obj.get("data") if isinstance(obj.get("data"), dict) else {}
    if isinstance(plain, dict) and all(isinstance(value, str) for value in plain.values()):
        obj.pop("stringData")
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        if encoded:
            obj["data"] = {**(data or {}), **encoded}


def default_autoscaler(obj: Json, _api_version: str) -> None:
    """At least one replica, and cpu at 80 % where no metric is named."""
    spec = obj.setdefault("spec", {})
    if not isinstance(spec, dict):
        return
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": _CPU_PERCENT}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    behavior = spec.get("behavior")
    if not isinstance(behavior, dict):
        return
    for name, rules in _DEFAULT_RULES.items():
        given = behavior.setdefault(name, {})
        if isinstance(given, dict):
            for field, value in rules.items():
                given.setdefault(field, value if not isinstance(value, list) else [dict(item) for item in value])


def default_definition(obj: Json, _api_version: str) -> None:
    """Names that follow from the kind."""
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        return
    spec.setdefault("conversion", {"strategy": "None"})
    names = spec.get("names")
    if isinstance(names, dict) and isinstance(names.get("kind"), str):
        names.setdefault("singular", names["kind"].lower())
        names.setdefault("listKind", f"{names['kind']}List")
