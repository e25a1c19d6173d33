"""What is wrong with a PersistentVolume, a claim, or a StorageClass?"""

from collections.abc import Iterator
from typing import Any

from mesh.api.errors import Cause, forbidden, invalid, not_supported, required
from mesh.api.quantities import amount
from mesh.api.validation_meta import selector_causes
from mesh.api.validation_names import dns_subdomain, qualified_name, quantity

Json = dict[str, Any]
MODES = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"]
_SINGLE = "ReadWriteOncePod"
# Kubernetes also has Block volumes and, of old, the policy Recycle: nothing here could do what they say.
_VOLUME_MODES = ["Filesystem"]
_POLICIES = ["Delete", "Retain"]
_BINDING = ["Immediate", "WaitForFirstConsumer"]
# What a PersistentVolume says besides where its data is.
_NOT_SOURCES = (
    "capacity", "accessModes", "persistentVolumeReclaimPolicy", "storageClassName", "claimRef", "volumeMode",
    "mountOptions", "nodeAffinity", "volumeAttributesClassName",
)  # fmt: skip
_NEEDED = {"hostPath": ("path",), "local": ("path",), "nfs": ("server", "path"), "csi": ("driver", "volumeHandle")}


def volume_causes(volume: Json) -> list[Cause]:
    """Everything wrong with a PersistentVolume."""
    spec = volume.get("spec")
    return list(_volume(spec)) if isinstance(spec, dict) else []


def volume_update_causes(volume: Json, old: Json) -> list[Cause]:
    """Where the data is, and in which form, stays."""
    spec, had = volume.get("spec") or {}, old.get("spec") or {}
    found = []
    if _sources(spec) != _sources(had):
        found.append(
            forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation")
        )
    if spec.get("volumeMode") != had.get("volumeMode"):
        found.append(invalid("spec.volumeMode", spec.get("volumeMode"), "field is immutable"))
    if had.get("nodeAffinity") and spec.get("nodeAffinity") != had["nodeAffinity"]:
        found.append(invalid("spec.nodeAffinity", "", "field is immutable, except for filling in one that was empty"))
    return found


def claim_causes(claim: Json) -> list[Cause]:
    """Everything wrong with a PersistentVolumeClaim."""
    return claim_spec_causes(claim.get("spec"), "spec")


def claim_update_causes(claim: Json, old: Json) -> list[Cause]:
    """Once made, a claim can be given a volume and a class, and a bound one can ask for more."""
    spec, had = dict(claim.get("spec") or {}), dict(old.get("spec") or {})
    for once in ("volumeName", "storageClassName"):
        if not had.get(once) and (once == "volumeName" or had.get(once) is None):
            had[once] = spec.get(once)
    before, after = _storage(had), _storage(spec)
    status = old.get("status") or {}
    if before != after and status.get("phase") == "Bound" and not quantity(after):
        floor = (status.get("capacity") or {}).get("storage", before)
        if amount(after) < amount(before) and amount(after) <= amount(floor):
            return [forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")]
        had["resources"] = spec.get("resources")
    if _without_none(spec) == _without_none(had):
        return []
    changed = sorted(name for name in {**spec, **had} if spec.get(name) != had.get(name))
    return [
        forbidden(
            "spec",
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound "
            f"claims; {', '.join(changed)} would change",
        )
    ]


def claim_spec_causes(spec: Any, path: str) -> list[Cause]:
    """Everything wrong with a claim's spec, also as a StatefulSet's template has it."""
    return list(_claim(spec, path)) if isinstance(spec, dict) else []


def class_causes(cls: Json) -> list[Cause]:
    """Everything wrong with a StorageClass."""
    provisioner, found = cls.get("provisioner"), []
    if not provisioner:
        found.append(required("provisioner"))
    elif isinstance(provisioner, str) and (wrong := qualified_name(provisioner.lower())):
        found.append(invalid("provisioner", provisioner, wrong))
    found += _choice(cls, "reclaimPolicy", "reclaimPolicy", ["Delete", "Retain"])
    found += _choice(cls, "volumeBindingMode", "volumeBindingMode", _BINDING)
    return found


def class_update_causes(cls: Json, old: Json) -> list[Cause]:
    """Volumes that exist were made by what the class says."""
    found = [
        forbidden(name, f"updates to {name} are forbidden.")
        for name in ("parameters", "provisioner", "reclaimPolicy")
        if (cls.get(name) or None) != (old.get(name) or None)
    ]
    if cls.get("volumeBindingMode") != old.get("volumeBindingMode"):
        found.append(invalid("volumeBindingMode", cls.get("volumeBindingMode"), "field is immutable"))
    return found


def _claim(spec: Json, path: str) -> Iterator[Cause]:
    yield from _modes(spec, path)
    yield from selector_causes(spec.get("selector"), f"{path}.selector")
    resources = spec.get("resources")
    requests = resources.get("requests") if isinstance(resources, dict) else None
    where = f"{path}.resources[storage]"
    if not isinstance(requests, dict) or "storage" not in requests:
        yield required(where)
    else:
        yield from _positive(requests["storage"], where)
    yield from _class_name(spec, path)
    yield from _choice(spec, f"{path}.volumeMode", "volumeMode", _VOLUME_MODES)
    name = spec.get("volumeName")
    if isinstance(name, str) and name and (wrong := dns_subdomain(name)):
        yield invalid(f"{path}.volumeName", name, wrong)


def _volume(spec: Json) -> Iterator[Cause]:
    yield from _modes(spec, "spec")
    capacity = spec.get("capacity")
    if not capacity:
        yield required("spec.capacity")
    elif isinstance(capacity, dict):
        if "storage" not in capacity or len(capacity) > 1:
            yield not_supported("spec.capacity", ", ".join(capacity), ["storage"])
        for name, value in capacity.items():
            yield from _positive(value, f"spec.capacity[{name}]")
    yield from _choice(spec, "spec.persistentVolumeReclaimPolicy", "persistentVolumeReclaimPolicy", _POLICIES)
    yield from _choice(spec, "spec.volumeMode", "volumeMode", _VOLUME_MODES)
    yield from _class_name(spec, "spec")
    sources = _sources(spec)
    if not sources:
        yield required("spec", "must specify a volume type")
    for extra in list(sources)[1:]:
        yield forbidden(f"spec.{extra}", "may not specify more than 1 volume type")
    for name, source in sources.items():
        yield from _source(name, source, spec)
    affinity = spec.get("nodeAffinity")
    if isinstance(affinity, dict):
        terms = (affinity.get("required") or {}) if isinstance(affinity.get("required") or {}, dict) else {}
        if not affinity.get("required"):
            yield required("spec.nodeAffinity.required", "must specify required node constraints")
        elif not terms.get("nodeSelectorTerms"):
            where = "spec.nodeAffinity.required.nodeSelectorTerms"
            yield required(where, "must have at least one node selector term")


def _source(name: str, source: Any, spec: Json) -> Iterator[Cause]:
    if not isinstance(source, dict):
        return
    for field in _NEEDED.get(name, ()):
        value = source.get(field)
        if not value:
            yield required(f"spec.{name}.{field}")
        elif field == "path" and isinstance(value, str):
            if ".." in value.split("/"):
                yield invalid(f"spec.{name}.path", value, "must not contain '..'")
            elif not value.startswith("/"):
                yield invalid(f"spec.{name}.path", value, "must be an absolute path")
    if name == "local" and not spec.get("nodeAffinity"):
        yield required("spec.nodeAffinity", "Local volume requires node affinity")


def _modes(spec: Json, path: str) -> Iterator[Cause]:
    modes = spec.get("accessModes")
    if not modes:
        yield required(f"{path}.accessModes", "at least 1 access mode is required")
        return
    if not isinstance(modes, list):
        return
    for mode in modes:
        if isinstance(mode, str) and mode not in MODES:
            yield not_supported(f"{path}.accessModes", mode, MODES)
    if _SINGLE in modes and len(modes) > 1:
        yield forbidden(f"{path}.accessModes", f"may not use {_SINGLE} with other access modes")


def _positive(value: Any, where: str) -> Iterator[Cause]:
    if wrong := quantity(value):
        yield invalid(where, value, wrong)
    elif amount(value) <= 0:
        yield invalid(where, value, "must be greater than zero")


def _class_name(spec: Json, path: str) -> Iterator[Cause]:
    name = spec.get("storageClassName")
    if isinstance(name, str) and name and (wrong := dns_subdomain(name)):
        yield invalid(f"{path}.storageClassName", name, wrong)


def _choice(part: Json, where: str, field: str, allowed: list[str]) -> list[Cause]:
    value = part.get(field)
    return [not_supported(where, value, allowed)] if isinstance(value, str) and value not in allowed else []


def _sources(spec: Json) -> Json:
    return {name: value for name, value in spec.items() if name not in _NOT_SOURCES}


def _storage(spec: Json) -> Any:
    resources = spec.get("resources")
    requests = resources.get("requests") if isinstance(resources, dict) else None
    return requests.get("storage") if isinstance(requests, dict) else None


def _without_none(spec: Json) -> Json:
    return {name: value for name, value in spec.items() if value is not None}
