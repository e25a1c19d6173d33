"""How does an old spelling of an object read in its home version, and back?

Objects are stored once, in the home group-version of their kind. extensions/v1beta1, apps/v1beta1 and apps/v1beta2
workloads have the same fields and differ in defaults; an Ingress of the beta versions names its backends differently.
"""

from copy import deepcopy
from typing import Any

from mesh.api import conversion_autoscaling
from mesh.api.errors import BadRequest
from mesh.api.scheme import Kind

Json = dict[str, Any]
_CLASS_ANNOTATION = "kubernetes.io/ingress.class"
# Fields that only an old version had and that did nothing for years before it went: dropped on the way in.
_DROPPED = {"extensions/v1beta1": ("rollbackTo", "templateGeneration"), "apps/v1beta1": ("rollbackTo",)}

# Group-versions from whose time a delete without a policy leaves the dependents alone.
ORPHANING = frozenset({"extensions/v1beta1", "apps/v1beta1", "apps/v1beta2"})


def serves(kind: Kind, api_version: str) -> bool:
    """True when the kind is served under that group-version."""
    if api_version == kind.api_version:
        return True
    group, _, version = api_version.rpartition("/")
    return (group, version) in kind.other_versions


def to_home(kind: Kind, obj: Json, api_version: str) -> Json:
    """The object in its home version. Raises BadRequest when the object says that it is something else."""
    said_version, said_kind = obj.get("apiVersion") or api_version, obj.get("kind") or kind.kind
    if said_kind != kind.kind:
        raise BadRequest(f'the object provided is a "{said_kind}", but the request is for "{kind.kind}"')
    if said_version not in (api_version, kind.api_version):
        raise BadRequest(
            f"the API version in the data ({said_version}) does not match the expected API version ({api_version})"
        )
    obj["apiVersion"], obj["kind"] = kind.api_version, kind.kind
    if said_version == kind.api_version:
        return obj
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        return obj
    for field in _DROPPED.get(said_version, ()):
        spec.pop(field, None)
    if kind.kind == "Ingress":
        _ingress_to_v1(obj, spec)
    if kind.kind == "HorizontalPodAutoscaler":
        conversion_autoscaling.to_v2(obj)
    return obj


def from_home(kind: Kind, obj: Json, api_version: str) -> Json:
    """The stored object as `api_version` spells it; may change and return `obj` itself."""
    if api_version == kind.api_version:
        return obj
    obj["apiVersion"] = api_version
    spec = obj.get("spec")
    if kind.kind == "Ingress" and isinstance(spec, dict):
        _ingress_from_v1(spec)
    if kind.kind == "HorizontalPodAutoscaler":
        conversion_autoscaling.to_v1(obj)
    return obj


def _ingress_to_v1(obj: Json, spec: Json) -> None:
    if "backend" in spec:
        spec.setdefault("defaultBackend", _backend_to_v1(spec.pop("backend")))
    for path in _paths(spec):
        if "backend" in path:
            path["backend"] = _backend_to_v1(path["backend"])
        path.setdefault("pathType", "ImplementationSpecific")
    meta = obj.get("metadata")
    annotations = meta.get("annotations") if isinstance(meta, dict) else None
    if isinstance(annotations, dict) and "ingressClassName" not in spec and annotations.get(_CLASS_ANNOTATION):
        # The annotation stays: it is the user's, and it is what an old client reads back.
        spec["ingressClassName"] = annotations[_CLASS_ANNOTATION]


def _ingress_from_v1(spec: Json) -> None:
    if "defaultBackend" in spec:
        spec["backend"] = _backend_from_v1(spec.pop("defaultBackend"))
    for path in _paths(spec):
        if "backend" in path:
            path["backend"] = _backend_from_v1(path["backend"])


def _backend_to_v1(backend: Any) -> Any:
    if not isinstance(backend, dict) or "service" in backend or "resource" in backend:
        return backend
    port = backend.get("servicePort")
    if port is None:
        named: Json = {}
    elif isinstance(port, int):
        named = {"number": port}
    else:
        named = {"number": int(port)} if str(port).isdigit() else {"name": port}
    service: Json = {"port": named}
    if "serviceName" in backend:
        service["name"] = backend["serviceName"]
    return {"service": service, **{k: v for k, v in backend.items() if k not in ("serviceName", "servicePort")}}


def _backend_from_v1(backend: Any) -> Any:
    service = backend.get("service") if isinstance(backend, dict) else None
    if not isinstance(service, dict):
        return backend
    port = service.get("port") or {}
    return {"serviceName": service.get("name", ""), "servicePort": port.get("number", port.get("name", 0))}


def _paths(spec: Json) -> list[Json]:
    found: list[Json] = []
    for rule in _dicts(spec.get("rules")):
        http = rule.get("http")
        found += _dicts(http.get("paths")) if isinstance(http, dict) else []
    return found


def _dicts(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def converted(kind: Kind, obj: Json, api_version: str) -> Json:
    """A copy of the stored object as `api_version` spells it."""
    return from_home(kind, deepcopy(obj), api_version)
