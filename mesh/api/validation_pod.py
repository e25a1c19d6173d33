"""What is wrong with a pod, or with the pod template of a workload?"""

from collections.abc import Iterable, Iterator
from typing import Any

from mesh.api.errors import Cause, forbidden, invalid, not_supported, required
from mesh.api.validation_lifecycle import deadline_causes, order_causes
from mesh.api.validation_meta import label_causes
from mesh.api.validation_names import (
    dns_label,
    dns_subdomain,
    env_name,
    not_negative,
    port_name,
    port_number,
    port_reference,
    quantity,
)
from mesh.api.validation_scheduling import scheduling_causes
from mesh.api.validation_volumes import mount_causes, resource_causes, source_causes

Json = dict[str, Any]
_RESTART = ["Always", "OnFailure", "Never"]
_DNS = ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"]
_PULL = ["Always", "IfNotPresent", "Never"]
_PROTOCOLS = ["SCTP", "TCP", "UDP"]
_HANDLERS = ("httpGet", "tcpSocket", "exec", "grpc")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"]
# What may change on a pod that exists; everything else of its spec is fixed. nodeName may be set once.
_CHANGEABLE = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "nodeName")


def pod_causes(pod: Json) -> list[Cause]:
    """Everything wrong with a pod."""
    return pod_spec_causes(pod.get("spec"), "spec")


def template_causes(template: Any, path: str, claims: Any = None, ends: bool = False) -> list[Cause]:
    """Everything wrong with a workload's template: its pods must be restarted always, unless the workload ends.

    claims: a StatefulSet's volumeClaimTemplates; each is a volume of every pod.
    """
    if not isinstance(template, dict):
        return []
    meta, spec = template.get("metadata"), template.get("spec")
    found = label_causes(meta.get("labels"), f"{path}.metadata.labels") if isinstance(meta, dict) else []
    names = {str((claim.get("metadata") or {}).get("name")) for claim in _items(claims)}
    found += pod_spec_causes(spec, f"{path}.spec", names)
    if not ends and isinstance(spec, dict) and spec.get("restartPolicy") in ("OnFailure", "Never"):
        found.append(not_supported(f"{path}.spec.restartPolicy", spec["restartPolicy"], ["Always"]))
    return found


def pod_update_causes(pod: Json, old: Json) -> list[Cause]:
    """What may not change on a pod."""
    if _fixed(pod.get("spec") or {}) == _fixed(old.get("spec") or {}):
        return []
    allowed = "containers[*].image, initContainers[*].image, " + ", ".join(f"spec.{name}" for name in _CHANGEABLE[:3])
    return [forbidden("spec", f"a pod that exists can change only spec.{allowed} (tolerations can only be added)")]


def pod_spec_causes(spec: Any, path: str, claimed: Iterable[str] = ()) -> list[Cause]:
    """Everything wrong with a pod spec. claimed: names of volumes that come from elsewhere."""
    if not isinstance(spec, dict):
        return []
    containers = _items(spec.get("containers"))
    found: list[Cause] = []
    if isinstance(spec.get("containers", []), list) and not containers:
        found.append(required(f"{path}.containers", "a pod needs at least one container"))
    volumes: set[str] = set()
    for index, volume in enumerate(_items(spec.get("volumes"))):
        found += _volume(volume, f"{path}.volumes[{index}]", volumes)
    names: set[str] = set()
    for field in ("initContainers", "containers"):
        for index, container in enumerate(_items(spec.get(field))):
            where = f"{path}.{field}[{index}]"
            found += _container(container, where, names, volumes | set(claimed))
            found += order_causes(container, where, field == "initContainers")
    found += _choice(spec, path, "restartPolicy", _RESTART)
    found += _choice(spec, path, "dnsPolicy", _DNS)
    found += not_negative(spec, path, "terminationGracePeriodSeconds", "activeDeadlineSeconds")
    found += deadline_causes(spec, path)
    for field, rule in (("hostname", dns_label), ("subdomain", dns_label), ("nodeName", dns_subdomain)):
        value = spec.get(field)
        if isinstance(value, str) and value and (wrong := rule(value)):
            found.append(invalid(f"{path}.{field}", value, wrong))
    found += label_causes(spec.get("nodeSelector"), f"{path}.nodeSelector")
    for index, toleration in enumerate(_items(spec.get("tolerations"))):
        found += _toleration(toleration, f"{path}.tolerations[{index}]")
    found += scheduling_causes(spec, path)
    return found


def _container(container: Json, path: str, names: set[str], volumes: set[str]) -> Iterator[Cause]:
    name = container.get("name")
    if isinstance(name, str):
        if not name:
            yield required(f"{path}.name")
        elif wrong := dns_label(name):
            yield invalid(f"{path}.name", name, wrong)
        elif name in names:
            yield duplicate(f"{path}.name", name)
        names.add(name)
    image = container.get("image")
    if not image:
        yield required(f"{path}.image")
    elif isinstance(image, str) and image != image.strip():
        yield invalid(f"{path}.image", image, "must not have spaces at its ends")
    yield from _choice(container, path, "imagePullPolicy", _PULL)
    yield from _ports(container, path)
    yield from _environment(container, path)
    for index, mount in enumerate(_items(container.get("volumeMounts"))):
        where = f"{path}.volumeMounts[{index}]"
        if isinstance(mount.get("name"), str) and mount["name"] not in volumes:
            yield Cause(f"{where}.name", f'Not found: "{mount["name"]}"', "FieldValueNotFound")
        if mount.get("mountPath") == "":
            yield required(f"{where}.mountPath")
    yield from mount_causes(container, path)
    for name in _PROBES:
        if isinstance(probe := container.get(name), dict):
            yield from _probe(probe, f"{path}.{name}", name)
    resources = container.get("resources")
    for part in ("limits", "requests"):
        amounts = resources.get(part) if isinstance(resources, dict) else None
        for key, value in amounts.items() if isinstance(amounts, dict) else ():
            if wrong := quantity(value):
                yield invalid(f"{path}.resources.{part}[{key}]", value, wrong)


def _ports(container: Json, path: str) -> Iterator[Cause]:
    names: set[str] = set()
    for index, port in enumerate(_items(container.get("ports"))):
        where, number, name = f"{path}.ports[{index}]", port.get("containerPort"), port.get("name")
        if isinstance(number, int) and (wrong := port_number(number)):
            yield invalid(f"{where}.containerPort", number, wrong)
        if isinstance(name, str) and name:
            if wrong := port_name(name):
                yield invalid(f"{where}.name", name, wrong)
            elif name in names:
                yield duplicate(f"{where}.name", name)
            names.add(name)
        host_port = port.get("hostPort")
        if isinstance(host_port, int) and host_port and (wrong := port_number(host_port)):
            yield invalid(f"{where}.hostPort", host_port, wrong)
        yield from _choice(port, where, "protocol", _PROTOCOLS)


def _environment(container: Json, path: str) -> Iterator[Cause]:
    for index, env in enumerate(_items(container.get("env"))):
        where, name = f"{path}.env[{index}]", env.get("name")
        if name == "":
            yield required(f"{where}.name")
        elif isinstance(name, str) and (wrong := env_name(name)):
            yield invalid(f"{where}.name", name, wrong)
        source = env.get("valueFrom")
        if isinstance(source, dict):
            if env.get("value"):
                yield invalid(f"{where}.valueFrom", "", "may not be given when `value` is not empty")
            if len(source) != 1:
                yield invalid(f"{where}.valueFrom", "", "must have exactly one of fieldRef, configMapKeyRef, "
                              "secretKeyRef, resourceFieldRef")  # fmt: skip
            if source.get("resourceFieldRef") is not None:
                yield from resource_causes(source["resourceFieldRef"], f"{where}.valueFrom.resourceFieldRef")


def _probe(probe: Json, path: str, kind: str) -> Iterator[Cause]:
    handlers = [name for name in _HANDLERS if isinstance(probe.get(name), dict)]
    if not handlers:
        yield required(path, "must have one of httpGet, tcpSocket, exec, grpc")
    for extra in handlers[1:]:
        yield forbidden(f"{path}.{extra}", f"a probe has one handler, and {handlers[0]} is given already")
    for name in ("httpGet", "tcpSocket"):
        if name not in handlers:
            continue
        if "port" in probe[name]:
            yield from port_reference(f"{path}.{name}.port", probe[name]["port"])
        if name == "httpGet":
            yield from _choice(probe[name], f"{path}.{name}", "scheme", ["HTTP", "HTTPS"])
    yield from not_negative(probe, path, "initialDelaySeconds")
    for name in ("periodSeconds", "timeoutSeconds", "failureThreshold", "successThreshold"):
        value = probe.get(name)
        if isinstance(value, int) and value < 1:
            yield invalid(f"{path}.{name}", value, "must be greater than 0")
    success = probe.get("successThreshold")
    if kind != "readinessProbe" and isinstance(success, int) and success > 1:
        yield invalid(f"{path}.successThreshold", success, "must be 1")


def _volume(volume: Json, path: str, names: set[str]) -> Iterator[Cause]:
    name = volume.get("name")
    if isinstance(name, str):
        if not name:
            yield required(f"{path}.name")
        elif wrong := dns_label(name):
            yield invalid(f"{path}.name", name, wrong)
        elif name in names:
            yield duplicate(f"{path}.name", name)
        names.add(name)
    sources = [key for key in volume if key != "name"]
    for extra in sources[1:]:
        yield forbidden(f"{path}.{extra}", f"a volume has one source, and {sources[0]} is given already")
    yield from source_causes({key: volume[key] for key in sources[:1]}, path)


def _toleration(toleration: Json, path: str) -> Iterator[Cause]:
    operator = toleration.get("operator") or "Equal"
    if operator not in ("Equal", "Exists"):
        yield not_supported(f"{path}.operator", operator, ["Equal", "Exists"])
    if not toleration.get("key") and operator == "Equal":
        yield invalid(f"{path}.operator", operator, "must be Exists when `key` is empty")
    if operator == "Exists" and toleration.get("value"):
        yield invalid(f"{path}.operator", operator, "`value` must be empty when `operator` is Exists")
    if toleration.get("effect"):
        yield from _choice(toleration, path, "effect", _EFFECTS)


def duplicate(path: str, value: object) -> Cause:
    """The value is taken already."""
    return Cause(path, f'Duplicate value: "{value}"', "FieldValueDuplicate")


def _choice(part: Json, path: str, field: str, allowed: list[str]) -> list[Cause]:
    value = part.get(field)
    return [not_supported(f"{path}.{field}", value, allowed)] if isinstance(value, str) and value not in allowed else []


def _items(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _fixed(spec: Json) -> Json:
    rest = {key: value for key, value in spec.items() if key not in _CHANGEABLE}
    for field in ("containers", "initContainers"):
        if field in rest:
            rest[field] = [{k: v for k, v in item.items() if k != "image"} for item in _items(rest[field])]
    return rest
