"""What does a container find in its environment?"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mesh.api.core import Container, Pod
from mesh.node.apps.context import BadSetting
from mesh.node.contents import resource_of
from mesh.node.service_links import NO_LINKS
from mesh.node.sources import NO_SOURCES, Sources

_NOT_A_NAME = re.compile("[^A-Z0-9_]")
_GROUPS = (("configMapRef", "configmap"), ("secretRef", "secret"))
_KEYS = {"configMapKeyRef": ("configmap", "ConfigMap"), "secretKeyRef": ("secret", "Secret")}


def container_env(
    container: Container, pod: Pod, pod_ip: str, host_ip: str, sources: Sources = NO_SOURCES,
    links: Mapping[str, str] = NO_LINKS,
) -> dict[str, str]:  # fmt: skip
    """Name -> value of spec.containers[].envFrom, then env, which wins. Raises BadSetting for what is not there.

    links: of services, which a value may name.
    """
    env: dict[str, str] = {}
    for group in container.env_from or ():
        env |= _group(group, sources)
    for entry in container.env or ():
        if entry.value_from is None:
            env[entry.name] = expand(entry.value or "", {**links, **env} if links else env)
        else:
            value = from_source(entry.name, entry.value_from, pod, pod_ip, host_ip, sources, container)
            if value is not None:
                env[entry.name] = value
    return env


def _group(group: Mapping[str, Any], sources: Sources) -> dict[str, str]:
    """All keys of one ConfigMap or Secret. Raises BadSetting when it is missing and not optional."""
    prefix = group.get("prefix") or ""
    for field, kind in _GROUPS:
        if reference := group.get(field):
            held = sources.get((kind, str(reference.get("name"))))
            if held is None and not reference.get("optional"):
                raise BadSetting(f'{kind} "{reference.get("name")}" not found')
            return {prefix + key: value for key, value in (held or {}).items()}
    return {}


def _key(reference: Mapping[str, Any], kind: str, title: str, namespace: str, sources: Sources) -> str | None:
    """One key; None when it is missing and optional. Raises BadSetting when it is missing and not."""
    name, key = str(reference.get("name")), str(reference.get("key"))
    held = sources.get((kind, name))
    if held is not None and key in held:
        return held[key]
    if reference.get("optional"):
        return None
    if held is None:
        raise BadSetting(f'{kind} "{name}" not found')
    raise BadSetting(f"couldn't find key {key} in {title} {namespace}/{name}")


def expand(value: str, env: Mapping[str, str]) -> str:
    """`$(NAME)` of variables written above; an unknown one stays as it is, `$$(X)` is a plain `$(X)`."""
    out, rest = "", value
    while (at := rest.find("$")) >= 0:
        out, rest = out + rest[:at], rest[at:]
        end = rest.find(")")
        if rest.startswith("$$"):
            out, rest = out + "$", rest[2:]
        elif rest.startswith("$(") and end > 0 and rest[2:end] in env:
            out, rest = out + env[rest[2:end]], rest[end + 1 :]
        else:
            out, rest = out + "$", rest[1:]
    return out + rest


def from_source(
    name: str, source: Mapping[str, Any], pod: Pod, pod_ip: str, host_ip: str, sources: Sources = NO_SOURCES,
    own: Container | None = None,
) -> str | None:  # fmt: skip
    """The value of a valueFrom; None for an optional one that is not there. Raises BadSetting."""
    for part, (kind, title) in _KEYS.items():
        if reference := source.get(part):
            return _key(reference, kind, title, pod.namespace, sources)
    if reference := source.get("resourceFieldRef"):
        return resource_of(reference, pod, own)
    field = (source.get("fieldRef") or {}).get("fieldPath")
    if not field:
        instead = "use value, fieldRef, resourceFieldRef, configMapKeyRef or secretKeyRef"
        raise BadSetting(f"env {name}: valueFrom.{next(iter(source), '')} is not executed; {instead}")
    values = {
        "metadata.name": pod.name,
        "metadata.namespace": pod.namespace,
        "metadata.uid": pod.metadata.uid or "",
        "spec.nodeName": pod.spec.node_name or "",
        "spec.serviceAccountName": pod.spec.service_account_name or "default",
        "status.podIP": pod_ip,
        "status.podIPs": pod_ip,
        "status.hostIP": host_ip,
    }
    if field in values:
        return values[field]
    for prefix, table in (("labels", pod.metadata.label_map), ("annotations", pod.metadata.annotation_map)):
        if field.startswith(f"metadata.{prefix}['") and field.endswith("']"):
            return table.get(field[len(prefix) + 11 : -2], "")
    raise BadSetting(f"env {name}: fieldRef.fieldPath {field!r} is not known")


def program_env(
    pod: Pod, *, address: str, ports: Sequence[int], pod_ip: str, proxy: str, volumes: Mapping[str, Path],
    named: Mapping[str, Path],
) -> dict[str, str]:  # fmt: skip
    """What a user's own program finds beside its env: where to listen, who it is, how to call others.

    volumes: mountPath -> directory.  named: volume -> directory.  A program here cannot have a directory at the path
    that its manifest says, so VOLUME_DIR is the first mounted volume's directory, VOLUME_NAME that of the volume `name`
    (with `_` for what no variable can be called), and VOLUMES a JSON object from mountPath to directory.
    """
    env = {
        "HOST": address,
        "PORT": str(ports[0]) if ports else "",
        "POD_IP": pod_ip,
        "POD_NAME": pod.name,
        "POD_NAMESPACE": pod.namespace,
        "NODE_NAME": pod.spec.node_name or "",
        "HOSTNAME": pod.spec.hostname or pod.name,
    }
    if volumes:
        env |= {f"VOLUME_{_NOT_A_NAME.sub('_', name.upper())}": str(where) for name, where in named.items()}
        env["VOLUME_DIR"] = str(next(iter(volumes.values())))
        env["VOLUMES"] = json.dumps({mount: str(where) for mount, where in volumes.items()})
    if proxy:
        # No service has a pod's own address, so that no sidecar has a route to it: there a program goes by itself.
        pods = ".".join(pod_ip.split(".")[:2]) + ".0.0/16"
        env |= {"http_proxy": proxy, "HTTP_PROXY": proxy, "no_proxy": f"localhost,127.0.0.1,{pods}"}
    return env
