"""What does a field mean that a user left out?

Defaults as an API server writes them into the stored object, so that what clients read back says everything. Old
group-versions had other defaults, and keep them.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from mesh.api.defaults_more import default_claim, default_class, default_daemon_set, default_job, default_volume
from mesh.api.defaults_other import default_autoscaler, default_definition, default_secret
from mesh.api.defaults_pod import default_pod, default_template
from mesh.api.scheme import Kind

Json = dict[str, Any]
OFF = 2147483647
_SESSION_TIMEOUT_S = 10800
_NAMESPACE_LABEL = "kubernetes.io/metadata.name"
_EXTENSIONS, _APPS_BETA1 = "extensions/v1beta1", "apps/v1beta1"


def apply(kind: Kind, obj: Json, api_version: str) -> None:
    """Fill in what is left out; changes `obj`. api_version: the group-version that the writer used."""
    work = _BY_KIND.get(kind.kind)
    if work is not None:
        work(obj, api_version)


def carry_over(kind: Kind, obj: Json, old: Json) -> None:
    """Keep what an update may leave out and the cluster has allocated; changes `obj`."""
    if kind.kind == "Service":
        _carry_service(obj, old)
    if kind.kind == "Namespace":
        spec = _part(obj, "spec")
        if "finalizers" in (old.get("spec") or {}):
            spec["finalizers"] = list(old["spec"]["finalizers"])  # they change through /finalize only


def _part(obj: Json, name: str) -> Json:
    """The sub-object, created when it is missing; a throw-away one when it has a wrong shape (judged elsewhere)."""
    part = obj.setdefault(name, {})
    return part if isinstance(part, dict) else {}


def _items(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _selector_from_template(spec: Json) -> None:
    labels = (_part(_part(spec, "template"), "metadata")).get("labels")
    if not spec.get("selector") and isinstance(labels, dict) and labels:
        spec["selector"] = {"matchLabels": dict(labels)}


def _deployment(obj: Json, api_version: str) -> None:
    spec = _part(obj, "spec")
    old_style = api_version in (_EXTENSIONS, _APPS_BETA1)
    if old_style:
        _selector_from_template(spec)
    spec.setdefault("replicas", 1)
    strategy = _part(spec, "strategy")
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        step: int | str = 1 if api_version == _EXTENSIONS else "25%"
        rolling = _part(strategy, "rollingUpdate")
        rolling.setdefault("maxUnavailable", step)
        rolling.setdefault("maxSurge", step)
    spec.setdefault("revisionHistoryLimit", {_EXTENSIONS: OFF, _APPS_BETA1: 2}.get(api_version, 10))
    spec.setdefault("progressDeadlineSeconds", OFF if api_version == _EXTENSIONS else 600)
    default_template(_part(spec, "template"))


def _replica_set(obj: Json, api_version: str) -> None:
    spec = _part(obj, "spec")
    if api_version == _EXTENSIONS:
        _selector_from_template(spec)
    spec.setdefault("replicas", 1)
    default_template(_part(spec, "template"))


def _stateful_set(obj: Json, api_version: str) -> None:
    spec = _part(obj, "spec")
    if api_version == _APPS_BETA1:
        _selector_from_template(spec)
    spec.setdefault("replicas", 1)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    strategy = _part(spec, "updateStrategy")
    strategy.setdefault("type", "OnDelete" if api_version == _APPS_BETA1 else "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _part(strategy, "rollingUpdate").setdefault("partition", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("persistentVolumeClaimRetentionPolicy", {"whenDeleted": "Retain", "whenScaled": "Retain"})
    default_template(_part(spec, "template"))
    for claim in _items(spec.get("volumeClaimTemplates")):
        _part(claim, "spec").setdefault("volumeMode", "Filesystem")
        claim.setdefault("status", {"phase": "Pending"})


def _pod(obj: Json, _api_version: str) -> None:
    default_pod(_part(obj, "spec"))


def _service(obj: Json, _api_version: str) -> None:
    spec = _part(obj, "spec")
    kind = spec.setdefault("type", "ClusterIP")
    if spec.setdefault("sessionAffinity", "None") == "ClientIP":
        _part(_part(spec, "sessionAffinityConfig"), "clientIP").setdefault("timeoutSeconds", _SESSION_TIMEOUT_S)
    for port in _items(spec.get("ports")):
        port.setdefault("protocol", "TCP")
        if "port" in port:
            port.setdefault("targetPort", port["port"])
    if kind == "ExternalName":
        return
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec.get("clusterIP"):
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
    if kind in ("NodePort", "LoadBalancer"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)


_OF_BALANCERS = ("allocateLoadBalancerNodePorts", "healthCheckNodePort", "loadBalancerClass")


def _carry_service(obj: Json, old: Json) -> None:
    spec, had = _part(obj, "spec"), old.get("spec") or {}
    kind = spec.get("type") or "ClusterIP"
    if kind != "ExternalName" and had.get("type") != "ExternalName":
        for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if field in had and not spec.get(field):
                spec[field] = deepcopy(had[field])
    ports, old_ports = _items(spec.get("ports")), _items(had.get("ports"))
    if kind in ("NodePort", "LoadBalancer"):
        by_port = {(port.get("port"), port.get("protocol", "TCP")): port.get("nodePort") for port in old_ports}
        for port in ports:
            allocated = by_port.get((port.get("port"), port.get("protocol", "TCP")))
            if "nodePort" not in port and allocated:
                port["nodePort"] = allocated
        if kind == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local" and "healthCheckNodePort" in had:
            spec.setdefault("healthCheckNodePort", had["healthCheckNodePort"])
        elif kind == "NodePort":
            _drop_unchanged(spec, had, _OF_BALANCERS)
        return
    # The type has moved away from node ports: what was allocated goes, what the writer asks for anew is judged.
    if had.get("type") in ("NodePort", "LoadBalancer"):
        allocated_before = {port.get("nodePort") for port in old_ports}
        for port in ports:
            if port.get("nodePort") in allocated_before:
                port.pop("nodePort", None)
        _drop_unchanged(spec, had, ("externalTrafficPolicy", *_OF_BALANCERS))
    if kind == "ExternalName":
        _drop_unchanged(spec, had, ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"))


def _drop_unchanged(spec: Json, had: Json, fields: tuple[str, ...]) -> None:
    """Take away what no longer fits the type; what the writer asks for anew is judged."""
    for field in fields:
        if spec.get(field) == had.get(field):
            spec.pop(field, None)


def _namespace(obj: Json, _api_version: str) -> None:
    meta = obj["metadata"]
    labels = meta.setdefault("labels", {})
    if isinstance(labels, dict) and meta.get("name"):
        labels[_NAMESPACE_LABEL] = meta["name"]
    _part(obj, "spec").setdefault("finalizers", ["kubernetes"])


def _slice(obj: Json, _api_version: str) -> None:
    obj.setdefault("addressType", "IPv4")
    for port in _items(obj.get("ports")):
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")


def _endpoints(obj: Json, _api_version: str) -> None:
    for subset in _items(obj.get("subsets")):
        for port in _items(subset.get("ports")):
            port.setdefault("protocol", "TCP")


_BY_KIND: dict[str, Callable[[Json, str], None]] = {
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "StatefulSet": _stateful_set,
    "Pod": _pod,
    "Service": _service,
    "Namespace": _namespace,
    "EndpointSlice": _slice,
    "Endpoints": _endpoints,
    "Secret": default_secret,
    "HorizontalPodAutoscaler": default_autoscaler,
    "CustomResourceDefinition": default_definition,
    "PersistentVolume": default_volume,
    "PersistentVolumeClaim": default_claim,
    "StorageClass": default_class,
    "DaemonSet": default_daemon_set,
    "Job": default_job,
}
