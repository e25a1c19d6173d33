"""What is wrong with the order in which a pod's containers start and end?"""

from collections.abc import Iterator
from typing import Any

from mesh.api.errors import Cause, forbidden, invalid, not_supported, required
from mesh.api.validation_names import port_reference

Json = dict[str, Any]
_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")
_AFTER_START, _BEFORE_STOP = "postStart", "preStop"


def order_causes(container: Json, path: str, init: bool) -> Iterator[Cause]:
    """init: it is one of the init containers."""
    policy = container.get("restartPolicy")
    if policy and not init:
        yield forbidden(f"{path}.restartPolicy", "may not be set for non-init containers")
    elif policy and policy != "Always":
        yield not_supported(f"{path}.restartPolicy", policy, ["Always"])
    if init and policy != "Always":
        for field in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
            if container.get(field):
                yield forbidden(f"{path}.{field}", "may not be set for init containers without restartPolicy=Always")
    found = container.get("lifecycle")
    lifecycle: Json = found if isinstance(found, dict) else {}
    for name in (_AFTER_START, _BEFORE_STOP):
        if lifecycle.get(name) is not None:
            yield from _hook(lifecycle[name], f"{path}.lifecycle.{name}")


def deadline_causes(spec: Json, path: str) -> Iterator[Cause]:
    seconds = spec.get("activeDeadlineSeconds")
    if isinstance(seconds, int) and seconds == 0:
        yield invalid(f"{path}.activeDeadlineSeconds", seconds, "must be greater than 0")


def _hook(hook: Any, path: str) -> Iterator[Cause]:
    if not isinstance(hook, dict):
        yield invalid(path, hook, "an object is needed here")
        return
    named = [name for name in _HANDLERS if hook.get(name) is not None]
    if not named:
        yield required(path, "must specify a handler type: one of exec, httpGet, tcpSocket and sleep")
    for extra in named[1:]:
        yield forbidden(f"{path}.{extra}", "may not specify more than 1 handler type")
    for name in named:
        given = hook[name]
        if not isinstance(given, dict):
            yield invalid(f"{path}.{name}", given, "an object is needed here")
        elif name == "exec" and not _words(given.get("command")):
            yield required(f"{path}.exec.command", "a list of words")
        elif name == "sleep" and not _seconds(given.get("seconds")):
            yield invalid(f"{path}.sleep.seconds", given.get("seconds"), "must be a whole number of seconds, 0 or more")
        elif name in ("httpGet", "tcpSocket"):
            if given.get("port") is None:
                yield required(f"{path}.{name}.port")
            else:
                yield from port_reference(f"{path}.{name}.port", given["port"])


def _words(command: Any) -> bool:
    return isinstance(command, list) and bool(command) and all(isinstance(word, str) for word in command)


def _seconds(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
