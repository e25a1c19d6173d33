"""Given a StatefulSet and its pods, which pod is to be made or to go next, and what is its status?

Source: Kubernetes' stateful set control. Pods have ordinals; unless the policy is Parallel, each waits for those below
it, and only one goes at a time, from the top. An update takes away, from the top, what is of another revision.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mesh.api.core import Pod, PodTemplateSpec
from mesh.api.storage import PersistentVolumeClaim
from mesh.api.workloads import StatefulSet
from mesh.controllers.actions import Action, Create, Delete, Draft, Plan, note, pinned
from mesh.controllers.facts import available_in, finished, terminating
from mesh.controllers.statefulset_pods import (
    POD_NAME_LABEL,
    identity,
    kept_apart,
    new_claims,
    ordinal_of,
    ordinals,
    retained,
    stateful_pod,
)
from mesh.controllers.statefulset_status import plan_status
from mesh.controllers.templates import REVISION_LABEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything that the decision depends on.

    pods: those it controls.  revision: the name of the present template's revision.
    templates: earlier templates by revision.  claims: those of its namespace, by name.
    resting: seconds until a name may be used again, of pods that are just gone.  wall: now, in unix seconds.
    """

    stateful_set: StatefulSet
    pods: Sequence[Pod]
    revision: str
    templates: Mapping[str, PodTemplateSpec] = field(default_factory=dict)
    claims: Mapping[str, PersistentVolumeClaim] = field(default_factory=dict)
    resting: Mapping[str, float] = field(default_factory=dict)
    wall: float = 0.0


def plan_stateful_set(seen: Observed) -> Plan:
    """The next steps, and the status. One step at a time unless the policy is Parallel."""
    draft = Draft()
    steps = _Steps(seen)
    if not terminating(seen.stateful_set):
        draft.add(*steps.plan())
    health = [pod for pod in seen.pods if steps.available(pod)]
    draft.look_again(steps.again_s)
    draft.add(plan_status(seen.stateful_set, seen.pods, health, steps.current, seen.revision))
    return draft.done()


def most_unavailable(owner: StatefulSet, replicas: int) -> int | None:
    """How many pods an update may take away at once; None where nothing is said (one, each after the last is well)."""
    rolling = (owner.spec.update_strategy or {}).get("rollingUpdate") or {}
    said = rolling.get("maxUnavailable")
    if said is None:
        return None
    if isinstance(said, str):
        said = math.floor(replicas * int(said.rstrip("%")) / 100)
    return max(1, int(said))


class _Steps:
    """The set's pods by ordinal, and what to do with them."""

    def __init__(self, seen: Observed) -> None:
        self.seen = seen
        self.set = seen.stateful_set
        spec = self.set.spec
        self.wanted = ordinals(self.set)
        self.parallel = spec.pod_management_policy == "Parallel"
        strategy = spec.update_strategy or {}
        self.rolling = strategy.get("type", "RollingUpdate") == "RollingUpdate"
        self.partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
        self.current = self._current_revision()
        self.again_s: float | None = None
        named = ((ordinal_of(self.set.name, pod.name), pod) for pod in seen.pods)
        self.pods = {ordinal: pod for ordinal, pod in named if ordinal is not None}

    def _current_revision(self) -> str:
        """The revision that an update under way comes from; one that is forgotten counts as the present one."""
        name = self.set.status.current_revision
        return name if name and name in self.seen.templates else self.seen.revision

    def plan(self) -> list[Action]:
        """Fill the gaps from below, take away from the top, then bring pods up to date."""
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
                actions.extend(self._make(ordinal))
            elif finished(pod):
                if not terminating(pod):
                    actions.append(self._delete(pod))
            else:
                actions.extend(self._kept(ordinal, pod))
                if self.available(pod):
                    continue
            if not self.parallel:
                return True
        return False

    def _make(self, ordinal: int) -> list[Action]:
        """A pod, after its claims."""
        name = f"{self.set.name}-{ordinal}"
        if (rest_s := self.seen.resting.get(name, 0.0)) > 0:
            self._again(rest_s)
            return []
        claim = kept_apart(self.set, ordinal, None, self.seen.claims)
        if claim is not None:
            text = f"create Pod {name} in StatefulSet {self.set.name} failed error: pvc {claim} is being deleted"
            return [note(self.set, "FailedCreate", text, "Warning")]
        return [*new_claims(self.set, ordinal, self.seen.claims), self._create(ordinal)]

    def _kept(self, ordinal: int, pod: Pod) -> list[Action]:
        """A pod that stays has its labels, its claims while it needs them to start, and owners for these."""
        actions: list[Action] = []
        if terminating(pod):
            return actions
        if POD_NAME_LABEL not in pod.metadata.label_map:
            actions.append(pinned(pod, {"metadata": {"labels": identity(self.set.name, ordinal)}}))
        if pod.status.phase in (None, "Pending"):
            actions.extend(new_claims(self.set, ordinal, self.seen.claims))
        actions.extend(retained(self.set, ordinal, pod, self.seen.claims, condemned=False))
        return actions

    def _shrink(self, actions: list[Action]) -> bool:
        """Pods beyond the wanted ordinals go, highest first; true when the order says to wait here.

        An unwell one blocks those above it, and itself goes only when no other below it is unwell.
        """
        surplus = sorted((o for o in self.pods if o not in self.wanted), reverse=True)
        unwell = [ordinal for ordinal in surplus if not self.available(self.pods[ordinal])]
        for ordinal in surplus:
            pod = self.pods[ordinal]
            actions.extend(retained(self.set, ordinal, pod, self.seen.claims, condemned=True))
        for ordinal in surplus:
            pod = self.pods[ordinal]
            if not terminating(pod) and (self.parallel or ordinal not in unwell[:-1]):
                actions.append(self._delete(pod))
            if not self.parallel:
                return True
        return False

    def _update(self) -> list[Action]:
        """Pods of another revision go, from the top down to the partition."""
        limit = most_unavailable(self.set, len(self.wanted))
        above = [ordinal for ordinal in reversed(self.wanted) if ordinal >= self.wanted.start + self.partition]
        if limit is None:
            return self._update_one(above)
        missing = sum(not self._well(ordinal) for ordinal in self.wanted)
        stale = [pod for ordinal in above if (pod := self.pods.get(ordinal)) is not None and self._stale(pod)]
        return [self._delete(pod) for pod in stale[: max(0, limit - missing)]]

    def _update_one(self, ordinals: Sequence[int]) -> list[Action]:
        """The highest, once all above it are well."""
        for ordinal in ordinals:
            pod = self.pods.get(ordinal)
            if pod is None:
                return []
            if self._stale(pod):
                return [self._delete(pod)]
            if not self.available(pod):
                return []
        return []

    def _stale(self, pod: Pod) -> bool:
        return pod.metadata.label_map.get(REVISION_LABEL) != self.seen.revision and not terminating(pod)

    def _well(self, ordinal: int) -> bool:
        pod = self.pods.get(ordinal)
        return pod is not None and self.available(pod)

    def available(self, pod: Pod) -> bool:
        """Running, ready for long enough, and staying."""
        if terminating(pod) or pod.status.phase != "Running":
            return False
        wait_s = available_in(pod, self.set.spec.min_ready_seconds or 0, self.seen.wall)
        if wait_s:
            self._again(wait_s)
        return wait_s == 0

    def _again(self, after_s: float) -> None:
        self.again_s = after_s if self.again_s is None else min(self.again_s, after_s)

    def _create(self, ordinal: int) -> Create:
        template, revision = self.set.spec.template, self.seen.revision
        if self.rolling and ordinal < self.wanted.start + self.partition and self.current != revision:
            template, revision = self.seen.templates[self.current], self.current
        pod = stateful_pod(self.set, template, ordinal, revision)
        message = f"create Pod {pod.name} in StatefulSet {self.set.name} successful"
        return Create(obj=pod, note=note(self.set, "SuccessfulCreate", message))

    def _delete(self, pod: Pod) -> Delete:
        message = f"delete Pod {pod.name} in StatefulSet {self.set.name} successful"
        return Delete(cls=Pod, key=pod.key, uid=pod.metadata.uid, note=note(self.set, "SuccessfulDelete", message))


def missing_service(owner: StatefulSet, headless: bool | None) -> str | None:
    """What is wrong with the Service that a set names; None when nothing is.

    headless: of that Service; None when there is none.
    """
    name = owner.spec.service_name
    if not name or headless:
        return None
    host = f"{owner.name}-0.{name}.{owner.namespace}.svc.cluster.local"
    if headless is None:
        return f'there is no Service "{name}" (spec.serviceName): the pods run, but names such as {host} do not resolve'
    return (
        f'Service "{name}" (spec.serviceName) is not headless: the pods run, but names such as {host} do not resolve; '
        "it needs clusterIP: None"
    )
