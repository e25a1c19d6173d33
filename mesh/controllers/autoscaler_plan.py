"""How many replicas do the metrics ask for, and how fast may the count change?

Kubernetes' own arithmetic: a ratio with a tolerance, careful guesses for pods whose metric is missing, the highest
recommendation of the last minutes before anything is taken away, and policies that bound each step.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
TOLERANCE = 0.1
_UP: Json = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
_DOWN: Json = {
    "stabilizationWindowSeconds": 300,
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}
_WITHIN = ("DesiredWithinRange", "the desired count is within the acceptable range")
_TOO_MANY = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
_TOO_FEW = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
_TOO_FAST_UP = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
_TOO_FAST_DOWN = ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")


@dataclass(frozen=True, slots=True)
class PodRate:
    """One pod of the target. rate: its metric now, None while it has none."""

    ready: bool
    rate: float | None


@dataclass(frozen=True, slots=True)
class Limited:
    """A count within all bounds. reason, message: of the ScalingLimited condition; bound: something cut it."""

    replicas: int
    bound: bool
    reason: str
    message: str


@dataclass(slots=True)
class History:
    """What one autoscaler remembers: (when, recommended count) and (when, change of the count)."""

    recommended: list[tuple[float, int]] = field(default_factory=list)
    changes: list[tuple[float, int]] = field(default_factory=list)

    def forget(self, before: float) -> None:
        """Drop what is older."""
        self.recommended = [entry for entry in self.recommended if entry[0] > before]
        self.changes = [entry for entry in self.changes if entry[0] > before]


def recommend(current: int, target: float, pods: Sequence[PodRate]) -> tuple[int, float] | None:
    """(count, average) that one averaged metric asks for; None when no pod has it."""
    rates = [pod.rate for pod in pods if pod.ready and pod.rate is not None]
    if not rates:
        return None
    missing = sum(pod.ready and pod.rate is None for pod in pods)
    unready = sum(not pod.ready for pod in pods)
    average = sum(rates) / len(rates)
    ratio = average / target
    unready = unready if ratio > 1 else 0
    if not missing and not unready:
        return (current if abs(ratio - 1) <= TOLERANCE else math.ceil(ratio * len(rates))), average
    # Who says nothing is taken for what keeps the count as it is, or lowers it least.
    assumed = sum(rates) + (missing * target if ratio < 1 else 0.0)
    counted = len(rates) + missing + unready
    careful = assumed / counted / target
    wanted = math.ceil(careful * counted)
    flipped = (careful > 1) != (ratio > 1)
    if (
        abs(careful - 1) <= TOLERANCE
        or flipped
        or (careful < 1 and wanted > current)
        or (careful > 1 and wanted < current)
    ):
        return current, average
    return wanted, average


def stabilize(current: int, wanted: int, history: History, behavior: Json, now: float) -> int:
    """Hold back a change that the last recommendations do not bear out; remembers `wanted`."""
    up, down = rules(behavior, "scaleUp"), rules(behavior, "scaleDown")
    if not history.recommended:
        history.recommended.append((now, current))  # what stands when one begins to look is a recommendation, too
    highest = lowest = wanted
    for at, count in history.recommended:
        if at > now - up["stabilizationWindowSeconds"]:
            lowest = min(lowest, count)
        if at > now - down["stabilizationWindowSeconds"]:
            highest = max(highest, count)
    history.recommended.append((now, wanted))
    return min(max(current, lowest), highest)


def limit(
    current: int, wanted: int, least: int, most: int, history: History, behavior: Json, now: float
) -> Limited:  # fmt: skip
    """Keep a change within the policies, and the count within its bounds."""
    if wanted > current:
        fastest = max(current, step_limit(current, rules(behavior, "scaleUp"), history, now, up=True))
        if wanted > fastest and fastest < most:
            return Limited(max(fastest, least), True, *_TOO_FAST_UP)
    elif wanted < current:
        fastest = min(current, step_limit(current, rules(behavior, "scaleDown"), history, now, up=False))
        if wanted < fastest and fastest > least:
            return Limited(min(fastest, most), True, *_TOO_FAST_DOWN)
    if wanted < least:
        return Limited(least, True, *_TOO_FEW)
    if wanted > most:
        return Limited(most, True, *_TOO_MANY)
    return Limited(wanted, False, *_WITHIN)


def step_limit(current: int, chosen: Json, history: History, now: float, up: bool) -> int:
    """The furthest count that the policies of one direction allow now."""
    if chosen["selectPolicy"] == "Disabled":
        return current
    reached: list[int] = []
    for policy in chosen["policies"]:
        recent = [change for at, change in history.changes if at > now - policy["periodSeconds"]]
        moved = sum(change for change in recent if (change > 0) == up)
        start = current - moved
        value = policy["value"]
        if policy["type"] == "Pods":
            reached.append(start + value if up else start - value)
        else:
            reached.append(math.ceil(start * (1 + value / 100)) if up else int(start * (1 - value / 100)))
    furthest = (chosen["selectPolicy"] == "Min") != up  # the generous end of what the policies reach
    return max(reached) if furthest else min(reached)


def rules(behavior: Mapping[str, Any], direction: str) -> Json:
    """The rules of scaleUp or scaleDown, with the defaults where nothing is said."""
    given = {key: value for key, value in (behavior.get(direction) or {}).items() if value is not None}
    return {**(_UP if direction == "scaleUp" else _DOWN), **given}
