"""What do the fields of volumes, claims, classes, jobs and daemon sets mean when left out?"""

from typing import Any

from mesh.api.defaults_pod import default_template

Json = dict[str, Any]
_BACKOFF_LIMIT = 6
_OLD = "extensions/v1beta1"


def _part(obj: Json, name: str) -> Json:
    part = obj.setdefault(name, {})
    return part if isinstance(part, dict) else {}


def default_volume(obj: Json, _api_version: str) -> None:
    """A PersistentVolume stays with its data unless somebody says otherwise."""
    spec = _part(obj, "spec")
    spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
    spec.setdefault("volumeMode", "Filesystem")
    path = spec.get("hostPath")
    if isinstance(path, dict):
        path.setdefault("type", "")
    claim = spec.get("claimRef")
    if isinstance(claim, dict):
        claim.setdefault("kind", "PersistentVolumeClaim")
        claim.setdefault("apiVersion", "v1")


def default_claim(obj: Json, _api_version: str) -> None:
    """A PersistentVolumeClaim. A limit without a request is the request too."""
    spec = _part(obj, "spec")
    spec.setdefault("volumeMode", "Filesystem")
    resources = spec.get("resources")
    limits = resources.get("limits") if isinstance(resources, dict) else None
    if isinstance(resources, dict) and isinstance(limits, dict):
        requests = _part(resources, "requests")
        for name, amount in limits.items():
            requests.setdefault(name, amount)


def default_class(obj: Json, _api_version: str) -> None:
    """A StorageClass."""
    obj.setdefault("reclaimPolicy", "Delete")
    obj.setdefault("volumeBindingMode", "Immediate")


def default_daemon_set(obj: Json, api_version: str) -> None:
    """A DaemonSet. In its oldest version it took its selector from the template and waited for deletes."""
    spec = _part(obj, "spec")
    if api_version == _OLD and not spec.get("selector"):
        labels = _part(_part(spec, "template"), "metadata").get("labels")
        if isinstance(labels, dict) and labels:
            spec["selector"] = {"matchLabels": dict(labels)}
    strategy = _part(spec, "updateStrategy")
    strategy.setdefault("type", "OnDelete" if api_version == _OLD else "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = _part(strategy, "rollingUpdate")
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    default_template(_part(spec, "template"))


def default_job(obj: Json, _api_version: str) -> None:
    """A Job. Unless its writer takes care of it, its pods are told from all others by the Job's uid."""
    spec = _part(obj, "spec")
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", _BACKOFF_LIMIT)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    spec.setdefault("podReplacementPolicy", "TerminatingOrFailed")
    template = _part(spec, "template")
    _select_by_uid(obj, spec, template)
    default_template(template)


def _select_by_uid(obj: Json, spec: Json, template: Json) -> None:
    meta = obj.get("metadata")
    if not isinstance(meta, dict) or spec.get("manualSelector") or spec.get("selector") or not meta.get("uid"):
        return
    uid, name = meta["uid"], str(meta.get("name"))
    labels = _part(_part(template, "metadata"), "labels")
    for prefix in ("batch.kubernetes.io/", ""):
        labels.setdefault(f"{prefix}controller-uid", uid)
        labels.setdefault(f"{prefix}job-name", name)
    spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
