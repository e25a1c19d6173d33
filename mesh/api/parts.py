"""What shape have the parts of an object that its model keeps as plain JSON?

Affinity, volume sources and the like are dictionaries in the models, since few rooms look into them. Those who do must
be able to rely on their shape, so it is judged here when a user writes one.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError

from mesh.api.errors import Cause, invalid, required
from mesh.api.known_fields import TYPES, type_of
from mesh.api.meta import IntOrString, LabelSelector, Model, ObjectReference
from mesh.api.scheme import Kind
from mesh.api.storage import PersistentVolumeClaimSpec

Json = dict[str, Any]
_REQUIRED, _PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)
_WANTED = {
    "string_type": "text is needed here",
    "int_type": "a whole number is needed here",
    "bool_type": "true or false is needed here",
    "list_type": "a list is needed here",
    "dict_type": "an object is needed here",
    "model_type": "an object is needed here",
    "model_attributes_type": "an object is needed here",
}


class NodeRequirement(Model):
    key: str
    operator: str
    values: list[str] | None = None


class NodeSelectorTerm(Model):
    match_expressions: list[NodeRequirement] | None = None
    match_fields: list[NodeRequirement] | None = None


class NodeSelector(Model):
    node_selector_terms: list[NodeSelectorTerm]


class NodeAffinity(Model):
    must: NodeSelector | None = Field(default=None, alias=_REQUIRED)
    rather: list[Json] | None = Field(default=None, alias=_PREFERRED)


class PodAffinityTerm(Model):
    topology_key: str
    label_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    namespaces: list[str] | None = None


class PodAffinity(Model):
    must: list[PodAffinityTerm] | None = Field(default=None, alias=_REQUIRED)
    rather: list[Json] | None = Field(default=None, alias=_PREFERRED)


class Affinity(Model):
    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAffinity | None = None


class TopologySpreadConstraint(Model):
    max_skew: int
    topology_key: str
    when_unsatisfiable: str
    label_selector: LabelSelector | None = None


class FieldRef(Model):
    field_path: str


class KeyRef(Model):
    name: str
    key: str
    optional: bool | None = None


class NameRef(Model):
    name: str
    optional: bool | None = None


class EnvFromSource(Model):
    prefix: str | None = None
    config_map_ref: NameRef | None = None
    secret_ref: NameRef | None = None


class EnvVarSource(Model):
    field_ref: FieldRef | None = None
    config_map_key_ref: KeyRef | None = None
    secret_key_ref: KeyRef | None = None


class HostPath(Model):
    path: str


class ClaimSource(Model):
    claim_name: str


class HttpHeader(Model):
    name: str
    value: str


class ExecAction(Model):
    command: list[str] | None = None


class Resources(Model):
    limits: Json | None = None
    requests: Json | None = None


class ClientIpConfig(Model):
    timeout_seconds: int | None = None


class SessionAffinityConfig(Model):
    client_ip: ClientIpConfig | None = Field(default=None, alias="clientIP")


class RollingUpdateStatefulSet(Model):
    partition: int | None = None
    max_unavailable: IntOrString | None = None


class StatefulSetUpdateStrategy(Model):
    type: str | None = None
    rolling_update: RollingUpdateStatefulSet | None = None


class Ordinals(Model):
    start: int | None = None


class ClaimMeta(Model):
    name: str
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class ClaimTemplate(Model):
    metadata: ClaimMeta
    spec: PersistentVolumeClaimSpec = Field(default_factory=PersistentVolumeClaimSpec)


class RollingUpdateDaemonSet(Model):
    max_unavailable: IntOrString | None = None
    max_surge: IntOrString | None = None


class DaemonSetUpdateStrategy(Model):
    type: str | None = None
    rolling_update: RollingUpdateDaemonSet | None = None


class VolumeNodeAffinity(Model):
    required: NodeSelector | None = None


class HostPathVolume(Model):
    path: str
    type: str | None = None


class LocalVolume(Model):
    path: str


class CsiVolume(Model):
    driver: str
    volume_handle: str
    read_only: bool | None = None
    volume_attributes: dict[str, str] | None = None


_PARTS: dict[tuple[str, str], Any] = {
    ("PodSpec", "affinity"): Affinity,
    ("PodSpec", "topologySpreadConstraints"): list[TopologySpreadConstraint],
    ("PodSpec", "readinessGates"): list[Json],
    ("EnvVar", "valueFrom"): EnvVarSource,
    ("Container", "envFrom"): list[EnvFromSource],
    ("Volume", "hostPath"): HostPath,
    ("Volume", "persistentVolumeClaim"): ClaimSource,
    ("HTTPGetAction", "httpHeaders"): list[HttpHeader],
    ("Probe", "exec"): ExecAction,
    ("Container", "resources"): Resources,
    ("Container", "lifecycle"): dict[str, Json],
    ("ServiceSpec", "sessionAffinityConfig"): SessionAffinityConfig,
    ("StatefulSetSpec", "updateStrategy"): StatefulSetUpdateStrategy,
    ("StatefulSetSpec", "ordinals"): Ordinals,
    ("StatefulSetSpec", "volumeClaimTemplates"): list[ClaimTemplate],
    ("DaemonSetSpec", "updateStrategy"): DaemonSetUpdateStrategy,
    ("PersistentVolumeSpec", "nodeAffinity"): VolumeNodeAffinity,
    ("PersistentVolumeSpec", "hostPath"): HostPathVolume,
    ("PersistentVolumeSpec", "local"): LocalVolume,
    ("PersistentVolumeSpec", "csi"): CsiVolume,
    ("PersistentVolumeSpec", "claimRef"): ObjectReference,
    ("PersistentVolumeClaimSpec", "resources"): Resources,
}


def part_causes(kind: Kind, obj: Json) -> list[Cause]:
    """Parts of a wrong shape, by path; `obj` is in its home version."""
    name = None if kind.custom else type_of(kind.kind, kind.api_version)
    if name is None:
        return []
    return list(_walk(obj, name, ""))


def _walk(value: Any, type_name: str, path: str) -> Iterator[Cause]:
    if isinstance(value, list):
        for position, item in enumerate(value):
            yield from _walk(item, type_name, f"{path}[{position}]")
        return
    if not isinstance(value, dict):
        return
    for key, inner in _leads(type_name):
        if (item := value.get(key)) is None:
            continue
        where = f"{path}.{key}" if path else key
        if (type_name, key) in _PARTS:
            try:
                _adapter(type_name, key).validate_python(item, strict=True)
            except ValidationError as error:
                yield from causes_of(error, where)
        else:
            yield from _walk(item, inner, where)


@cache
def _leads(type_name: str) -> tuple[tuple[str, str], ...]:
    """(field, its type) of the fields of a type that are such a part, or have one somewhere inside."""
    return tuple(
        (key, inner)
        for key, (inner, _) in TYPES[type_name].items()
        if (type_name, key) in _PARTS or (inner and _leads(inner))
    )


@cache
def _adapter(type_name: str, key: str) -> TypeAdapter[Any]:
    return TypeAdapter(_PARTS[(type_name, key)])


def causes_of(error: ValidationError, base: str = "") -> list[Cause]:
    """What a model did not like, one cause a field. base: the path of what was judged."""
    found: dict[str, Cause] = {}
    for detail in error.errors(include_url=False):
        path = _path(base, detail["loc"])
        if path in found:
            continue  # one of several forms that a value may have: the first says enough
        if detail["type"] == "missing":
            found[path] = required(path)
        else:
            value = detail["input"]
            shown = value if isinstance(value, str | int | float | bool) else type(value).__name__
            found[path] = invalid(path, shown, _WANTED.get(detail["type"], str(detail["msg"])))
    return list(found.values())


def _path(base: str, location: tuple[int | str, ...]) -> str:
    """`spec.ports[0].targetPort`. The name of a union's member, which pydantic appends, is no field."""
    text = base
    steps = location[:-1] if location and location[-1] in ("int", "str") else location
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text
