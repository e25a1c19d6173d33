"""May this pod be evicted now?

The budgets that select it must allow one more disruption. Who is granted one is counted at once, so that two drains at
the same moment do not both get the last.
"""

from collections.abc import Iterable
from typing import Any

from mesh.api.errors import ApiError, TooManyRequests
from mesh.api.meta import LabelSelector
from mesh.api.selectors import from_model

Json = dict[str, Any]
_ENDED = ("Succeeded", "Failed")


def budget_of(pod: Json, budgets: Iterable[Json]) -> Json | None:
    """The budget that counts for a pod; None when it may go freely. Raises ApiError where two claim it."""
    status = pod.get("status") or {}
    if status.get("phase") in (*_ENDED, "Pending") or pod["metadata"].get("deletionTimestamp"):
        return None
    labels = pod["metadata"].get("labels")
    found = [budget for budget in budgets if selects(budget, labels)]
    if len(found) > 1:
        raise ApiError("this pod has more than one PodDisruptionBudget, and an eviction can not ask several")
    return found[0] if found else None


def selects(budget: Json, labels: dict[str, str] | None) -> bool:
    """A budget without a selector covers nothing, one with an empty selector its whole namespace."""
    selector = budget["spec"].get("selector")
    return selector is not None and from_model(LabelSelector.model_validate(selector)).matches(labels)


def grant(budget: Json, pod: Json, now: str) -> Json | None:
    """The status of the budget once the pod may go; None where it need not change. Raises TooManyRequests."""
    status, spec = budget.get("status") or {}, budget["spec"]
    name = budget["metadata"]["name"]
    healthy, wanted = int(status.get("currentHealthy", 0)), int(status.get("desiredHealthy", 0))
    if not _ready(pod):
        always = spec.get("unhealthyPodEvictionPolicy") == "AlwaysAllow"
        if always or (healthy >= wanted > 0):
            return None
    if int(status.get("observedGeneration", 0)) < int(budget["metadata"].get("generation", 0)):
        raise _refused(f"The disruption budget {name} is still being processed by the server.")
    allowed = int(status.get("disruptionsAllowed", 0))
    if allowed <= 0:
        raise _refused(f"The disruption budget {name} needs {wanted} healthy pods and has {healthy} currently")
    disrupted = {**(status.get("disruptedPods") or {}), pod["metadata"]["name"]: now}
    return {**status, "disruptionsAllowed": allowed - 1, "disruptedPods": disrupted}


def _refused(why: str) -> TooManyRequests:
    cause = {"reason": "DisruptionBudget", "message": why}
    return TooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", {"causes": [cause]})


def _ready(pod: Json) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
