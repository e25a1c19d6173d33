"""What does the API server itself put into an object before it is stored?

Names from generateName, uid, timestamps, generation, and the split between spec and status: a plain write never
touches status, a status write touches nothing else.
"""

import uuid
from random import Random
from typing import Any

from mesh.api.errors import BadRequest, Conflict, Invalid, invalid, required
from mesh.api.qos import qos_class
from mesh.api.scheme import Kind

Json = dict[str, Any]
_NAME_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_NAME_SUFFIX = 5
_LONGEST_GENERATED = 63
# What a kind's status is right after creation; every other kind starts with an empty one.
_FIRST_STATUS: dict[str, Json] = {
    "Pod": {"phase": "Pending"},
    "Namespace": {"phase": "Active"},
    "Service": {"loadBalancer": {}},
    "Ingress": {"loadBalancer": {}},
    "ReplicaSet": {"replicas": 0},
    "StatefulSet": {"replicas": 0},
    "PersistentVolume": {"phase": "Pending"},
    "PersistentVolumeClaim": {"phase": "Pending"},
    "Job": {},
    "DaemonSet": {
        "currentNumberScheduled": 0,
        "desiredNumberScheduled": 0,
        "numberMisscheduled": 0,
        "numberReady": 0,
    },
    "HorizontalPodAutoscaler": {"currentReplicas": 0, "desiredReplicas": 0},
    "PodDisruptionBudget": {"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0},
}
# A node describes itself when it registers, as a kubelet does.
_STATUS_AT_CREATION = frozenset({"Node"})


def generate_name(base: str, rng: Random) -> str:
    """`base` and five random characters, together at most 63."""
    suffix = "".join(rng.choice(_NAME_LETTERS) for _ in range(_NAME_SUFFIX))
    return base[: _LONGEST_GENERATED - _NAME_SUFFIX] + suffix


def new_uid(rng: Random) -> str:
    """A random UUID from the given source."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def without_nulls(value: Any) -> Any:
    """The same JSON without null members: as in Kubernetes, null means that the field is absent."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def check_identity(kind: Kind, obj: Json, namespace: str, name: str = "") -> None:
    """The object says what the request says. Fills in what it leaves out; raises BadRequest where they differ.

    namespace, name: from the URL; an empty name means that the object brings its own.
    """
    meta = obj.get("metadata")
    if not isinstance(meta, dict):
        if meta is not None:
            raise Invalid(kind.kind, kind.group, name, [invalid("metadata", meta, "must be an object")])
        meta = obj["metadata"] = {}
    obj["kind"], obj["apiVersion"] = kind.kind, kind.api_version
    if not kind.namespaced:
        meta.pop("namespace", None)
    else:
        given = meta.setdefault("namespace", namespace) or namespace
        if given != namespace:
            raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")
        meta["namespace"] = namespace
    if name:
        given = meta.setdefault("name", name) or name
        if given != name:
            raise BadRequest(
                f"the name of the object ({given}) does not match the name on the URL ({name})",
            )
        meta["name"] = name


def prepare_create(kind: Kind, obj: Json, now: str, rng: Random) -> None:
    """Fill in what only the server may say; changes `obj`. now: RFC 3339. Raises BadRequest, Invalid."""
    meta = obj["metadata"]
    if not meta.get("name"):
        if not meta.get("generateName"):
            raise Invalid(kind.kind, kind.group, "", [required("metadata.name", "name or generateName is required")])
        meta["name"] = generate_name(str(meta["generateName"]), rng)
    if meta.get("resourceVersion"):
        raise BadRequest("resourceVersion should not be set on objects to be created")
    for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "managedFields", "resourceVersion"):
        meta.pop(field, None)
    meta["uid"], meta["creationTimestamp"] = new_uid(rng), now
    meta.pop("generation", None)
    if kind.has_generation:
        meta["generation"] = 1
    if kind.has_status and kind.kind not in _STATUS_AT_CREATION:
        obj.pop("status", None)
        first = _FIRST_STATUS.get(kind.kind)
        if first is not None:
            obj["status"] = dict(first)
        if kind.kind == "Pod":
            spec = obj.get("spec")
            obj["status"]["qosClass"] = qos_class(spec if isinstance(spec, dict) else {})


def check_preconditions(kind: Kind, old: Json, uid: str | None, version: str | None) -> None:
    """The stored object is still the one that the writer saw. Raises Conflict."""
    meta = old["metadata"]
    if uid and uid != meta.get("uid"):
        raise Conflict(
            f'Operation cannot be fulfilled on {kind.resource} "{meta["name"]}": Precondition failed: '
            f"UID in precondition: {uid}, UID in object meta: {meta.get('uid')}",
            {"name": meta["name"], **({"group": kind.group} if kind.group else {}), "kind": kind.plural},
        )
    if version and version != meta["resourceVersion"]:
        raise Conflict.of(kind.plural, kind.group, meta["name"])


def prepare_update(kind: Kind, obj: Json, old: Json) -> None:
    """Carry over what a writer may not change; changes `obj`."""
    meta, had = obj["metadata"], old["metadata"]
    for field in ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation",
                  "resourceVersion", "generateName", "managedFields"):  # fmt: skip
        if field in had:
            meta[field] = had[field]
        else:
            meta.pop(field, None)
    meta.pop("selfLink", None)
    if had.get("deletionTimestamp") and meta.get("finalizers"):
        # Whoever is going away takes no new finalizers.
        meta["finalizers"] = [name for name in meta["finalizers"] if name in (had.get("finalizers") or ())]
    if kind.has_status:
        if "status" in old:
            obj["status"] = old["status"]
        else:
            obj.pop("status", None)


def check_binding(kind: Kind, obj: Json, old: Json) -> None:
    """A pod is given to one node and stays there. Raises Conflict."""
    if kind.kind != "Pod":
        return
    has, wants = (old.get("spec") or {}).get("nodeName"), (obj.get("spec") or {}).get("nodeName")
    if has and wants != has:
        name = old["metadata"]["name"]
        raise Conflict(f'pods "{name}" is already assigned to node "{has}"', {"name": name, "kind": "pods"})


def count_generation(kind: Kind, obj: Json, old: Json) -> None:
    """Count metadata.generation up when anything but metadata and status differs; changes `obj`."""
    if not kind.has_generation:
        return
    ignored = ("metadata", "status", "apiVersion", "kind")
    if {k: v for k, v in obj.items() if k not in ignored} != {k: v for k, v in old.items() if k not in ignored}:
        obj["metadata"]["generation"] = int(old["metadata"].get("generation") or 0) + 1


def with_status(obj: Json, old: Json) -> Json:
    """The stored object with the status of `obj`."""
    new = dict(old)
    new.pop("status", None)
    if obj.get("status") is not None:
        new["status"] = obj["status"]
    return new
