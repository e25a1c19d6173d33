"""What do a pod's claims have against the nodes, and what must be written before it goes to one?

Source: Kubernetes' VolumeBinding and VolumeRestrictions plugins. A claim that waits for its first consumer is bound to
a volume within reach of the chosen node, or has one made there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mesh.api.core import Node
from mesh.api.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from mesh.api.storage_names import BIND_COMPLETED, BOUND_BY_CONTROLLER, RWOP, SELECTED_NODE
from mesh.controllers.actions import Action, Patch, pinned
from mesh.controllers.claims_plan import LATE, claim_reference
from mesh.controllers.facts import terminating
from mesh.controllers.provisioner_plan import within_topologies
from mesh.controllers.scheduling import node_terms_hold
from mesh.controllers.volume_match import best, class_of, reachable

UNBOUND = "pod has unbound immediate PersistentVolumeClaims"
ONE_POD = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
AFFINITY = "node(s) had volume node affinity conflict"
NONE_THERE = "node(s) didn't find available persistent volumes to bind"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One claim that a pod names. claim: None when there is none of that name.

    volume: the one that it names.  storage_class: the one that it names.  others: other pods that use it now.
    made_for: uid of the pod whose own, ephemeral claim it is to be; empty for a claim that anybody may use.
    """

    name: str
    claim: PersistentVolumeClaim | None = None
    volume: PersistentVolume | None = None
    storage_class: StorageClass | None = None
    others: int = 0
    made_for: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """blocked: why no node will do, whichever it is; obstacles: node name -> what is in the way there.

    soon: what blocks it is usually over in a moment.
    """

    blocked: str | None = None
    soon: bool = False
    obstacles: Mapping[str, str] = field(default_factory=dict)


def weigh(claims: Sequence[Wanted], nodes: Sequence[Node], volumes: Sequence[PersistentVolume]) -> Verdict:
    """What the claims of a pod say about each node. volumes: all there are."""
    obstacles: dict[str, str] = {}
    for wanted in claims:
        claim = wanted.claim
        blocked = _blocked(wanted)
        if claim is None or blocked is not None:
            return Verdict(blocked=blocked, soon=blocked == UNBOUND or (claim is None and bool(wanted.made_for)))
        for node in nodes:
            reason = _obstacle(wanted, claim, node, volumes)
            if reason is not None:
                obstacles.setdefault(node.name, reason)
    return Verdict(obstacles=obstacles)


def _blocked(wanted: Wanted) -> str | None:
    claim = wanted.claim
    if claim is None:
        if wanted.made_for:
            return f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{wanted.name}"'
        return f'persistentvolumeclaim "{wanted.name}" not found'
    owner = claim.metadata.controller
    if wanted.made_for and (owner is None or owner.uid != wanted.made_for):
        return f'persistentvolumeclaim "{wanted.name}" was not created for the pod (pod is not owner)'
    if terminating(claim):
        return f'persistentvolumeclaim "{wanted.name}" is being deleted'
    if claim.status.phase == "Lost":
        return (
            f'persistentvolumeclaim "{wanted.name}" bound to non-existent persistentvolume "{claim.spec.volume_name}"'
        )
    if not is_bound(claim) and not _late(wanted):
        return UNBOUND
    return None


def is_bound(claim: PersistentVolumeClaim) -> bool:
    """Does it have its volume for good?"""
    return bool(claim.spec.volume_name) and BIND_COMPLETED in claim.metadata.annotation_map


def _late(wanted: Wanted) -> bool:
    return wanted.storage_class is not None and wanted.storage_class.volume_binding_mode == LATE


def _obstacle(
    wanted: Wanted, claim: PersistentVolumeClaim, node: Node, volumes: Sequence[PersistentVolume]
) -> str | None:
    if RWOP in (claim.spec.access_modes or ()) and wanted.others:
        return ONE_POD
    if is_bound(claim):
        return None if wanted.volume is None or reachable(wanted.volume, node) else AFFINITY
    if best(claim, class_of(claim) or "", volumes, node) is not None:
        return None
    storage_class = wanted.storage_class
    if storage_class is None or storage_class.provisioner.startswith("kubernetes.io/"):
        return NONE_THERE
    required = (within_topologies(storage_class) or {}).get("required")
    if required is not None and not node_terms_hold(required["nodeSelectorTerms"], node):
        return NONE_THERE
    return None


def settle(claims: Sequence[Wanted], node: Node, volumes: Sequence[PersistentVolume]) -> list[Action]:
    """The writes that bind what waits for its first consumer, now that the node is chosen.

    Empty when all is bound. The pod is bound to the node only when nothing is left to write.
    """
    actions: list[Action] = []
    taken: set[str] = set()
    for wanted in claims:
        claim = wanted.claim
        if claim is None or is_bound(claim):
            continue
        free = [volume for volume in volumes if volume.name not in taken]
        found = best(claim, class_of(claim) or "", free, node)
        if found is not None:
            taken.add(found.name)
            if not (found.spec.claim_ref or {}).get("uid"):
                patch = {"metadata": {"annotations": {BOUND_BY_CONTROLLER: "yes"}},
                         "spec": {"claimRef": claim_reference(claim)}}  # fmt: skip
                actions.append(pinned(found, patch))
        elif claim.metadata.annotation_map.get(SELECTED_NODE) != node.name:
            metadata = {"uid": claim.metadata.uid, "annotations": {SELECTED_NODE: node.name}}
            actions.append(Patch(cls=PersistentVolumeClaim, key=claim.key, patch={"metadata": metadata}))
    return actions


def waits(claims: Sequence[Wanted]) -> bool:
    """Is a claim still without its volume?"""
    return any(wanted.claim is None or not is_bound(wanted.claim) for wanted in claims)
