"""Which files does a volume hold that is made of objects: ConfigMap, Secret, the pod itself, or several of them?"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mesh.api.core import Container, Pod, Volume
from mesh.api.quantities import amount
from mesh.node.apps.context import BadSetting

Source = tuple[str, str]
"""(configmap or secret, name)"""
Held = Mapping[Source, Mapping[str, bytes] | None]
"""The keys of each source; None for one that does not exist."""
DEFAULT_MODE = 0o644
_PATH = re.compile(r"[^/\0]{1,255}(/[^/\0]{1,255})*")
_KINDS = {"configMap": "configmap", "secret": "secret"}
_ALLOCATABLE = {"cpu": "8", "memory": "16Gi", "ephemeral-storage": "0"}
"""What a container without limits may use: the node's."""


@dataclass(frozen=True, slots=True)
class File:
    data: bytes
    mode: int


def made_of_objects(volume: Volume) -> bool:
    return any(part is not None for part in (volume.config_map, volume.secret, volume.projected, volume.downward_api))


def named(volume: Volume) -> Iterator[Source]:
    """Every source of the volume."""
    for kind, part in _parts(volume):
        if kind in _KINDS:
            yield _KINDS[kind], _name(part)


def files_of(volume: Volume, pod: Pod, held: Held) -> dict[str, File]:
    """Path -> file. Raises BadSetting, as the kubelet says it."""
    modes = [part.get("defaultMode") for part in (volume.config_map, volume.secret, volume.projected,
                                                  volume.downward_api) if part is not None]  # fmt: skip
    default = int(modes[0]) if modes and modes[0] is not None else DEFAULT_MODE
    found: dict[str, File] = {}
    for kind, part in _parts(volume):
        if kind in _KINDS:
            found |= _of_keys(_KINDS[kind], part, pod.namespace, held, default)
        elif kind == "downwardAPI":
            for item in part.get("items") or ():
                data = _of_pod(item, pod).encode()
                found[_path(item)] = File(data, _mode(item, default))
        else:
            raise BadSetting(f"projected source {kind} is not executed here")
    return found


def _parts(volume: Volume) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for kind, part in (("configMap", volume.config_map), ("secret", volume.secret),
                       ("downwardAPI", volume.downward_api)):  # fmt: skip
        if part is not None:
            yield kind, part
    for source in (volume.projected or {}).get("sources") or ():
        yield from source.items()


def _name(part: Mapping[str, Any]) -> str:
    return str(part.get("secretName") or part.get("name") or "")


def _of_keys(kind: str, part: Mapping[str, Any], namespace: str, held: Held, default: int) -> dict[str, File]:
    name, optional = _name(part), bool(part.get("optional"))
    keys = held.get((kind, name))
    if keys is None:
        if optional:
            return {}
        raise BadSetting(f'{kind} "{name}" not found')
    if not part.get("items"):
        return {key: File(data, default) for key, data in keys.items()}
    found = {}
    for item in part["items"]:
        key = str(item.get("key", ""))
        if key in keys:
            found[_path(item)] = File(keys[key], _mode(item, default))
        elif not optional:
            what = "config" if kind == "configmap" else "secret"
            owner = "configmap " if kind == "configmap" else ""
            raise BadSetting(f"{owner}references non-existent {what} key: {key}")
    return found


def _path(item: Mapping[str, Any]) -> str:
    path = str(item.get("path", ""))
    parts = path.split("/")
    if not _PATH.fullmatch(path) or ".." in parts or "." in parts or parts[0].startswith(".."):
        raise BadSetting(f"items: {path!r} cannot be the path of a file in a volume")
    return path


def _mode(item: Mapping[str, Any], default: int) -> int:
    return default if item.get("mode") is None else int(item["mode"])


def _of_pod(item: Mapping[str, Any], pod: Pod) -> str:
    """What one file of the downward API says. Raises BadSetting."""
    if resource := item.get("resourceFieldRef"):
        return resource_of(resource, pod)
    path = str((item.get("fieldRef") or {}).get("fieldPath", ""))
    plain = {
        "metadata.name": pod.name,
        "metadata.namespace": pod.namespace,
        "metadata.uid": pod.metadata.uid or "",
        "metadata.labels": _lines(pod.metadata.label_map),
        "metadata.annotations": _lines(pod.metadata.annotation_map),
    }
    if path in plain:
        return plain[path]
    for prefix, table in (("labels", pod.metadata.label_map), ("annotations", pod.metadata.annotation_map)):
        if path.startswith(f"metadata.{prefix}['") and path.endswith("']"):
            return table.get(path[len(prefix) + 11 : -2], "")
    raise BadSetting(f"downwardAPI: fieldRef.fieldPath {path!r} is not known")


def _lines(table: Mapping[str, str]) -> str:
    return "\n".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in sorted(table.items()))


def resource_of(reference: Mapping[str, Any], pod: Pod, own: Container | None = None) -> str:
    """A request or limit in units of the divisor, rounded up. own: the container meant when none is named.

    Raises BadSetting.
    """
    name = reference.get("containerName")
    container = next((c for c in (*pod.spec.containers, *(pod.spec.init_containers or ())) if c.name == name), own)
    group, _, what = str(reference.get("resource", "")).partition(".")
    if container is None:
        raise BadSetting(f"resourceFieldRef: no container named {name!r}")
    if group not in ("limits", "requests") or what not in _ALLOCATABLE:
        raise BadSetting(f"resourceFieldRef: resource {reference.get('resource')!r} is not known")
    given = (container.resources or {}).get(group) or {}
    written = given.get(what, _ALLOCATABLE[what] if group == "limits" else "0")
    divisor = amount(str(reference.get("divisor") or "1")) or 1.0
    return str(int(-(-amount(str(written)) // divisor)))


def keys_of(data: Mapping[str, str] | None, encoded: Mapping[str, str] | None) -> dict[str, bytes]:
    """The keys of a ConfigMap or a Secret as bytes. data: as text.  encoded: as base64."""
    found = {key: value.encode() for key, value in (data or {}).items()}
    for key, value in (encoded or {}).items():
        try:
            found[key] = base64.b64decode(value)
        except binascii.Error:
            found[key] = value.encode()
    return found
