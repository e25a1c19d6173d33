"""What does a delete request do to an object: remove it, or mark it and wait?

A pod on a node is only marked: its node stops it and deletes it again with no grace. Finalizers keep any object until
their owners have removed them. A namespace stays until its contents are gone.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from mesh.api.errors import BadRequest, Forbidden
from mesh.api.scheme import Kind

Json = dict[str, Any]
FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
_POLICIES = {"Background": None, "Foreground": FOREGROUND, "Orphan": ORPHAN}
_KEPT_NAMESPACES = frozenset({"default", "kube-system", "kube-public"})
_DEFAULT_POD_GRACE_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOptions:
    """metav1.DeleteOptions, as far as it is executed. None leaves the choice to the kind."""

    propagation: str | None = None
    grace_period_s: int | None = None
    uid: str | None = None
    resource_version: str | None = None
    dry_run: bool = False


def options_from(body: Json) -> DeleteOptions:
    """From a request body. Raises BadRequest for a value that no cluster takes."""
    grace = body.get("gracePeriodSeconds")
    if grace is not None and (not isinstance(grace, int) or isinstance(grace, bool)):
        raise BadRequest(f"gracePeriodSeconds: {grace!r} is not a whole number")
    policy = body.get("propagationPolicy")
    if policy is None and body.get("orphanDependents") is not None:
        policy = "Orphan" if body["orphanDependents"] else "Background"
    if policy is not None and policy not in _POLICIES:
        raise BadRequest(f'propagationPolicy: "{policy}": use one of {", ".join(_POLICIES)}')
    wanted = body.get("preconditions") or {}
    if not isinstance(wanted, dict):
        raise BadRequest("preconditions must be an object")
    return DeleteOptions(
        propagation=policy,
        grace_period_s=None if grace is None else max(grace, 0),
        uid=wanted.get("uid"),
        resource_version=wanted.get("resourceVersion"),
        dry_run=bool(body.get("dryRun")),
    )


def plan_delete(kind: Kind, obj: Json, options: DeleteOptions, later: Callable[[int], str]) -> Json | None:
    """The marked object that is to be stored, or None when the object goes at once.

    later: RFC 3339 text of the time in so many seconds.  Raises Forbidden for what must stay.
    """
    meta = obj["metadata"]
    if kind.kind == "Namespace" and meta["name"] in _KEPT_NAMESPACES:
        raise Forbidden(
            f'namespaces "{meta["name"]}" is forbidden: this namespace may not be deleted',
            {"name": meta["name"], "kind": "namespaces"},
        )
    finalizers = list(meta.get("finalizers") or ())
    added = _POLICIES.get(options.propagation or "Background")
    for own in (FOREGROUND, ORPHAN):
        if options.propagation is not None and own in finalizers and own != added:
            finalizers.remove(own)
    if added is not None and added not in finalizers:
        finalizers.append(added)
    grace_s = pod_grace_s(obj, options.grace_period_s) if kind.kind == "Pod" else 0
    waits = bool(finalizers) or grace_s > 0 or bool(kind.kind == "Namespace" and obj.get("spec", {}).get("finalizers"))
    if not waits:
        return None
    marked = deepcopy(obj)
    new_meta = marked["metadata"]
    if finalizers:
        new_meta["finalizers"] = finalizers
    else:
        new_meta.pop("finalizers", None)
    shorter = grace_s < meta.get("deletionGracePeriodSeconds", grace_s + 1)
    if not meta.get("deletionTimestamp") or (kind.kind == "Pod" and shorter):
        new_meta["deletionTimestamp"] = later(grace_s)
        new_meta["deletionGracePeriodSeconds"] = grace_s
        if kind.has_generation and not meta.get("deletionTimestamp"):
            new_meta["generation"] = int(meta.get("generation") or 0) + 1
    if kind.kind == "Namespace":
        marked["status"] = {**(marked.get("status") or {}), "phase": "Terminating"}
    return marked


def pod_grace_s(pod: Json, asked_s: int | None) -> int:
    """How long a pod may take to stop: nothing when no node holds it or it has ended already."""
    if not pod.get("spec", {}).get("nodeName"):
        return 0
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    if asked_s is not None:
        return asked_s
    own = pod["spec"].get("terminationGracePeriodSeconds")
    return _DEFAULT_POD_GRACE_S if own is None else int(own)


def is_gone(kind: Kind, obj: Json) -> bool:
    """True when nothing keeps a marked object any more, so that a write removes it."""
    meta = obj["metadata"]
    if not meta.get("deletionTimestamp") or meta.get("finalizers"):
        return False
    if kind.kind == "Namespace":
        return not obj.get("spec", {}).get("finalizers")
    return kind.kind != "Pod" or not meta.get("deletionGracePeriodSeconds")
