"""How little memory do a thousand pods of one template need?

Pods of one owner are alike but for their names: what is equal is kept once. Cached objects are never changed by their
readers, so nobody sees a difference.
"""

from mesh.api.core import Pod, PodCondition, PodSpec
from mesh.api.meta import OwnerReference

MOST_OWNERS, MOST_CONDITIONS = 512, 4096


class Sharing:
    """A transform for an informer of pods."""

    def __init__(self) -> None:
        self._templates: dict[str, tuple[PodSpec, list[OwnerReference]]] = {}
        self._conditions: dict[tuple[object, ...], PodCondition] = {}

    def __call__(self, pod: Pod) -> Pod:
        """The same pod, with parts of its siblings in place of equal ones of its own."""
        owner = pod.metadata.controller
        if owner is not None:
            self._take_over(pod, owner.uid)
        if pod.status.conditions:
            pod.status.conditions = [self._known(condition) for condition in pod.status.conditions]
        return pod

    def _take_over(self, pod: Pod, owner_uid: str) -> None:
        references = pod.metadata.owner_references or []
        template = self._templates.get(owner_uid)
        if template is None:
            if len(self._templates) >= MOST_OWNERS:
                self._templates.clear()
            self._templates[owner_uid] = (pod.spec, references)
            return
        spec, owners = template
        if pod.spec.containers == spec.containers:
            pod.spec.containers = spec.containers
        if pod.spec.tolerations == spec.tolerations:
            pod.spec.tolerations = spec.tolerations
        if references == owners:
            pod.metadata.owner_references = owners

    def _known(self, condition: PodCondition) -> PodCondition:
        if condition.model_extra:
            return condition
        if len(self._conditions) >= MOST_CONDITIONS:
            self._conditions.clear()
        return self._conditions.setdefault(tuple(vars(condition).values()), condition)
