"""Given a StatefulSet and its pods, which pod is to be made or to go next, and what is its status?

Source: Kubernetes' stateful set control. Pods have ordinals; unless the policy is Parallel, each waits for those below
it, and only one goes at a time, from the top.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mesh.api.core import Pod, PodTemplateSpec, Volume
from mesh.api.workloads import StatefulSet
from mesh.controllers.actions import Action, Create, Delete, Draft, Patch, Plan, note, status_patch
from mesh.controllers.facts import available_in, dump_conditions, finished, terminating
from mesh.controllers.templates import REVISION_LABEL, pod_from

POD_NAME_LABEL = "statefulset.kubernetes.io/pod-name"
INDEX_LABEL = "apps.kubernetes.io/pod-index"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything that the decision depends on.

    pods: those it controls.  revision: the name of the present template's revision.
    templates: earlier templates by revision, as far as they are known.  wall: now, in unix seconds.
    """

    stateful_set: StatefulSet
    pods: Sequence[Pod]
    revision: str
    templates: Mapping[str, PodTemplateSpec] = field(default_factory=dict)
    wall: float = 0.0


def ordinal_of(name: str, pod_name: str) -> int | None:
    """The ordinal in a pod's name; None when it is not a name of that set."""
    found = re.fullmatch(re.escape(name) + r"-(0|[1-9][0-9]*)", pod_name)
    return int(found[1]) if found else None


def plan_stateful_set(seen: Observed) -> Plan:
    """The next steps, and the status. One step at a time unless the policy is Parallel."""
    draft = Draft()
    steps = _Steps(seen)
    if not terminating(seen.stateful_set):
        draft.add(*steps.plan())
    draft.look_again(steps.again_s)
    draft.add(_status(seen, steps))
    return draft.done()


class _Steps:
    """The set's pods by ordinal, and what to do with them."""

    def __init__(self, seen: Observed) -> None:
        self.seen = seen
        self.set = seen.stateful_set
        spec = self.set.spec
        self.replicas = 1 if spec.replicas is None else spec.replicas
        self.start = int(((spec.model_extra or {}).get("ordinals") or {}).get("start", 0))
        self.parallel = spec.pod_management_policy == "Parallel"
        strategy = spec.update_strategy or {}
        self.rolling = strategy.get("type", "RollingUpdate") == "RollingUpdate"
        self.partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
        self.again_s: float | None = None
        named = ((ordinal_of(self.set.name, pod.name), pod) for pod in seen.pods)
        self.pods = {ordinal: pod for ordinal, pod in named if ordinal is not None}

    @property
    def wanted(self) -> range:
        return range(self.start, self.start + self.replicas)

    def plan(self) -> list[Action]:
        """Fill the gaps from below, take away from the top, then bring one pod up to date."""
        actions: list[Action] = []
        if self._fill(actions) or self._shrink(actions) or not self.rolling:
            return actions
        actions.extend(self._update())
        return actions

    def _fill(self, actions: list[Action]) -> bool:
        """True when the order says to wait here."""
        for ordinal in self.wanted:
            pod = self.pods.get(ordinal)
            if pod is None:
                actions.append(self._create(ordinal))
            elif finished(pod) and not terminating(pod):
                actions.append(self._delete(pod))
            elif self.healthy(pod):
                continue
            if not self.parallel:
                return True
        return False

    def _shrink(self, actions: list[Action]) -> bool:
        """Pods above the wanted ordinals go, highest first; true when the order says to wait here."""
        surplus = sorted((o for o in self.pods if o not in self.wanted), reverse=True)
        for ordinal in surplus:
            pod = self.pods[ordinal]
            if not terminating(pod):
                actions.append(self._delete(pod))
            if not self.parallel:
                return True
        return False

    def _update(self) -> list[Action]:
        """The highest pod of another revision goes, once all above it are well."""
        for ordinal in reversed(self.wanted):
            if ordinal < self.start + self.partition:
                break
            pod = self.pods.get(ordinal)
            if pod is None:
                return []
            if pod.metadata.label_map.get(REVISION_LABEL) != self.seen.revision and not terminating(pod):
                return [self._delete(pod)]
            if not self.healthy(pod):
                return []
        return []

    def healthy(self, pod: Pod) -> bool:
        """Running, ready for long enough, and staying."""
        if terminating(pod) or pod.status.phase != "Running":
            return False
        wait_s = available_in(pod, self.set.spec.min_ready_seconds or 0, self.seen.wall)
        if wait_s and (self.again_s is None or wait_s < self.again_s):
            self.again_s = wait_s
        return wait_s == 0

    def _create(self, ordinal: int) -> Create:
        template, revision = self.set.spec.template, self.seen.revision
        current = self.set.status.current_revision
        earlier = self.seen.templates.get(current or "")
        if self.rolling and ordinal < self.start + self.partition and current and earlier is not None:
            template, revision = earlier, current
        pod = stateful_pod(self.set, template, ordinal, revision)
        message = f"create Pod {pod.name} in StatefulSet {self.set.name} successful"
        return Create(obj=pod, note=note(self.set, "SuccessfulCreate", message))

    def _delete(self, pod: Pod) -> Delete:
        message = f"delete Pod {pod.name} in StatefulSet {self.set.name} successful"
        return Delete(cls=Pod, key=pod.key, uid=pod.metadata.uid, note=note(self.set, "SuccessfulDelete", message))


def stateful_pod(owner: StatefulSet, template: PodTemplateSpec, ordinal: int, revision: str) -> Pod:
    """The pod of that ordinal: its name is its identity, in DNS and in the claims that hold its data."""
    name = f"{owner.name}-{ordinal}"
    pod = pod_from(template, owner, name, f"{owner.name}-")
    pod.metadata.labels = {
        **pod.metadata.label_map,
        POD_NAME_LABEL: name,
        INDEX_LABEL: str(ordinal),
        REVISION_LABEL: revision,
    }
    claims = [
        Volume(name=claim, persistent_volume_claim={"claimName": f"{claim}-{name}"})
        for claim in (_claim_name(raw) for raw in owner.spec.volume_claim_templates or ())
    ]
    kept = [volume for volume in template.spec.volumes or () if volume.name not in {c.name for c in claims}]
    pod.spec = template.spec.model_copy(
        update={"hostname": name, "subdomain": owner.spec.service_name, "volumes": [*kept, *claims] or None}
    )
    return pod


def _claim_name(raw: Mapping[str, object]) -> str:
    metadata = raw.get("metadata")
    return str(metadata.get("name", "data")) if isinstance(metadata, dict) else "data"


def _status(seen: Observed, steps: _Steps) -> Patch | None:
    owner = seen.stateful_set
    current = owner.status.current_revision or seen.revision
    made = [pod for pod in seen.pods if not finished(pod)]
    staying = [pod for pod in made if not terminating(pod)]
    ready = sum(pod.ready for pod in made)
    revisions = [pod.metadata.label_map.get(REVISION_LABEL) for pod in staying]
    updated = revisions.count(seen.revision)
    if steps.rolling and updated == steps.replicas == ready == len(made):
        current = seen.revision
    status = {
        "observedGeneration": owner.metadata.generation,
        "replicas": len(made),
        "readyReplicas": ready or None,
        "availableReplicas": sum(steps.healthy(pod) for pod in made),
        "currentReplicas": revisions.count(current) or None,
        "updatedReplicas": updated or None,
        "currentRevision": current,
        "updateRevision": seen.revision,
        "collisionCount": 0,
        "conditions": dump_conditions(owner.status.conditions),
    }
    return status_patch(owner, status)
