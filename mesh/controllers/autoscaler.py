"""Autoscalers: as many replicas as the requests ask for.

What a pod is asked to do is read from its sidecar's counter of requests, by a function that is handed in. There are no
cpu or memory figures here: an autoscaler that wants them is told so as in a cluster without a metrics server.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mesh.api.autoscaling import HorizontalPodAutoscaler
from mesh.api.core import Pod
from mesh.api.quantities import amount, quantity
from mesh.api.selectors import from_labels, from_model
from mesh.api.workloads import Deployment, ReplicaSet, StatefulSet
from mesh.controllers import autoscaler_plan as arithmetic
from mesh.controllers.actions import Key, Note, Patch, note, status_patch
from mesh.controllers.cache import select
from mesh.controllers.facts import active, dump_conditions, fresh_condition, terminating, with_condition
from mesh.controllers.runtime import DONE, Context, Controller, Result
from mesh.runtime.clock import rfc3339

Json = dict[str, Any]
Workload = Deployment | ReplicaSet | StatefulSet
METRICS = ("requests_per_second", "http_requests")
FIRST_LOOK_S = 2.0
"""A rate needs two readings: so long after the first comes the second."""
_REMEMBERED_S = 3600.0
_HELD_DOWN = (
    "AbleToScale", "True", "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)  # fmt: skip
_HELD_UP = (
    "AbleToScale", "True", "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measured:
    """What one metric asks for. problem: (reason, message) when it cannot be known. current: for the status."""

    replicas: int = 0
    current: Json | None = None
    described: str = ""
    problem: tuple[str, str] | None = None


class AutoscalerController(Controller):
    """HorizontalPodAutoscaler -> replicas of its target."""

    name = "horizontal-pod-autoscaler"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._scalers = self.caches.informers[HorizontalPodAutoscaler]
        self._scalers.on_change(self._changed)
        self._histories: dict[Key, arithmetic.History] = {}
        self._readings: dict[Key, dict[str, tuple[float, float]]] = {}

    def _changed(self, old: HorizontalPodAutoscaler | None, new: HorizontalPodAutoscaler | None) -> None:
        if new is None:
            if old is not None:
                self._histories.pop(old.key, None)
                self._readings.pop(old.key, None)
            return
        if old is None or old.spec != new.spec:
            self.enqueue(new.key)

    async def reconcile(self, key: Key) -> Result:
        scaler = self._scalers.get(key[1], key[0])
        if scaler is None or terminating(scaler):
            return DONE
        again = Result(self.settings.autoscale_interval_s)
        target = self._target(scaler)
        if target is None:
            reference = scaler.spec.scale_target_ref
            what = f'{reference.kind.lower()}s.apps "{reference.name}" not found'
            self.say(note(scaler, "FailedGetScale", what, "Warning"))
            text = f"the HPA controller was unable to get the target's current scale: {what}"
            await self._write(scaler, [("AbleToScale", "False", "FailedGetScale", text)])
            return again
        pods = [pod for pod in self._pods(target) if active(pod)]
        first = key not in self._readings
        rates = await self._rates(key, pods)
        if first and _counts_requests(scaler):
            return Result(FIRST_LOOK_S)
        await self._scale(scaler, target, rates)
        return again

    def _target(self, scaler: HorizontalPodAutoscaler) -> Workload | None:
        reference = scaler.spec.scale_target_ref
        informers: dict[str, Any] = {
            "Deployment": self.caches.deployments,
            "ReplicaSet": self.caches.replica_sets,
            "StatefulSet": self.caches.stateful_sets,
        }
        informer = informers.get(reference.kind)
        found: Workload | None = informer.get(reference.name, scaler.namespace) if informer is not None else None
        return found

    def _pods(self, target: Workload) -> Sequence[Pod]:
        spec = target.spec
        selector = from_model(spec.selector) if spec.selector else from_labels(spec.template.metadata.labels)
        return select(self.caches.pods_by_label, target.namespace, selector)

    async def _rates(self, key: Key, pods: Sequence[Pod]) -> list[arithmetic.PodRate]:
        """Requests per second of each pod since the last look."""
        totals = await self.settings.request_totals([ip for pod in pods if (ip := pod.status.pod_ip)])
        now, before = self.clock.now(), self._readings.get(key, {})
        readings: dict[str, tuple[float, float]] = {}
        rates = []
        for pod in pods:
            total, uid = totals.get(pod.status.pod_ip or ""), pod.metadata.uid or ""
            rate = None
            if total is not None:
                readings[uid] = (now, total)
                at, had = before.get(uid, (now, 0.0))
                rate = (total - had) / (now - at) if now > at and total >= had else None
            rates.append(arithmetic.PodRate(pod.ready, rate))
        self._readings[key] = readings
        return rates

    async def _scale(self, scaler: HorizontalPodAutoscaler, target: Workload, rates: list[arithmetic.PodRate]) -> None:
        current = 1 if target.spec.replicas is None else target.spec.replicas
        conditions = [("AbleToScale", "True", "SucceededGetScale",
                       "the HPA controller was able to get the target's current scale")]  # fmt: skip
        if current == 0:
            text = "scaling is disabled since the replica count of the target is zero"
            await self._write(scaler, [*conditions, ("ScalingActive", "False", "ScalingDisabled", text)], target, 0)
            return
        least, most = scaler.spec.min_replicas or 1, scaler.spec.max_replicas
        if current > most or current < least:
            wanted = min(max(current, least), most)
            bound = "above Spec.MaxReplicas" if current > most else "below Spec.MinReplicas"
            await self._rescale(scaler, target, current, wanted, f"Current number of replicas {bound}", conditions)
            return
        measured = [_measure(metric, current, rates) for metric in scaler.spec.metrics or ()]
        for found in measured:
            if found.problem is not None:
                self.say(note(scaler, found.problem[0], found.problem[1], "Warning"))
        valid = [found for found in measured if found.problem is None]
        problems = [found.problem for found in measured if found.problem is not None]
        currents = [found.current for found in valid if found.current is not None]
        wanted = max((found.replicas for found in valid), default=current)
        if problems and (not valid or wanted < current):
            # Nothing is taken away on half the facts.
            reason, why = problems[0]
            text = f"the HPA was unable to compute the replica count: {why}"
            if not valid:
                whole = f"invalid metrics ({len(problems)} invalid out of {len(measured)}), first error is: {why}"
                self.say(note(scaler, "FailedComputeMetricsReplicas", whole, "Warning"))
            await self._write(
                scaler, [*conditions, ("ScalingActive", "False", reason, text)], target, current, currents
            )
            return
        asking = max(valid, key=lambda found: found.replicas)
        text = f"the HPA was able to successfully calculate a replica count from {asking.described}"
        conditions.append(("ScalingActive", "True", "ValidMetricFound", text))
        history = self._histories.setdefault(scaler.key, arithmetic.History())
        now, behavior = self.clock.now(), scaler.spec.behavior or {}
        steady = arithmetic.stabilize(current, wanted, history, behavior, now)
        bounded = arithmetic.limit(current, steady, least, most, history, behavior, now)
        history.forget(now - _REMEMBERED_S)
        if steady != wanted:
            conditions[0] = _HELD_DOWN if steady > wanted else _HELD_UP
        limited = ("ScalingLimited", "True" if bounded.bound else "False", bounded.reason, bounded.message)
        conditions.append(limited)
        reason = f"{asking.described} {'above' if bounded.replicas > current else 'below'} target"
        if bounded.replicas < current:
            reason = "All metrics below target"
        await self._rescale(scaler, target, current, bounded.replicas, reason, conditions, currents)

    async def _rescale(
        self, scaler: HorizontalPodAutoscaler, target: Workload, current: int, wanted: int, reason: str,
        conditions: list[tuple[str, str, str, str]], currents: list[Json] | None = None,
    ) -> None:  # fmt: skip
        scaled_at = None
        if wanted != current:
            said: Note = note(scaler, "SuccessfulRescale", f"New size: {wanted}; reason: {reason}")
            pinned = {"metadata": {"resourceVersion": target.metadata.resource_version}, "spec": {"replicas": wanted}}
            await self.perform(Patch(cls=type(target), key=target.key, patch=pinned, note=said))
            history = self._histories.setdefault(scaler.key, arithmetic.History())
            history.changes.append((self.clock.now(), wanted - current))
            text = f"the HPA controller was able to update the target scale to {wanted}"
            conditions[0] = ("AbleToScale", "True", "SucceededRescale", text)
            scaled_at = rfc3339(self.clock.wall())
        elif conditions[0][2] == "SucceededGetScale":
            conditions[0] = ("AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size")
        await self._write(scaler, conditions, target, wanted, currents, scaled_at)

    async def _write(
        self, scaler: HorizontalPodAutoscaler, conditions: list[tuple[str, str, str, str]],
        target: Workload | None = None, desired: int = 0, currents: list[Json] | None = None,
        scaled_at: str | None = None,
    ) -> None:  # fmt: skip
        kept = scaler.status.conditions
        for condition in conditions:
            fresh = fresh_condition(*condition, self.clock.wall())
            fresh.last_update_time = None
            kept = with_condition(kept, fresh)
        status: Json = {
            "observedGeneration": scaler.metadata.generation,
            "lastScaleTime": scaled_at or scaler.status.last_scale_time,
            "currentReplicas": (target.status.replicas or 0) if target is not None else 0,
            "desiredReplicas": desired,
            "currentMetrics": currents or None,
            "conditions": dump_conditions(kept),
        }
        patch = status_patch(scaler, status)
        if patch is not None:
            await self.perform(patch)


def _counts_requests(scaler: HorizontalPodAutoscaler) -> bool:
    return any(metric.get("type") == "Pods" for metric in scaler.spec.metrics or ())


def _measure(metric: Json, current: int, rates: Sequence[arithmetic.PodRate]) -> Measured:
    """What one metric of the spec asks for."""
    kind = str(metric.get("type"))
    if kind == "Pods":
        return _measure_requests(metric.get("pods") or {}, current, rates)
    if kind == "Resource":
        source = metric.get("resource") or {}
        name = source.get("name")
        figure = "utilization" if (source.get("target") or {}).get("type") == "Utilization" else "usage"
        why = (
            f"failed to get {name} {figure}: unable to get metrics for resource {name}: unable to fetch metrics from "
            "resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)"
        )
        return Measured(problem=("FailedGetResourceMetric", why))
    why = f"metrics of type {kind} are not known here; use type Pods with metric {METRICS[0]}"
    return Measured(problem=(f"FailedGet{kind}Metric", why))


def _measure_requests(source: Json, current: int, rates: Sequence[arithmetic.PodRate]) -> Measured:
    name = str((source.get("metric") or {}).get("name"))
    if name not in METRICS:
        why = f"unable to get metric {name}: only {' and '.join(METRICS)} are counted here"
        return Measured(problem=("FailedGetPodsMetric", why))
    target = amount((source.get("target") or {}).get("averageValue", 0))
    found = arithmetic.recommend(current, target, rates)
    if found is None:
        why = f"unable to get metric {name}: no pod of the target has counted requests for long enough"
        return Measured(problem=("FailedGetPodsMetric", why))
    replicas, average = found
    shown = {"metric": {"name": name}, "current": {"averageValue": quantity(average)}}
    return Measured(replicas, {"type": "Pods", "pods": shown}, f"pods metric {name}")
