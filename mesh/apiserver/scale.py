"""How many replicas, seen and set apart from everything else of a workload?"""

from typing import Any

from mesh.api.errors import BadRequest, Invalid, invalid
from mesh.api.meta import LabelSelector
from mesh.api.scheme import Kind
from mesh.api.selectors import Requirement, from_model

Json = dict[str, Any]
_META = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(obj: Json) -> Json:
    """The autoscaling/v1 Scale of a stored workload."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    scale: Json = {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: obj["metadata"][key] for key in _META if key in obj["metadata"]},
        "spec": {"replicas": spec.get("replicas", 0)},
        "status": {"replicas": status.get("replicas", 0)},
    }
    if spec.get("selector"):
        scale["status"]["selector"] = selector_text(spec["selector"])
    return scale


def with_replicas(kind: Kind, obj: Json, scale: Any) -> Json:
    """The workload at the scale's count. Raises Invalid, BadRequest."""
    replicas = _replicas(scale, obj["metadata"]["name"])
    new = {**obj, "spec": {**(obj.get("spec") or {}), "replicas": replicas}}
    version = (scale.get("metadata") or {}).get("resourceVersion")
    if version:
        new["metadata"] = {**obj["metadata"], "resourceVersion": version}
    return new


def workload_config(kind: Kind, scale: Json) -> Json:
    """The configuration of a workload that a Scale to apply stands for. Raises Invalid, BadRequest."""
    if (scale.get("apiVersion"), scale.get("kind")) != ("autoscaling/v1", "Scale"):
        raise BadRequest("the configuration to apply to scale must be a Scale of autoscaling/v1")
    meta = scale.get("metadata") or {}
    if not isinstance(meta, dict):
        raise BadRequest("metadata must be an object")
    kept = {name: meta[name] for name in ("name", "namespace", "uid", "resourceVersion") if name in meta}
    replicas = _replicas(scale, str(meta.get("name", "")))
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": kept, "spec": {"replicas": replicas}}


def _replicas(scale: Any, name: str) -> int:
    if not isinstance(scale, dict) or not isinstance(scale.get("spec") or {}, dict):
        raise BadRequest("the body is not a Scale")
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        cause = invalid("spec.replicas", replicas, "must be a whole number, 0 or more")
        raise Invalid("Scale", "autoscaling", name, [cause])
    return replicas


def selector_text(selector: Json) -> str:
    """A label selector in its query form: `app=web,tier in (a,b)`."""
    return ",".join(_term(term) for term in from_model(LabelSelector.model_validate(selector)).requirements)


def _term(term: Requirement) -> str:
    if term.operator == "exists":
        return term.key
    if term.operator == "!":
        return f"!{term.key}"
    if term.operator == "in" and len(term.values) == 1:
        return f"{term.key}={next(iter(term.values))}"
    return f"{term.key} {term.operator} ({','.join(sorted(term.values))})"
