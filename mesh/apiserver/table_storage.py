"""What stands in the columns of volumes, claims, classes, jobs and daemon sets?"""

from typing import Any

from mesh.api.storage import DEFAULT_CLASS, OLD_DEFAULT_CLASS
from mesh.apiserver.table_pod import age, ago, duration
from mesh.runtime.clock import parse_rfc3339

Json = dict[str, Any]
_SHORT = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_UNSET = "<unset>"
# What a Job is by its conditions, the strongest word first.
_JOB_WORDS = ("Complete", "Failed", "", "Suspended", "FailureTarget", "SuccessCriteriaMet")


def modes(listed: Any) -> str:
    """`RWO,ROX`, in Kubernetes' order."""
    return ",".join(short for mode, short in _SHORT.items() if mode in (listed or ()))


def volume(obj: Json, wall_s: float) -> list[Any]:
    """A PersistentVolume."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    claim = spec.get("claimRef") or {}
    phase = "Terminating" if obj["metadata"].get("deletionTimestamp") else status.get("phase", "")
    held_by = f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else ""
    return [obj["metadata"]["name"], (spec.get("capacity") or {}).get("storage", ""), modes(spec.get("accessModes")),
            spec.get("persistentVolumeReclaimPolicy", ""), phase, held_by, spec.get("storageClassName", ""),
            spec.get("volumeAttributesClassName") or _UNSET, status.get("reason", ""), age(obj, wall_s),
            spec.get("volumeMode", _UNSET)]  # fmt: skip


def claim(obj: Json, wall_s: float) -> list[Any]:
    """A PersistentVolumeClaim: how much and how it has, once it has something."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    phase = "Terminating" if obj["metadata"].get("deletionTimestamp") else status.get("phase", "")
    capacity, had = "", ""
    if spec.get("volumeName"):
        capacity, had = (status.get("capacity") or {}).get("storage", ""), modes(status.get("accessModes"))
    return [obj["metadata"]["name"], phase, spec.get("volumeName", ""), capacity, had, spec.get("storageClassName", ""),
            spec.get("volumeAttributesClassName") or _UNSET, age(obj, wall_s),
            spec.get("volumeMode", _UNSET)]  # fmt: skip


def storage_class(obj: Json, wall_s: float) -> list[Any]:
    """A StorageClass."""
    meta = obj["metadata"]
    said = meta.get("annotations") or {}
    is_default = "true" in (said.get(DEFAULT_CLASS), said.get(OLD_DEFAULT_CLASS))
    name = meta["name"] + (" (default)" if is_default else "")
    return [name, obj.get("provisioner", ""), obj.get("reclaimPolicy", "Delete"),
            obj.get("volumeBindingMode", "Immediate"), bool(obj.get("allowVolumeExpansion")),
            age(obj, wall_s)]  # fmt: skip


def job(obj: Json, wall_s: float) -> list[Any]:
    """A Job, without its containers and selector."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    done, wanted = status.get("succeeded", 0), spec.get("completions")
    if wanted is None:
        several = spec.get("parallelism") or 0
        completions = f"{done}/1 of {several}" if several > 1 else f"{done}/1"
    else:
        completions = f"{done}/{wanted}"
    return [obj["metadata"]["name"], _job_word(obj, status), completions, _job_time(status, wall_s), age(obj, wall_s)]


def _job_word(obj: Json, status: Json) -> str:
    holds = {c.get("type") for c in status.get("conditions") or () if c.get("status") == "True"}
    for word in _JOB_WORDS:
        if word in holds:
            return word
        if not word and obj["metadata"].get("deletionTimestamp"):
            return "Terminating"
    return "Running"


def _job_time(status: Json, wall_s: float) -> str:
    begin, end = status.get("startTime"), status.get("completionTime")
    if not begin:
        return ""
    if not end:
        return ago(begin, wall_s)
    try:
        return duration(parse_rfc3339(end) - parse_rfc3339(begin))
    except ValueError:
        return ago(None, wall_s)


def daemon_set(obj: Json, wall_s: float) -> list[Any]:
    """A DaemonSet, without its containers and selector."""
    status = obj.get("status") or {}
    counts = [status.get(name, 0) for name in ("desiredNumberScheduled", "currentNumberScheduled", "numberReady",
                                               "updatedNumberScheduled", "numberAvailable")]  # fmt: skip
    pod = ((obj.get("spec") or {}).get("template") or {}).get("spec") or {}
    chosen = ",".join(f"{key}={value}" for key, value in sorted((pod.get("nodeSelector") or {}).items()))
    return [obj["metadata"]["name"], *counts, chosen or "<none>", age(obj, wall_s)]


def ingress_class(obj: Json, wall_s: float) -> list[Any]:
    """An IngressClass."""
    spec = obj.get("spec") or {}
    named = spec.get("parameters") or {}
    kind = f"{named.get('kind')}.{named['apiGroup']}" if named.get("apiGroup") else str(named.get("kind"))
    shown = f"{kind}/{named.get('name')}" if named else "<none>"
    return [obj["metadata"]["name"], spec.get("controller", ""), shown, age(obj, wall_s)]


def destination_rule(obj: Json, wall_s: float) -> list[Any]:
    """A DestinationRule."""
    return [obj["metadata"]["name"], (obj.get("spec") or {}).get("host", ""), age(obj, wall_s)]
