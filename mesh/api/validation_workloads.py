"""What is wrong with a Deployment, ReplicaSet or StatefulSet?"""

from collections.abc import Iterator
from typing import Any

from mesh.api.errors import Cause, forbidden, invalid, not_supported, required
from mesh.api.meta import LabelSelector
from mesh.api.selectors import from_model
from mesh.api.validation_meta import selector_causes
from mesh.api.validation_names import dns_label, int_or_percent, not_negative
from mesh.api.validation_pod import template_causes
from mesh.api.validation_storage import claim_spec_causes

Json = dict[str, Any]
_STRATEGIES = ["Recreate", "RollingUpdate"]
_SET_STRATEGIES = ["OnDelete", "RollingUpdate"]
_POLICIES = ["OrderedReady", "Parallel"]
_RETENTION = ["Delete", "Retain"]
# What a StatefulSet may change after it was made.
_SET_CHANGEABLE = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
)  # fmt: skip


def workload_causes(workload: Json) -> list[Cause]:
    """Everything wrong with a workload."""
    spec = workload.get("spec")
    if not isinstance(spec, dict):
        return []
    found = list(selector_and_labels(spec))
    found += not_negative(spec, "spec", "replicas", "minReadySeconds", "revisionHistoryLimit")
    found += template_causes(spec.get("template"), "spec.template", spec.get("volumeClaimTemplates"))
    if workload["kind"] == "Deployment":
        found += _deployment(spec)
    if workload["kind"] == "StatefulSet":
        found += _stateful_set(spec)
    return found


def workload_update_causes(workload: Json, old: Json) -> list[Cause]:
    """The selector is fixed; a StatefulSet's spec nearly so."""
    spec, had = workload.get("spec") or {}, old.get("spec") or {}
    if workload["kind"] == "StatefulSet":
        changed = [
            name
            for name in {**spec, **had}
            if name not in _SET_CHANGEABLE and spec.get(name) != had.get(name)
        ]  # fmt: skip
        if changed:
            *most, last = (f"'{name}'" for name in _SET_CHANGEABLE)
            allowed, fixed = f"{', '.join(most)} and {last}", ", ".join(sorted(changed))
            said = f"updates to statefulset spec for fields other than {allowed} are forbidden; {fixed} would change"
            return [forbidden("spec", said)]
    if spec.get("selector") != had.get("selector"):
        return [invalid("spec.selector", spec.get("selector"), "field is immutable")]
    return []


def revision_causes(revision: Json) -> list[Cause]:
    """Everything wrong with a ControllerRevision."""
    return not_negative(revision, "", "revision")


def revision_update_causes(revision: Json, old: Json) -> list[Cause]:
    """What was recorded stays."""
    if revision.get("data") == old.get("data"):
        return []
    return [invalid("data", "", "field is immutable")]


def selector_and_labels(spec: Json) -> Iterator[Cause]:
    """A workload has a selector, and its template the labels that it asks for."""
    selector = spec.get("selector")
    if not selector:
        yield required("spec.selector")
        return
    if not isinstance(selector, dict):
        return
    wrong = selector_causes(selector, "spec.selector")
    yield from wrong
    template = spec.get("template")
    meta = template.get("metadata") if isinstance(template, dict) else None
    labels = meta.get("labels") if isinstance(meta, dict) else None
    if wrong or not isinstance(labels or {}, dict):
        return
    try:
        compiled = from_model(LabelSelector.model_validate(selector))
    except ValueError:
        return  # its shape is judged elsewhere
    if not compiled.matches(labels or {}):
        yield invalid("spec.template.metadata.labels", labels or {}, "`selector` does not match template `labels`")


def _deployment(spec: Json) -> Iterator[Cause]:
    deadline, ready = spec.get("progressDeadlineSeconds"), spec.get("minReadySeconds") or 0
    if isinstance(deadline, int) and isinstance(ready, int) and deadline <= ready:
        yield invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")
    strategy = spec.get("strategy")
    if not isinstance(strategy, dict):
        return
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if isinstance(kind, str) and kind not in _STRATEGIES:
        yield not_supported("spec.strategy.type", kind, _STRATEGIES)
    if kind == "Recreate" and rolling is not None:
        yield forbidden("spec.strategy.rollingUpdate", "may not be given when strategy `type` is 'Recreate'")
    if kind != "RollingUpdate" or not isinstance(rolling, dict):
        return
    path = "spec.strategy.rollingUpdate"
    for name in ("maxUnavailable", "maxSurge"):
        yield from int_or_percent(f"{path}.{name}", rolling.get(name))
    if isinstance(share := rolling.get("maxUnavailable"), str) and share[:-1].isdigit() and int(share[:-1]) > 100:
        yield invalid(f"{path}.maxUnavailable", share, "must not be greater than 100%")
    if _zero(rolling.get("maxUnavailable")) and _zero(rolling.get("maxSurge")):
        shown = rolling["maxUnavailable"]
        yield invalid(f"{path}.maxUnavailable", shown, "may not be 0 when `maxSurge` is 0")


def _stateful_set(spec: Json) -> Iterator[Cause]:
    policy, strategy = spec.get("podManagementPolicy"), spec.get("updateStrategy")
    if isinstance(policy, str) and policy not in _POLICIES:
        yield not_supported("spec.podManagementPolicy", policy, _POLICIES)
    keep = spec.get("persistentVolumeClaimRetentionPolicy")
    for name, value in keep.items() if isinstance(keep, dict) else ():
        if isinstance(value, str) and value not in _RETENTION:
            yield not_supported(f"spec.persistentVolumeClaimRetentionPolicy.{name}", value, _RETENTION)
    claims = spec.get("volumeClaimTemplates")
    for index, claim in enumerate(claims if isinstance(claims, list) else ()):
        if isinstance(claim, dict):
            yield from _claim_template(claim, f"spec.volumeClaimTemplates[{index}]")
    if not isinstance(strategy, dict):
        return
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if isinstance(kind, str) and kind not in _SET_STRATEGIES:
        yield not_supported("spec.updateStrategy.type", kind, _SET_STRATEGIES)
    if isinstance(rolling, dict):
        path = "spec.updateStrategy.rollingUpdate"
        yield from not_negative(rolling, path, "partition")
        yield from int_or_percent(f"{path}.maxUnavailable", rolling.get("maxUnavailable"))
        if rolling.get("maxUnavailable") in (0, "0%"):
            yield invalid(f"{path}.maxUnavailable", rolling["maxUnavailable"], "cannot be 0")


def _claim_template(claim: Json, path: str) -> Iterator[Cause]:
    meta = claim.get("metadata")
    name = meta.get("name") if isinstance(meta, dict) else None
    if isinstance(name, str) and (wrong := dns_label(name)):
        yield invalid(f"{path}.metadata.name", name, wrong)
    yield from claim_spec_causes(claim.get("spec"), f"{path}.spec")


def _zero(value: Any) -> bool:
    return value in (0, "0%")
