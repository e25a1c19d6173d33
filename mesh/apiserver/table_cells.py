"""Which columns has each kind, and what stands in them?"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mesh.api.scheme import Kind
from mesh.apiserver import table_more, table_storage
from mesh.apiserver.scale import selector_text
from mesh.apiserver.table_pod import age, ago, pod_cells

Json = dict[str, Any]
Cells = Callable[[Json, float], list[Any]]
_MOST_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Column:
    """priority 1: only with -o wide."""

    name: str
    priority: int = 0
    type: str = "string"


def _columns(text: str) -> tuple[Column, ...]:
    """From a line such as `Name; Desired#; IP+`: `#` counts, `+` only when wide."""
    names = (name.strip() for name in text.split(";"))
    return tuple(
        Column(name.rstrip("+#"), int("+" in name[-2:]), "integer" if "#" in name[-2:] else "string") for name in names
    )


def named_only() -> tuple[tuple[Column, ...], Cells]:
    """What a kind without columns of its own prints."""
    return _columns("Name; Age"), lambda obj, wall_s: [obj["metadata"]["name"], age(obj, wall_s)]


def of_kind(kind: Kind) -> tuple[tuple[Column, ...], Cells]:
    """What a kind prints."""
    if kind.columns:
        own = tuple(Column(name, priority, type_) for name, type_, _, priority in kind.columns)
        return (Column("Name"), *own), lambda obj, wall_s: table_more.own_cells(kind.columns, obj, wall_s)
    return CELLS.get(kind.kind, named_only())


def _spec(obj: Json) -> Json:
    return obj.get("spec") or {}


def _status(obj: Json) -> Json:
    return obj.get("status") or {}


def _some(items: list[str]) -> str:
    if not items:
        return "<none>"
    more = f" + {len(items) - _MOST_SHOWN} more..." if len(items) > _MOST_SHOWN else ""
    return ",".join(items[:_MOST_SHOWN]) + more


def _pairs(labels: Json | None) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or "<none>"


def _selector(obj: Json) -> str:
    selector = _spec(obj).get("selector")
    return (selector_text(selector) if selector else "") or "<none>"


def _containers(obj: Json) -> list[str]:
    containers = ((_spec(obj).get("template") or {}).get("spec") or {}).get("containers") or []
    return [",".join(str(c.get("name", "")) for c in containers), ",".join(str(c.get("image", "")) for c in containers)]


def _deployment(obj: Json, wall_s: float) -> list[Any]:
    status = _status(obj)
    ready = f"{status.get('readyReplicas', 0)}/{_spec(obj).get('replicas', 0)}"
    return [obj["metadata"]["name"], ready, status.get("updatedReplicas", 0), status.get("availableReplicas", 0),
            age(obj, wall_s), *_containers(obj), _selector(obj)]  # fmt: skip


def _replica_set(obj: Json, wall_s: float) -> list[Any]:
    status = _status(obj)
    counts = [_spec(obj).get("replicas", 0), status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [obj["metadata"]["name"], *counts, age(obj, wall_s), *_containers(obj), _selector(obj)]


def _stateful_set(obj: Json, wall_s: float) -> list[Any]:
    ready = f"{_status(obj).get('readyReplicas', 0)}/{_spec(obj).get('replicas', 0)}"
    return [obj["metadata"]["name"], ready, age(obj, wall_s), *_containers(obj)]


def _daemon_set(obj: Json, wall_s: float) -> list[Any]:
    return [*table_storage.daemon_set(obj, wall_s), *_containers(obj), _selector(obj)]


def _job(obj: Json, wall_s: float) -> list[Any]:
    return [*table_storage.job(obj, wall_s), *_containers(obj), _selector(obj)]


def _revision(obj: Json, wall_s: float) -> list[Any]:
    owner = next((ref for ref in obj["metadata"].get("ownerReferences") or () if ref.get("controller")), None)
    shown = f"{str(owner.get('kind')).lower()}.{_group(owner)}/{owner.get('name')}" if owner else "<none>"
    return [obj["metadata"]["name"], shown, obj.get("revision", 0), age(obj, wall_s)]


def _group(owner: Json) -> str:
    return str(owner.get("apiVersion", "")).rpartition("/")[0]


def _service(obj: Json, wall_s: float) -> list[Any]:
    spec = _spec(obj)
    kind = spec.get("type", "ClusterIP")
    address = spec.get("clusterIP") or "<none>"
    ports = [_service_port(port) for port in spec.get("ports") or ()]
    return [obj["metadata"]["name"], kind, address, _external(obj, kind), ",".join(ports) or "<none>",
            age(obj, wall_s), _pairs(spec.get("selector"))]  # fmt: skip


def _service_port(port: Json) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port')}{node_port}/{port.get('protocol', 'TCP')}"


def _external(obj: Json, kind: str) -> str:
    spec = _spec(obj)
    outside = list(spec.get("externalIPs") or ())
    if kind == "ExternalName":
        return str(spec.get("externalName") or "<none>")
    if kind == "LoadBalancer":
        given = _ingress_addresses(obj)
        return ",".join(given + outside) if given or outside else "<pending>"
    return ",".join(outside) or "<none>"


def _ingress_addresses(obj: Json) -> list[str]:
    entries = (_status(obj).get("loadBalancer") or {}).get("ingress") or ()
    return [str(entry.get("ip") or entry.get("hostname")) for entry in entries]


def _endpoints(obj: Json, wall_s: float) -> list[Any]:
    found = [
        f"{address['ip']}:{port.get('port')}"
        for subset in obj.get("subsets") or ()
        for port in subset.get("ports") or ({"port": ""},)
        for address in subset.get("addresses") or ()
    ]
    return [obj["metadata"]["name"], _some([text.rstrip(":") for text in found]), age(obj, wall_s)]


def _slice(obj: Json, wall_s: float) -> list[Any]:
    ports = [str(port.get("port", "*")) for port in obj.get("ports") or ()]
    addresses = [ip for endpoint in obj.get("endpoints") or () for ip in endpoint.get("addresses") or ()]
    shown = [_some(items) if items else "<unset>" for items in (ports, addresses)]
    return [obj["metadata"]["name"], obj.get("addressType", "IPv4"), *shown, age(obj, wall_s)]


def _ingress(obj: Json, wall_s: float) -> list[Any]:
    spec = _spec(obj)
    hosts = [str(rule["host"]) for rule in spec.get("rules") or () if rule.get("host")]
    address = ",".join(_ingress_addresses(obj))
    return [obj["metadata"]["name"], spec.get("ingressClassName") or "<none>", _some(hosts) if hosts else "*",
            address, "80, 443" if spec.get("tls") else "80", age(obj, wall_s)]  # fmt: skip


def _node(obj: Json, wall_s: float) -> list[Any]:
    meta, status = obj["metadata"], _status(obj)
    info = status.get("nodeInfo") or {}
    ready = {condition.get("type"): condition for condition in status.get("conditions") or ()}.get("Ready")
    word = "Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"
    if _spec(obj).get("unschedulable"):
        word += ",SchedulingDisabled"
    role_prefix = "node-role.kubernetes.io/"
    roles = [key[len(role_prefix) :] for key in sorted(meta.get("labels") or {}) if key.startswith(role_prefix)]
    if other := (meta.get("labels") or {}).get("kubernetes.io/role"):
        roles.append(other)
    addresses = {address.get("type"): address.get("address") for address in status.get("addresses") or ()}
    return [meta["name"], word, ",".join(roles) or "<none>", age(obj, wall_s), info.get("kubeletVersion", ""),
            addresses.get("InternalIP", "<none>"), addresses.get("ExternalIP", "<none>"),
            info.get("osImage") or "<unknown>", info.get("kernelVersion") or "<unknown>",
            info.get("containerRuntimeVersion") or "<unknown>"]  # fmt: skip


def _namespace(obj: Json, wall_s: float) -> list[Any]:
    return [obj["metadata"]["name"], _status(obj).get("phase", ""), age(obj, wall_s)]


def _event(obj: Json, wall_s: float) -> list[Any]:
    about = obj.get("involvedObject") or {}
    first = obj.get("firstTimestamp") or obj.get("eventTime")
    last = obj.get("lastTimestamp") or first
    source = (obj.get("source") or {}).get("component") or obj.get("reportingComponent") or ""
    return [ago(last, wall_s), obj.get("type", ""), obj.get("reason", ""),
            f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}", about.get("fieldPath", ""), source,
            str(obj.get("message", "")).strip(), ago(first, wall_s), obj.get("count") or 1,
            obj["metadata"]["name"]]  # fmt: skip


_WORKLOAD = "Containers+; Images+; Selector+"
CELLS: dict[str, tuple[tuple[Column, ...], Cells]] = {
    "Pod": (
        _columns("Name; Ready; Status; Restarts; Age; IP+; Node+; Nominated Node+; Readiness Gates+"),
        pod_cells,
    ),
    "Deployment": (_columns(f"Name; Ready; Up-to-date; Available; Age; {_WORKLOAD}"), _deployment),
    "ReplicaSet": (_columns(f"Name; Desired#; Current#; Ready#; Age; {_WORKLOAD}"), _replica_set),
    "StatefulSet": (_columns("Name; Ready; Age; Containers+; Images+"), _stateful_set),
    "DaemonSet": (
        _columns(f"Name; Desired#; Current#; Ready#; Up-to-date#; Available#; Node Selector; Age; {_WORKLOAD}"),
        _daemon_set,
    ),
    "Job": (_columns(f"Name; Status; Completions; Duration; Age; {_WORKLOAD}"), _job),
    "PersistentVolume": (
        _columns(
            "Name; Capacity; Access Modes; Reclaim Policy; Status; Claim; StorageClass; VolumeAttributesClass; Reason; "
            "Age; VolumeMode+"
        ),
        table_storage.volume,
    ),
    "PersistentVolumeClaim": (
        _columns("Name; Status; Volume; Capacity; Access Modes; StorageClass; VolumeAttributesClass; Age; VolumeMode+"),
        table_storage.claim,
    ),
    "StorageClass": (
        _columns("Name; Provisioner; ReclaimPolicy; VolumeBindingMode; AllowVolumeExpansion; Age"),
        table_storage.storage_class,
    ),
    "IngressClass": (_columns("Name; Controller; Parameters; Age"), table_storage.ingress_class),
    "DestinationRule": (_columns("Name; Host; Age"), table_storage.destination_rule),
    "ControllerRevision": (_columns("Name; Controller; Revision; Age"), _revision),
    "Service": (_columns("Name; Type; Cluster-IP; External-IP; Port(s); Age; Selector+"), _service),
    "Endpoints": (_columns("Name; Endpoints; Age"), _endpoints),
    "EndpointSlice": (_columns("Name; AddressType; Ports; Endpoints; Age"), _slice),
    "Ingress": (_columns("Name; Class; Hosts; Address; Ports; Age"), _ingress),
    "Node": (
        _columns(
            "Name; Status; Roles; Age; Version; Internal-IP+; External-IP+; OS-Image+; Kernel-Version+; "
            "Container-Runtime+"
        ),
        _node,
    ),
    "Namespace": (_columns("Name; Status; Age"), _namespace),
    "ConfigMap": (_columns("Name; Data#; Age"), table_more.config_map),
    "Secret": (_columns("Name; Type; Data#; Age"), table_more.secret),
    "ServiceAccount": (_columns("Name; Secrets#; Age"), table_more.service_account),
    "ResourceQuota": (_columns("Name; Request; Age"), table_more.quota),
    "Lease": (_columns("Name; Holder; Age"), table_more.lease),
    "PodDisruptionBudget": (
        _columns("Name; Min Available; Max Unavailable; Allowed Disruptions#; Age"),
        table_more.budget,
    ),
    "HorizontalPodAutoscaler": (
        _columns("Name; Reference; Targets; MinPods; MaxPods#; Replicas#; Age"),
        table_more.autoscaler,
    ),
    "CustomResourceDefinition": (_columns("Name; Created At"), table_more.definition),
    "Event": (
        _columns("Last Seen; Type; Reason; Object; Subobject+; Source+; Message; First Seen+; Count+#; Name+"),
        _event,
    ),
}
