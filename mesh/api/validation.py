"""What is wrong with this object, all at once?

Rules work on the JSON as it was written, and step over what has a wrong shape; the shape itself is judged against the
kind's model. So one answer can name every field that has to change.
"""

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from mesh.api import validation_routerule
from mesh.api.errors import Cause, Invalid
from mesh.api.meta import Object
from mesh.api.parts import causes_of, part_causes
from mesh.api.scheme import Kind
from mesh.api.traffic import RouteRule, RouteRuleStatus
from mesh.api.validation_batch import daemon_set_causes, daemon_set_update_causes, job_causes, job_update_causes
from mesh.api.validation_config import config_map_causes, config_update_causes, quota_causes, secret_causes
from mesh.api.validation_destination import destination_causes
from mesh.api.validation_endpoints import endpoints_causes, slice_causes, slice_update_causes
from mesh.api.validation_extensions import definition_causes, definition_update_causes
from mesh.api.validation_ingress import ingress_causes, ingress_class_causes, ingress_class_update_causes
from mesh.api.validation_meta import meta_causes
from mesh.api.validation_pod import pod_causes, pod_update_causes
from mesh.api.validation_policy import autoscaler_causes, budget_causes
from mesh.api.validation_services import service_causes, service_update_causes
from mesh.api.validation_storage import (
    claim_causes,
    claim_update_causes,
    class_causes,
    class_update_causes,
    volume_causes,
    volume_update_causes,
)
from mesh.api.validation_workloads import (
    revision_causes,
    revision_update_causes,
    workload_causes,
    workload_update_causes,
)

Json = dict[str, Any]


class _AroundRule(Object):
    """A RouteRule without its spec, whose types its own rules read, in the words of that kind."""

    status: RouteRuleStatus | None = None


def shape_causes(kind: Kind, obj: Json, whole: bool = True) -> list[Cause]:
    """Fields whose type does not fit the kind's model, by path. whole: False where only the status is new."""
    model = _AroundRule if kind.kind == "RouteRule" else kind.model
    parts = part_causes(kind, obj) if whole else []
    try:
        model.model_validate(obj, strict=True)
    except ValidationError as error:
        return [*causes_of(error), *parts]
    return parts


def create_causes(kind: Kind, obj: Json) -> list[Cause]:
    """What a new, defaulted object breaks."""
    found = meta_causes(kind, obj["metadata"])
    rules = _RULES.get(kind.kind)
    return found if rules is None else [*found, *rules(obj)]


def update_causes(kind: Kind, obj: Json, old: Json) -> list[Cause]:
    """What a changed, defaulted object breaks; `old` is what is stored."""
    found = create_causes(kind, obj)
    rules = _UPDATE_RULES.get(kind.kind)
    return found if rules is None else [*found, *rules(obj, old)]


def all_causes(kind: Kind, obj: Json, old: Json | None, shape: list[Cause]) -> list[Cause]:
    """The causes of shape and of the rules together. old: what is stored, None for a new object."""
    try:
        rules = create_causes(kind, obj) if old is None else update_causes(kind, obj, old)
    except (TypeError, ValueError, AttributeError, KeyError):
        if not shape:
            raise
        return shape  # a rule stumbled over a field that is named already; with that mended it can be asked
    return [*shape, *rules]


def refuse_if(kind: Kind, obj: Json, causes: list[Cause], now: bool = True) -> None:
    """Raise Invalid when there is a cause and it is time to say so."""
    if causes and now:
        meta = obj.get("metadata")
        name = meta.get("name") if isinstance(meta, dict) else ""
        group = "" if kind.group == "" else kind.group
        raise Invalid(kind.kind, group, str(name or ""), _once(causes))


def needs_shape(causes: list[Cause]) -> bool:
    """True when the shape is wrong where every later step looks: rules could not be asked at all."""
    return any(cause.field in ("", "spec", "metadata") or cause.field.startswith("metadata.") for cause in causes)


def _once(causes: list[Cause]) -> list[Cause]:
    """Without repetitions, and one cause a field where the shape is wrong already."""
    return list(dict.fromkeys(causes))


def _routerule(obj: Json) -> list[Cause]:
    found = validation_routerule.causes(obj, obj["metadata"].get("namespace") or "default")
    if found:
        return found
    try:
        RouteRule.model_validate(obj)
    except ValidationError as error:
        return causes_of(error)  # what its rules read more kindly than the model does, such as a null in a list
    return []


_RULES: dict[str, Callable[[Json], list[Cause]]] = {
    "Pod": pod_causes,
    "Service": service_causes,
    "Endpoints": endpoints_causes,
    "EndpointSlice": slice_causes,
    "Deployment": workload_causes,
    "ReplicaSet": workload_causes,
    "StatefulSet": workload_causes,
    "ControllerRevision": revision_causes,
    "Ingress": ingress_causes,
    "ConfigMap": config_map_causes,
    "Secret": secret_causes,
    "ResourceQuota": quota_causes,
    "PodDisruptionBudget": budget_causes,
    "HorizontalPodAutoscaler": autoscaler_causes,
    "CustomResourceDefinition": definition_causes,
    "RouteRule": _routerule,
    "DestinationRule": destination_causes,
    "PersistentVolume": volume_causes,
    "PersistentVolumeClaim": claim_causes,
    "StorageClass": class_causes,
    "DaemonSet": daemon_set_causes,
    "Job": job_causes,
    "IngressClass": ingress_class_causes,
}
_UPDATE_RULES: dict[str, Callable[[Json, Json], list[Cause]]] = {
    "Pod": pod_update_causes,
    "Service": service_update_causes,
    "EndpointSlice": slice_update_causes,
    "Deployment": workload_update_causes,
    "ReplicaSet": workload_update_causes,
    "StatefulSet": workload_update_causes,
    "ControllerRevision": revision_update_causes,
    "ConfigMap": config_update_causes,
    "Secret": config_update_causes,
    "CustomResourceDefinition": definition_update_causes,
    "PersistentVolume": volume_update_causes,
    "PersistentVolumeClaim": claim_update_causes,
    "StorageClass": class_update_causes,
    "DaemonSet": daemon_set_update_causes,
    "Job": job_update_causes,
    "IngressClass": ingress_class_update_causes,
}
