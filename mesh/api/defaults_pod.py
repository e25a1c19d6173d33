"""What do the fields of a pod mean that a user left out?

A template gets the defaults of its fields; a pod also gets what admission adds when it is made.
"""

from typing import Any

Json = dict[str, Any]
_TOLERATED_S = 300
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_PROBE_DEFAULTS = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}


def _items(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def default_template(template: Json) -> None:
    """Fill in a pod template; changes it."""
    meta = template.setdefault("metadata", {})
    if isinstance(meta, dict):
        meta.pop("creationTimestamp", None)
    spec = template.setdefault("spec", {})
    if isinstance(spec, dict):
        _spec(spec)


def default_pod(spec: Json) -> None:
    """Fill in a pod's spec with all that a new pod gets; changes it."""
    _spec(spec)
    spec.setdefault("serviceAccountName", "default")
    spec.setdefault("serviceAccount", spec["serviceAccountName"])
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    spec.setdefault("priority", 0)
    tolerations = spec.setdefault("tolerations", [])
    if not isinstance(tolerations, list):
        return
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(_tolerates(toleration, key) for toleration in _items(tolerations)):
            tolerations.append(
                {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _TOLERATED_S}
            )


def image_pull_policy(image: str) -> str:
    """`Always` for :latest or no tag, else `IfNotPresent`."""
    name = image.rpartition("/")[2]
    if "@" in name:
        return "IfNotPresent"
    tag = name.partition(":")[2]
    return "Always" if tag in ("", "latest") else "IfNotPresent"


def _tolerates(toleration: Json, key: str) -> bool:
    if toleration.get("effect") not in (None, "", "NoExecute"):
        return False
    return toleration.get("key") == key or (not toleration.get("key") and toleration.get("operator") == "Exists")


def _spec(spec: Json) -> None:
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("securityContext", {})
    for container in (*_items(spec.get("containers")), *_items(spec.get("initContainers"))):
        _container(container)
    for volume in _items(spec.get("volumes")):
        if set(volume) == {"name"}:
            volume["emptyDir"] = {}


def _container(container: Json) -> None:
    image = container.get("image")
    container.setdefault("imagePullPolicy", image_pull_policy(image if isinstance(image, str) else ""))
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("resources", {})
    for port in _items(container.get("ports")):
        port.setdefault("protocol", "TCP")
    for env in _items(container.get("env")):
        source = env.get("valueFrom")
        field = source.get("fieldRef") if isinstance(source, dict) else None
        if isinstance(field, dict):
            field.setdefault("apiVersion", "v1")
    for name in _PROBES:
        probe = container.get(name)
        if not isinstance(probe, dict):
            continue
        for field, value in _PROBE_DEFAULTS.items():
            probe.setdefault(field, value)
        action = probe.get("httpGet")
        if isinstance(action, dict):
            action.setdefault("scheme", "HTTP")
            action.setdefault("path", "/")
