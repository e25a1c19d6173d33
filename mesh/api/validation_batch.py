"""What is wrong with a Job or a DaemonSet?"""

from collections.abc import Iterator
from typing import Any

from mesh.api.errors import Cause, forbidden, invalid, not_supported, required
from mesh.api.validation_names import dns_label, int_or_percent, not_negative
from mesh.api.validation_pod import template_causes
from mesh.api.validation_workloads import selector_and_labels

Json = dict[str, Any]
_MODES = ["Indexed", "NonIndexed"]
_REPLACEMENT = ["TerminatingOrFailed"]
_NOT_EXECUTED = ("podFailurePolicy", "successPolicy", "backoffLimitPerIndex", "maxFailedIndexes", "managedBy")
_SET_STRATEGIES = ["OnDelete", "RollingUpdate"]
_RESTART = ("OnFailure", "Never")
_FIXED = ("selector", "completionMode")
# What may change of the template while a Job is suspended and has not begun.
_DIRECTIVES = ("affinity", "nodeSelector", "tolerations", "schedulingGates")


def job_causes(job: Json) -> list[Cause]:
    """Everything wrong with a Job."""
    spec = job.get("spec")
    return list(_job(spec, str(job["metadata"].get("name")))) if isinstance(spec, dict) else []


def job_update_causes(job: Json, old: Json) -> list[Cause]:
    """What a Job does is fixed; how fast it does it may change."""
    spec, had = job.get("spec") or {}, old.get("spec") or {}
    found = [
        invalid(f"spec.{name}", _shown(spec.get(name)), "field is immutable")
        for name in _FIXED
        if spec.get(name) != had.get(name)
    ]
    if spec.get("completions") != had.get("completions"):
        together = spec.get("completions") == spec.get("parallelism")
        if spec.get("completionMode") != "Indexed" or not together:
            found.append(invalid("spec.completions", _shown(spec.get("completions")), "field is immutable"))
    waiting = had.get("suspend") and not (old.get("status") or {}).get("startTime")
    before, after = had.get("template"), spec.get("template")
    if waiting:
        before, after = _without_directives(before), _without_directives(after)
    if before != after:
        found.append(invalid("spec.template", "", "field is immutable"))
    return found


def daemon_set_causes(daemon_set: Json) -> list[Cause]:
    """Everything wrong with a DaemonSet."""
    spec = daemon_set.get("spec")
    return list(_daemon_set(spec)) if isinstance(spec, dict) else []


def daemon_set_update_causes(daemon_set: Json, old: Json) -> list[Cause]:
    """The selector is fixed."""
    spec, had = daemon_set.get("spec") or {}, old.get("spec") or {}
    if spec.get("selector") != had.get("selector"):
        return [invalid("spec.selector", _shown(spec.get("selector")), "field is immutable")]
    return []


def _job(spec: Json, job_name: str) -> Iterator[Cause]:
    yield from selector_and_labels(spec)
    yield from not_negative(
        spec, "spec", "parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished",
    )  # fmt: skip
    for name in _NOT_EXECUTED:
        if spec.get(name) is not None:
            yield forbidden(f"spec.{name}", "is not executed here; leave it out")
    yield from _choice(spec, "completionMode", _MODES)
    yield from _choice(spec, "podReplacementPolicy", _REPLACEMENT)
    if spec.get("completionMode") == "Indexed":
        if spec.get("completions") is None:
            yield required("spec.completions", "when completion mode is Indexed")
        elif isinstance(spec["completions"], int) and (
            wrong := dns_label(f"{job_name}-{max(spec['completions'] - 1, 0)}")
        ):
            yield invalid("metadata.name", job_name, f"its pods' names {wrong}")
    yield from template_causes(spec.get("template"), "spec.template", ends=True)
    template = spec.get("template")
    pod = template.get("spec") if isinstance(template, dict) else None
    if isinstance(pod, dict) and pod.get("restartPolicy") not in _RESTART:
        yield required("spec.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"')


def _daemon_set(spec: Json) -> Iterator[Cause]:
    yield from selector_and_labels(spec)
    yield from not_negative(spec, "spec", "minReadySeconds", "revisionHistoryLimit")
    yield from template_causes(spec.get("template"), "spec.template")
    strategy = spec.get("updateStrategy")
    if not isinstance(strategy, dict):
        return
    if isinstance(kind := strategy.get("type"), str) and kind not in _SET_STRATEGIES:
        yield not_supported("spec.updateStrategy.type", kind, _SET_STRATEGIES)
    rolling, path = strategy.get("rollingUpdate"), "spec.updateStrategy.rollingUpdate"
    if not isinstance(rolling, dict):
        return
    for name in ("maxUnavailable", "maxSurge"):
        yield from int_or_percent(f"{path}.{name}", rolling.get(name))
    if rolling.get("maxSurge") not in (0, "0%", None):
        yield forbidden(f"{path}.maxSurge", "is not executed here; nodes change their pod with maxUnavailable")
    if rolling.get("maxUnavailable") in (0, "0%"):
        yield required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0")


def _choice(spec: Json, field: str, allowed: list[str]) -> list[Cause]:
    value = spec.get(field)
    return [not_supported(f"spec.{field}", value, allowed)] if isinstance(value, str) and value not in allowed else []


def _without_directives(template: Any) -> Any:
    if not isinstance(template, dict):
        return template
    meta, pod = dict(template.get("metadata") or {}), dict(template.get("spec") or {})
    for name in ("labels", "annotations"):
        meta.pop(name, None)
    for name in _DIRECTIVES:
        pod.pop(name, None)
    return {"metadata": meta, "spec": pod}


def _shown(value: Any) -> Any:
    return "" if isinstance(value, dict | list) or value is None else value
