"""Which volume fits a claim, and why does another not?

Source: Kubernetes' persistent volume controller. A volume that is reserved for the claim comes first, then the smallest
that is large enough; class, access modes, mode and labels must fit either way.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from mesh.api.core import Node
from mesh.api.quantities import amount
from mesh.api.selectors import from_model
from mesh.api.storage import PersistentVolume, PersistentVolumeClaim
from mesh.api.storage_names import BETA_STORAGE_CLASS
from mesh.controllers.facts import terminating
from mesh.controllers.scheduling import node_terms_hold

Volume: TypeAlias = PersistentVolume
Claim: TypeAlias = PersistentVolumeClaim


def size(amounts: Mapping[str, Any] | None) -> float:
    """Bytes under `storage`; 0 where there are none."""
    try:
        return amount((amounts or {}).get("storage", 0))
    except (TypeError, ValueError):
        return 0.0


def wanted_size(claim: Claim) -> float:
    """Bytes that the claim asks for."""
    return size((claim.spec.resources or {}).get("requests"))


def class_of(obj: Volume | Claim) -> str | None:
    """The name of its class: "" for none, None for a claim that leaves the choice to the cluster."""
    old = obj.metadata.annotation_map.get(BETA_STORAGE_CLASS)
    if old is not None:
        return old
    if isinstance(obj, PersistentVolume):
        return obj.spec.storage_class_name or ""
    return obj.spec.storage_class_name


def reserved_for(volume: Volume, claim: Claim) -> bool:
    """Does the volume name this claim, or one of its name whose uid is not known yet?"""
    ref = volume.spec.claim_ref or {}
    if (ref.get("namespace"), ref.get("name")) != (claim.namespace, claim.name):
        return False
    return not ref.get("uid") or ref["uid"] == claim.metadata.uid


def bound_to(volume: Volume, claim: Claim) -> bool:
    """Does the volume name this very claim?"""
    return reserved_for(volume, claim) and bool((volume.spec.claim_ref or {}).get("uid"))


def mismatch(volume: Volume, claim: Claim, class_name: str) -> str | None:
    """What is wrong with a volume that the claim names, in Kubernetes' words; None when it fits."""
    if size(volume.spec.capacity) < wanted_size(claim):
        return "requested PV is too small"
    if class_of(volume) != class_name:
        return "storageClassName does not match"
    if (volume.spec.volume_mode or "Filesystem") != (claim.spec.volume_mode or "Filesystem"):
        return "incompatible volumeMode"
    if not set(claim.spec.access_modes or ()) <= set(volume.spec.access_modes or ()):
        return "incompatible accessMode"
    return None


def best(claim: Claim, class_name: str, volumes: Iterable[Volume], node: Node | None = None) -> Volume | None:
    """The volume for a claim of that class, None when there is none.

    node: where it must be within reach; None does not ask.
    """
    selector = from_model(claim.spec.selector) if claim.spec.selector is not None else None
    found: list[tuple[bool, float, str, Volume]] = []
    for volume in volumes:
        if terminating(volume) or mismatch(volume, claim, class_name) is not None:
            continue
        reserved = reserved_for(volume, claim)
        if not reserved and not is_free(volume):
            continue
        if selector is not None and not reserved and not selector.matches(volume.metadata.labels):
            continue
        if node is not None and not reachable(volume, node):
            continue
        found.append((not reserved, size(volume.spec.capacity), volume.name, volume))
    return min(found, key=lambda entry: entry[:3])[3] if found else None


def is_free(volume: Volume) -> bool:
    """Nobody has it, had it or is to have it."""
    return not volume.spec.claim_ref and volume.status.phase not in ("Released", "Failed")


def reachable(volume: Volume, node: Node) -> bool:
    """May a pod on that node use the volume?"""
    required = (volume.spec.node_affinity or {}).get("required") or {}
    terms = required.get("nodeSelectorTerms")
    return True if terms is None else node_terms_hold(terms, node)
