"""Of what are a StatefulSet's pods and their claims made, and to whom does a claim belong?

Source: Kubernetes' stateful set utilities. A pod's name is its identity, in DNS and in the claims that hold its data; a
claim outlives its pod, unless the retention policy gives it an owner to go with.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from mesh.api.core import Pod, PodTemplateSpec, Volume
from mesh.api.meta import ObjectMeta, OwnerReference
from mesh.api.storage import PersistentVolumeClaim
from mesh.api.workloads import StatefulSet
from mesh.controllers.actions import Create, Patch, note, pinned
from mesh.controllers.facts import controller_reference
from mesh.controllers.templates import REVISION_LABEL, pod_from

POD_NAME_LABEL = "statefulset.kubernetes.io/pod-name"
INDEX_LABEL = "apps.kubernetes.io/pod-index"
RETAIN, DELETE = "Retain", "Delete"


def ordinal_of(name: str, pod_name: str) -> int | None:
    """The ordinal in a pod's name; None when it is not a name of that set."""
    stem, _, digits = pod_name.rpartition("-")
    if stem != name or not (digits.isascii() and digits.isdigit()) or (digits[0] == "0" and digits != "0"):
        return None
    return int(digits)


def ordinals(owner: StatefulSet) -> range:
    """The ordinals that the set wants pods for."""
    start = int((owner.spec.ordinals or {}).get("start") or 0)
    return range(start, start + (1 if owner.spec.replicas is None else owner.spec.replicas))


def identity(name: str, ordinal: int) -> dict[str, str]:
    """The labels that say which pod of its set a pod is."""
    return {POD_NAME_LABEL: f"{name}-{ordinal}", INDEX_LABEL: str(ordinal)}


def stateful_pod(owner: StatefulSet, template: PodTemplateSpec, ordinal: int, revision: str) -> Pod:
    """The pod of that ordinal, with its claims in place of what the template says of volumes of these names."""
    name = f"{owner.name}-{ordinal}"
    pod = pod_from(template, owner, name, f"{owner.name}-")
    pod.metadata.labels = {**pod.metadata.label_map, **identity(owner.name, ordinal), REVISION_LABEL: revision}
    claims = [
        Volume(name=volume, persistent_volume_claim={"claimName": claim})
        for volume, claim in claim_names(owner, ordinal).items()
    ]
    kept = [volume for volume in template.spec.volumes or () if volume.name not in {c.name for c in claims}]
    pod.spec = template.spec.model_copy(
        update={"hostname": name, "subdomain": owner.spec.service_name, "volumes": [*kept, *claims] or None}
    )
    return pod


def claim_names(owner: StatefulSet, ordinal: int) -> dict[str, str]:
    """Volume -> the claim of it that belongs to the pod of that ordinal."""
    names = (str(_metadata(raw).get("name", "data")) for raw in owner.spec.volume_claim_templates or ())
    return {name: f"{name}-{owner.name}-{ordinal}" for name in names}


def _metadata(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = raw.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def new_claims(owner: StatefulSet, ordinal: int, have: Mapping[str, PersistentVolumeClaim]) -> Iterator[Create]:
    """The claims that the pod of that ordinal lacks. have: claims of the namespace, by name."""
    pod_name = f"{owner.name}-{ordinal}"
    names = claim_names(owner, ordinal).values()
    for raw, name in zip(owner.spec.volume_claim_templates or (), names, strict=True):
        if name in have:
            continue
        said = _metadata(raw)
        selector = owner.spec.selector
        labels = {**(said.get("labels") or {}), **((selector.match_labels if selector else None) or {})}
        claim = PersistentVolumeClaim.model_validate({"spec": raw.get("spec") or {}})
        claim.metadata = ObjectMeta(
            name=name,
            namespace=owner.namespace,
            labels=labels or None,
            annotations=said.get("annotations"),
            owner_references=_references(owner, None, wanted=_owners(owner, None, condemned=False), have=()) or None,
        )
        message = f"create Claim {name} Pod {pod_name} in StatefulSet {owner.name} success"
        yield Create(obj=claim, note=note(owner, "SuccessfulCreate", message))


def kept_apart(
    owner: StatefulSet, ordinal: int, pod: Pod | None, have: Mapping[str, PersistentVolumeClaim]
) -> str | None:
    """The claim for whose end the pod of that ordinal must wait; None when it may come.

    A claim that is on its way out, or that will follow an earlier pod of this name, is not for the next one.
    """
    for name in claim_names(owner, ordinal).values():
        claim = have.get(name)
        if claim is None:
            continue
        if claim.metadata.deletion_timestamp is not None:
            return name
        uid = pod.metadata.uid if pod is not None else None
        for reference in claim.metadata.owner_references or ():
            if reference.kind == "Pod" and reference.name == f"{owner.name}-{ordinal}" and reference.uid != uid:
                return name
    return None


def retained(
    owner: StatefulSet, ordinal: int, pod: Pod, have: Mapping[str, PersistentVolumeClaim], *, condemned: bool
) -> Iterator[Patch]:
    """Make the claims of a pod belong to whom the retention policy says. condemned: the pod is beyond the replicas."""
    wanted = _owners(owner, pod, condemned=condemned)
    for name in claim_names(owner, ordinal).values():
        claim = have.get(name)
        if claim is None or claim.metadata.deletion_timestamp is not None:
            continue
        before = claim.metadata.owner_references or []
        after = _references(owner, pod, wanted=wanted, have=before)
        if after != before:
            dumped = [reference.model_dump(by_alias=True, exclude_none=True) for reference in after]
            yield pinned(claim, {"metadata": {"ownerReferences": dumped or None}})


def _owners(owner: StatefulSet, pod: Pod | None, *, condemned: bool) -> list[OwnerReference]:
    """With whom a claim goes: with its pod once that is scaled away, with the set, or with nobody."""
    policy = owner.spec.persistent_volume_claim_retention_policy or {}
    if condemned and pod is not None and policy.get("whenScaled", RETAIN) == DELETE:
        reference = controller_reference(pod)
        return [reference]
    if policy.get("whenDeleted", RETAIN) == DELETE:
        return [controller_reference(owner)]
    return []


def _references(
    owner: StatefulSet, pod: Pod | None, *, wanted: list[OwnerReference], have: list[OwnerReference] | tuple[()]
) -> list[OwnerReference]:
    """Other people's references stay; ours are those that are wanted."""
    ours = {owner.metadata.uid, pod.metadata.uid if pod is not None else None}
    uids = {reference.uid for reference in wanted}
    kept = [r for r in have if r.uid not in ours or r.uid in uids]
    present = {reference.uid for reference in kept}
    return [*kept, *(reference for reference in wanted if reference.uid not in present)]
