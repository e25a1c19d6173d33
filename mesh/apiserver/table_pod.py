"""What does a pod's row say, and how old is anything?"""

from typing import Any

from mesh.runtime.clock import parse_rfc3339

Json = dict[str, Any]
_UNKNOWN = "<unknown>"
_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400


def duration(seconds: float) -> str:
    """The short form that kubectl prints: 45s, 5m30s, 42m, 5h12m, 30h, 3d4h, 100d, 2y40d."""
    s = int(seconds)
    if s < 0:
        return "0s" if s >= -2 else "<invalid>"
    if s < 2 * _MINUTE:
        return f"{s}s"
    if s < 10 * _MINUTE:
        return _two(s, _MINUTE, "m", 1, "s")
    if s < 3 * _HOUR:
        return f"{s // _MINUTE}m"
    if s < 8 * _HOUR:
        return _two(s, _HOUR, "h", _MINUTE, "m")
    if s < 2 * _DAY:
        return f"{s // _HOUR}h"
    if s < 8 * _DAY:
        return _two(s, _DAY, "d", _HOUR, "h")
    if s < 2 * _YEAR:
        return f"{s // _DAY}d"
    return _two(s, _YEAR, "y", _DAY, "d") if s < 8 * _YEAR else f"{s // _YEAR}y"


def _two(seconds: int, unit: int, name: str, smaller: int, smaller_name: str) -> str:
    rest = seconds % unit // smaller
    return f"{seconds // unit}{name}" + (f"{rest}{smaller_name}" if rest else "")


def ago(stamp: Any, wall_s: float) -> str:
    """How long since an RFC 3339 time."""
    if not isinstance(stamp, str) or not stamp:
        return _UNKNOWN
    try:
        return duration(wall_s - parse_rfc3339(stamp))
    except ValueError:
        return _UNKNOWN


def age(obj: Json, wall_s: float) -> str:
    """How long since the object was made."""
    return ago(obj["metadata"].get("creationTimestamp"), wall_s)


def pod_cells(pod: Json, wall_s: float) -> list[Any]:
    """Name; Ready; Status; Restarts; Age; IP; Node; Nominated Node; Readiness Gates."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    containers = status.get("containerStatuses") or []
    before = status.get("initContainerStatuses") or []
    sidecars = [container for container in before if container.get("name") in _sidecars(pod)]
    ready = sum(1 for c in containers if c.get("ready") and (c.get("state") or {}).get("running") is not None)
    ready += sum(1 for c in sidecars if c.get("ready") and c.get("started"))
    total = len(spec.get("containers") or ()) + len(_sidecars(pod))
    begun = not _init_word(pod) or _condition(status, "Initialized")
    counted = [*sidecars, *containers] if begun else before
    return [pod["metadata"]["name"], f"{ready}/{total}", pod_status(pod),
            _restarts(counted, wall_s), age(pod, wall_s), status.get("podIP") or "<none>",
            spec.get("nodeName") or "<none>", status.get("nominatedNodeName") or "<none>", _gates(pod)]  # fmt: skip


def pod_status(pod: Json) -> str:
    """The Status column: the phase, or the most telling thing about the containers."""
    status = pod.get("status") or {}
    word = str(status.get("reason") or status.get("phase") or "")
    initializing = _init_word(pod)
    word = initializing or word
    if not initializing or _condition(status, "Initialized"):
        running = False
        for container in reversed(status.get("containerStatuses") or ()):
            state = container.get("state") or {}
            waiting, ended = state.get("waiting") or {}, state.get("terminated")
            if waiting.get("reason"):
                word = str(waiting["reason"])
            elif ended is not None:
                word = _ended(ended)
            elif container.get("ready") and state.get("running") is not None:
                running = True
        if word == "Completed" and running:
            word = "Running" if _condition(status, "Ready") else "NotReady"
    if pod["metadata"].get("deletionTimestamp"):
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return word


def _sidecars(pod: Json) -> set[str]:
    """Names of the init containers that go on running beside the others."""
    listed = (pod.get("spec") or {}).get("initContainers") or ()
    return {str(container.get("name")) for container in listed if container.get("restartPolicy") == "Always"}


def _init_word(pod: Json) -> str:
    """`Init:...` while an init container has not ended well, or a sidecar has not started; empty otherwise."""
    sidecars = _sidecars(pod)
    statuses = (pod.get("status") or {}).get("initContainerStatuses") or ()
    total = len((pod.get("spec") or {}).get("initContainers") or ())
    for position, container in enumerate(statuses):
        state = container.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting") or {}
        if ended is not None and ended.get("exitCode", 0) == 0:
            continue
        if container.get("name") in sidecars and container.get("started"):
            continue
        if ended is not None:
            return f"Init:{_ended(ended)}"
        if waiting.get("reason") and waiting["reason"] != "PodInitializing":
            return f"Init:{waiting['reason']}"
        return f"Init:{position}/{total}"
    return ""


def _ended(ended: Json) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def _restarts(containers: list[Json], wall_s: float) -> str:
    count = sum(int(container.get("restartCount") or 0) for container in containers)
    ends = [((container.get("lastState") or {}).get("terminated") or {}).get("finishedAt") for container in containers]
    last = max((end for end in ends if isinstance(end, str)), default=None)
    return f"{count} ({ago(last, wall_s)} ago)" if count and last else str(count)


def _gates(pod: Json) -> str:
    gates = (pod.get("spec") or {}).get("readinessGates") or ()
    if not gates:
        return "<none>"
    met = sum(1 for gate in gates if _condition(pod.get("status") or {}, str(gate.get("conditionType"))))
    return f"{met}/{len(gates)}"


def _condition(status: Json, name: str) -> bool:
    return any(c.get("type") == name and c.get("status") == "True" for c in status.get("conditions") or ())
