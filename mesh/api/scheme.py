"""Which kinds exist, under which group-versions are they served, and which class holds each?

An object is stored once, in its home group-version; the old spellings (extensions/v1beta1 and friends) are views of
it that `conversion` makes at the edge.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mesh.api.autoscaling import HorizontalPodAutoscaler
from mesh.api.batch import Job
from mesh.api.config import ConfigMap, Lease, ResourceQuota, Secret, ServiceAccount
from mesh.api.core import Event, Namespace, Node, Pod
from mesh.api.destination import DestinationRule
from mesh.api.extensions import CustomObject, CustomResourceDefinition
from mesh.api.meta import Object
from mesh.api.policy import PodDisruptionBudget
from mesh.api.services import Endpoints, EndpointSlice, Ingress, IngressClass, Service
from mesh.api.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from mesh.api.traffic import RouteRule
from mesh.api.workloads import ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet

T = TypeVar("T", bound=Object)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of object.

    other_versions: further (group, version) pairs that serve it.  has_status: /status exists and plain writes
    do not touch status.  has_generation: spec changes count up metadata.generation.  selectable: the paths that
    field selectors may ask for, besides metadata.name and metadata.namespace.  custom: not built into Kubernetes, so
    that clients send it merge patches and servers take no strategic ones.  executed: something here acts on it.
    columns: (name, type, path, priority) of what `kubectl get` prints, for a defined kind that says so.
    shows_deleted: a delete answers with the object that went instead of with a Status.
    """

    kind: str
    group: str
    version: str
    plural: str
    model: type[Object]
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    has_status: bool = True
    has_scale: bool = False
    has_generation: bool = True
    other_versions: tuple[tuple[str, str], ...] = field(default=())
    selectable: tuple[str, ...] = ()
    custom: bool = False
    executed: bool = True
    columns: tuple[tuple[str, str, str, int], ...] = ()
    own_singular: str = ""
    shows_deleted: bool = False

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        return self.own_singular or self.kind.lower()

    @property
    def resource(self) -> str:
        """`deployments.apps`, or `pods` for the core group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


_POD_FIELDS = (
    "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
    "status.phase", "status.podIP", "status.nominatedNodeName",
)  # fmt: skip
_EVENT_FIELDS = (
    "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
    "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
    "reason", "reportingComponent", "source", "type",
)  # fmt: skip
_OLD_APPS = (("apps", "v1beta2"), ("apps", "v1beta1"), ("extensions", "v1beta1"))

KINDS: tuple[Kind, ...] = (
    Kind(kind="Namespace", group="", version="v1", plural="namespaces", model=Namespace, namespaced=False,
         short_names=("ns",), has_generation=False, selectable=("status.phase",)),
    Kind(kind="Node", group="", version="v1", plural="nodes", model=Node, namespaced=False,
         short_names=("no",), has_generation=False, selectable=("spec.unschedulable",)),
    Kind(kind="Pod", group="", version="v1", plural="pods", model=Pod, short_names=("po",),
         categories=("all",), has_generation=False, selectable=_POD_FIELDS, shows_deleted=True),
    Kind(kind="Service", group="", version="v1", plural="services", model=Service, short_names=("svc",),
         categories=("all",), has_generation=False, selectable=("spec.clusterIP", "spec.type"), shows_deleted=True),
    Kind(kind="Endpoints", group="", version="v1", plural="endpoints", model=Endpoints, short_names=("ep",),
         has_status=False, has_generation=False),
    Kind(kind="Event", group="", version="v1", plural="events", model=Event, short_names=("ev",),
         has_status=False, has_generation=False, selectable=_EVENT_FIELDS),
    Kind(kind="ConfigMap", group="", version="v1", plural="configmaps", model=ConfigMap, short_names=("cm",),
         has_status=False, has_generation=False),
    Kind(kind="Secret", group="", version="v1", plural="secrets", model=Secret, has_status=False,
         has_generation=False, selectable=("type",)),
    Kind(kind="ServiceAccount", group="", version="v1", plural="serviceaccounts", model=ServiceAccount,
         short_names=("sa",), has_status=False, has_generation=False, shows_deleted=True),
    Kind(kind="ResourceQuota", group="", version="v1", plural="resourcequotas", model=ResourceQuota,
         short_names=("quota",), has_generation=False, executed=False, shows_deleted=True),
    Kind(kind="PersistentVolumeClaim", group="", version="v1", plural="persistentvolumeclaims",
         model=PersistentVolumeClaim, short_names=("pvc",), has_generation=False, shows_deleted=True),
    Kind(kind="PersistentVolume", group="", version="v1", plural="persistentvolumes", model=PersistentVolume,
         namespaced=False, short_names=("pv",), has_generation=False, shows_deleted=True),
    Kind(kind="StorageClass", group="storage.k8s.io", version="v1", plural="storageclasses", model=StorageClass,
         namespaced=False, short_names=("sc",), has_status=False, has_generation=False,
         other_versions=(("storage.k8s.io", "v1beta1"),), shows_deleted=True),
    Kind(kind="Job", group="batch", version="v1", plural="jobs", model=Job, categories=("all",)),
    Kind(kind="Deployment", group="apps", version="v1", plural="deployments", model=Deployment,
         short_names=("deploy",), categories=("all",), has_scale=True, other_versions=_OLD_APPS),
    Kind(kind="ReplicaSet", group="apps", version="v1", plural="replicasets", model=ReplicaSet,
         short_names=("rs",), categories=("all",), has_scale=True, selectable=("status.replicas",),
         other_versions=(("apps", "v1beta2"), ("extensions", "v1beta1"))),
    Kind(kind="StatefulSet", group="apps", version="v1", plural="statefulsets", model=StatefulSet,
         short_names=("sts",), categories=("all",), has_scale=True,
         other_versions=(("apps", "v1beta2"), ("apps", "v1beta1"))),
    Kind(kind="DaemonSet", group="apps", version="v1", plural="daemonsets", model=DaemonSet,
         short_names=("ds",), categories=("all",),
         other_versions=(("apps", "v1beta2"), ("extensions", "v1beta1"))),
    Kind(kind="ControllerRevision", group="apps", version="v1", plural="controllerrevisions", model=ControllerRevision,
         has_status=False, has_generation=False, other_versions=(("apps", "v1beta2"), ("apps", "v1beta1"))),
    Kind(kind="EndpointSlice", group="discovery.k8s.io", version="v1", plural="endpointslices",
         model=EndpointSlice, has_status=False),
    Kind(kind="Ingress", group="networking.k8s.io", version="v1", plural="ingresses", model=Ingress,
         short_names=("ing",),
         other_versions=(("networking.k8s.io", "v1beta1"), ("extensions", "v1beta1"))),
    Kind(kind="IngressClass", group="networking.k8s.io", version="v1", plural="ingressclasses", model=IngressClass,
         namespaced=False, has_status=False, other_versions=(("networking.k8s.io", "v1beta1"),)),
    Kind(kind="HorizontalPodAutoscaler", group="autoscaling", version="v2", plural="horizontalpodautoscalers",
         model=HorizontalPodAutoscaler, short_names=("hpa",), categories=("all",), has_generation=False,
         other_versions=(("autoscaling", "v1"),)),
    Kind(kind="PodDisruptionBudget", group="policy", version="v1", plural="poddisruptionbudgets",
         model=PodDisruptionBudget, short_names=("pdb",), other_versions=(("policy", "v1beta1"),)),
    Kind(kind="Lease", group="coordination.k8s.io", version="v1", plural="leases", model=Lease, has_status=False,
         has_generation=False),
    Kind(kind="CustomResourceDefinition", group="apiextensions.k8s.io", version="v1",
         plural="customresourcedefinitions", model=CustomResourceDefinition, namespaced=False,
         short_names=("crd", "crds")),
    Kind(kind="RouteRule", group="config.istio.io", version="v1alpha2", plural="routerules", model=RouteRule,
         custom=True),
    Kind(kind="DestinationRule", group="networking.istio.io", version="v1", plural="destinationrules",
         model=DestinationRule, short_names=("dr",), categories=("istio-io", "networking-istio-io"), custom=True,
         other_versions=(("networking.istio.io", "v1beta1"), ("networking.istio.io", "v1alpha3"))),
)  # fmt: skip

BY_MODEL: dict[type[Object], Kind] = {kind.model: kind for kind in KINDS}
BY_RESOURCE: dict[tuple[str, str, str], Kind] = {
    (group, version, kind.plural): kind
    for kind in KINDS
    for group, version in ((kind.group, kind.version), *kind.other_versions)
}
BY_GVK: dict[tuple[str, str], Kind] = {
    (f"{group}/{version}" if group else version, kind.kind): kind
    for kind in KINDS
    for group, version in ((kind.group, kind.version), *kind.other_versions)
}

BY_NAME: dict[str, Kind] = {kind.resource: kind for kind in KINDS}


def defined(crd: dict[str, Any]) -> Kind:
    """The kind that a stored CustomResourceDefinition brings."""
    spec = crd["spec"]
    names, versions = spec["names"], [version for version in spec["versions"] if version.get("served")]
    home = next(version for version in spec["versions"] if version.get("storage"))
    parts = home.get("subresources") or {}
    columns = tuple(
        (str(column.get("name", "")), str(column.get("type", "string")), str(column.get("jsonPath", "")),
         int(column.get("priority") or 0))
        for column in home.get("additionalPrinterColumns") or ()
    )  # fmt: skip
    return Kind(
        kind=names["kind"],
        group=spec["group"],
        version=home["name"],
        plural=names["plural"],
        model=CustomObject,
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        has_status="status" in parts,
        has_scale=(parts.get("scale") or {}).get("specReplicasPath") == ".spec.replicas",
        other_versions=tuple((spec["group"], version["name"]) for version in versions if version is not home),
        custom=True,
        executed=False,
        columns=columns,
        own_singular=str(names.get("singular") or ""),
    )


def kind_of(cls: type[Object]) -> Kind:
    """The table row of a model class. Raises KeyError for a class that is no kind."""
    return BY_MODEL[cls]


def find(word: str) -> Kind | None:
    """What a person means by `po`, `pod`, `pods`, `Pod` or `deployments.apps`; None when nothing fits."""
    low = word.lower()
    for kind in KINDS:
        if low in (kind.plural, kind.singular, kind.resource) or low in kind.short_names:
            return kind
    return None


def decode(cls: type[T], data: dict[str, Any]) -> T:
    """A typed object from its JSON. Raises pydantic.ValidationError, which validation tells as field paths."""
    return cls.model_validate(data)


def encode(obj: Object) -> dict[str, Any]:
    """The JSON of an object; apiVersion and kind are filled in from its class."""
    data = obj.model_dump(by_alias=True, exclude_none=True)
    kind = BY_MODEL.get(type(obj))
    if kind is not None:
        data["apiVersion"], data["kind"] = data.get("apiVersion") or kind.api_version, kind.kind
    return data


def encode_all(objects: Iterable[Object]) -> list[dict[str, Any]]:
    """The JSON of several objects, in order."""
    return [encode(obj) for obj in objects]
