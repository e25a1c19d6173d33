"""Given a Deployment and its ReplicaSets, what is the next step of its rollout?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mesh.api.core import Pod
from mesh.api.meta import LabelSelector, ObjectMeta
from mesh.api.workloads import Deployment, ReplicaSet, ReplicaSetSpec
from mesh.controllers.actions import Create, Delete, Draft, Plan, note, pinned, status_patch
from mesh.controllers.deployment_status import Phase, next_status
from mesh.controllers.facts import controller_reference, creation_order, finished, terminating
from mesh.controllers.revisions import annotations_for, marks, obsolete, recorded, revision_patch, revisions_patch
from mesh.controllers.rollout import Bounds, Size, bounds, new_size, rescale, scaling, shrink_old
from mesh.controllers.templates import HASH_LABEL, safe_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A ReplicaSet of the Deployment and the canonical bytes of its template."""

    rs: ReplicaSet
    template: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything that a step depends on.

    template: canonical bytes of the Deployment's own template.  sets: those it controls.
    pods: by uid of their ReplicaSet, terminating ones too.  wall: now, in unix seconds.
    """

    deployment: Deployment
    template: bytes
    sets: Sequence[Revision] = ()
    pods: Mapping[str, Sequence[Pod]] = field(default_factory=dict)
    wall: float = 0.0


def replicas_of(obj: Deployment | ReplicaSet) -> int:
    """Wanted pods; 1 when nothing is said."""
    return 1 if obj.spec.replicas is None else obj.spec.replicas


def is_rolling(deployment: Deployment) -> bool:
    """RollingUpdate is what happens unless Recreate is asked for."""
    return deployment.spec.strategy.type != "Recreate"


def bounds_of(deployment: Deployment) -> Bounds:
    """What the Deployment's strategy allows, in pods."""
    rolling = deployment.spec.strategy.rolling_update
    surge = rolling.max_surge if rolling and rolling.max_surge is not None else "25%"
    unavailable = rolling.max_unavailable if rolling and rolling.max_unavailable is not None else "25%"
    return bounds(replicas_of(deployment), surge, unavailable, rolling=is_rolling(deployment))


def size_of(rs: ReplicaSet) -> Size:
    """A ReplicaSet as the arithmetic sees it."""
    desired, maximum = recorded(rs)
    return Size(
        name=rs.name,
        size=replicas_of(rs),
        pods=rs.status.replicas,
        available=rs.status.available_replicas or 0,
        order=creation_order(rs),
        observed=(rs.status.observed_generation or 0) >= (rs.metadata.generation or 0),
        desired=desired,
        maximum=maximum,
    )


def plan_deployment(seen: Observed) -> Plan:
    """One step. Level-based: the next one is planned when the caches show the effect of this one."""
    step = _Step(seen)
    phase = Phase.STILL if terminating(seen.deployment) else step.advance()
    status, again = next_status(
        seen.deployment, step.new, step.old, limit=step.limit, phase=phase, created=step.created, wall=seen.wall
    )
    step.draft.add(status_patch(seen.deployment, status))
    step.draft.look_again(again)
    return step.draft.done()


class _Step:
    """The ReplicaSets told apart, and the actions collected so far."""

    def __init__(self, seen: Observed) -> None:
        self.seen = seen
        self.deployment = seen.deployment
        self.limit = bounds_of(seen.deployment)
        same = sorted((r.rs for r in seen.sets if r.template == seen.template), key=creation_order)
        self.new = same[0] if same else None
        self.old = tuple(r.rs for r in seen.sets if r.rs is not self.new)
        self.created: str | None = None
        self.draft = Draft()

    def advance(self) -> Phase:
        """Add this step's actions; says whether the rollout's progress is to be judged."""
        paused = bool(self.deployment.spec.paused)
        if self.new is not None:
            if not paused:
                self.draft.add(revisions_patch(self.deployment, self.new, self.old))
            self.draft.add(revision_patch(self.deployment, self.new))
        if paused or scaling(self.limit.replicas, self._sizes()):
            self._rescale()
            if paused:
                self._tidy()
            return Phase.STILL
        if not is_rolling(self.deployment) and self._old_pods_remain():
            return Phase.ROLLING
        if self.new is None:
            self._create()
            return Phase.ROLLING
        self._roll(self.new)
        self._tidy()
        return Phase.ROLLING

    def _sizes(self) -> list[Size]:
        return [size_of(rs) for rs in (*self.old, *((self.new,) if self.new else ()))]

    def _rescale(self) -> None:
        """`replicas` changed, or nothing else may happen: keep the proportions of what there is."""
        new = size_of(self.new) if self.new else None
        old = [size_of(rs) for rs in self.old]
        seen = self.deployment.status.replicas or 0
        self._resize(rescale(self.limit, new, old, rolling=is_rolling(self.deployment), seen=seen))

    def _roll(self, new_rs: ReplicaSet) -> None:
        """Grow the new set; when it can not grow, shrink the old ones."""
        new, old = size_of(new_rs), [size_of(rs) for rs in self.old]
        wanted = new_size(self.limit, new, old)
        if wanted != new.size:
            self._resize({new.name: wanted})
        elif is_rolling(self.deployment):
            self._resize(shrink_old(self.limit, new, old))

    def _old_pods_remain(self) -> bool:
        """Recreate: every old pod goes, and is gone, before the first new one."""
        self._resize({rs.name: 0 for rs in self.old if replicas_of(rs) > 0})
        if any(replicas_of(rs) > 0 or rs.status.replicas > 0 for rs in self.old):
            return True
        new_uid = self.new.metadata.uid if self.new else None
        others = (pods for uid, pods in self.seen.pods.items() if uid != new_uid)
        return any(not finished(pod) for pods in others for pod in pods)

    def _resize(self, sizes: Mapping[str, int]) -> None:
        """Patch the sets whose size, or the sizes written on them, are not what they should be."""
        for rs in (*self.old, *((self.new,) if self.new else ())):
            if rs.name not in sizes:
                continue
            before, after = replicas_of(rs), sizes[rs.name]
            have = rs.metadata.annotation_map
            changed = {key: value for key, value in marks(self.limit).items() if have.get(key) != value}
            if before == after and not changed:
                continue
            patch = pinned(rs, {"spec": {"replicas": after}, "metadata": {"annotations": changed}})
            self.draft.add(patch)
            if before != after:
                self._say(rs.name, before, after)

    def _say(self, name: str, before: int, after: int) -> None:
        way = "up" if after > before else "down"
        message = f"Scaled {way} replica set {name} from {before} to {after}"
        self.draft.add(note(self.deployment, "ScalingReplicaSet", message))

    def _create(self) -> None:
        """The first ReplicaSet of this template."""
        size = new_size(self.limit, Size(name="", size=0), [size_of(rs) for rs in self.old])
        rs = new_replica_set(self.deployment, self.seen.template, size)
        rs.metadata.annotations = {**annotations_for(self.deployment, None, self.old), **marks(self.limit)}
        self.created = rs.name
        self.draft.add(Create(obj=rs))
        if size:
            self._say(rs.name, 0, size)

    def _tidy(self) -> None:
        """Delete old empty sets beyond the history that is kept, once the rollout is complete."""
        if not self.deployment.spec.paused and not _complete(self.deployment, self.new, self.old):
            return
        for rs in obsolete(self.deployment, self.old):
            self.draft.add(Delete(cls=ReplicaSet, key=rs.key, uid=rs.metadata.uid, propagation="Background"))


def _complete(deployment: Deployment, new: ReplicaSet | None, old: Sequence[ReplicaSet]) -> bool:
    wanted = replicas_of(deployment)
    return (
        new is not None
        and new.status.replicas == wanted == (new.status.available_replicas or 0)
        and all(rs.status.replicas == 0 for rs in old)
    )


def new_replica_set(deployment: Deployment, template: bytes, size: int) -> ReplicaSet:
    """The ReplicaSet of the Deployment's present template, named after its hash."""
    digest = safe_hash(template, deployment.status.collision_count)
    meta = deployment.spec.template.metadata
    labels = {**(meta.labels or {}), HASH_LABEL: digest}
    selector = deployment.spec.selector or LabelSelector(match_labels=dict(meta.labels or {}))
    return ReplicaSet(
        metadata=ObjectMeta(
            name=f"{deployment.name}-{digest}",
            namespace=deployment.namespace,
            labels=labels,
            owner_references=[controller_reference(deployment)],
        ),
        spec=ReplicaSetSpec(
            replicas=size,
            min_ready_seconds=deployment.spec.min_ready_seconds or None,
            selector=selector.model_copy(
                update={"match_labels": {**(selector.match_labels or {}), HASH_LABEL: digest}}
            ),
            template=deployment.spec.template.model_copy(
                update={"metadata": meta.model_copy(update={"labels": labels})}
            ),
        ),
    )
