"""What is wrong with a RouteRule's retries, faults and CORS policy?

Limits are Istio 0.7's, and a little tighter where it let a setting through that did nothing (an abort without a
status, a status that no answer can have).
"""

import re
from collections.abc import Iterator
from typing import Any

from mesh.api.durations import parse_ms
from mesh.api.errors import Cause, forbidden, invalid, required

SHAPES: dict[str, Any] = {
    "httpReqRetries": {
        "simpleRetry": {"attempts": int, "perTryTimeout": str, "overrideHeaderName": str},
        "custom": object,
    },
    "httpFault": {
        "delay": {"percent": object, "fixedDelay": str, "exponentialDelay": object, "overrideHeaderName": str},
        "abort": {
            "percent": object,
            "httpStatus": int,
            "grpcStatus": object,
            "http2Error": object,
            "overrideHeaderName": str,
        },
    },
    "corsPolicy": {
        "allowOrigin": [str],
        "allowMethods": [str],
        "allowHeaders": [str],
        "exposeHeaders": [str],
        "maxAge": str,
        "allowCredentials": bool,
    },
}
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE")
_HEADER = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_ORIGIN = re.compile(r"[!-~]+")
_NEVER = "was never executed by any version of Istio; remove it"


def http_causes(spec: dict[str, Any]) -> Iterator[Cause]:
    """spec: the clean copy, names in camelCase."""
    if "httpReqRetries" in spec:
        yield from _retries(spec["httpReqRetries"], "spec.httpReqRetries")
    if "httpFault" in spec:
        yield from _fault(spec["httpFault"], "spec.httpFault")
    if "corsPolicy" in spec:
        yield from _cors(spec["corsPolicy"], "spec.corsPolicy")


def duration_causes(text: str | None, path: str, example: str = "10s") -> Iterator[Cause]:
    """A duration that is needed, of at least a millisecond and in whole ones."""
    if text is None:
        yield required(path, f'a duration such as "{example}"')
        return
    milliseconds = parse_ms(text)
    if milliseconds is None:
        yield invalid(path, text, f'must be a duration such as "{example}" or "500ms"')
    elif milliseconds < 1 or milliseconds.denominator != 1:
        yield invalid(path, text, "must be at least 1ms, in whole milliseconds")


def _retries(retries: dict[str, Any], path: str) -> Iterator[Cause]:
    if "custom" in retries:
        yield forbidden(f"{path}.custom", "remove it: only simpleRetry was ever implemented")
    simple = retries.get("simpleRetry")
    if simple is None:
        yield required(f"{path}.simpleRetry", "attempts and perTryTimeout")
        return
    attempts = simple.get("attempts", 0)
    if not 0 <= attempts <= 1000:
        yield invalid(f"{path}.simpleRetry.attempts", attempts, "must be the number of retries after the first try")
    yield from duration_causes(simple.get("perTryTimeout"), f"{path}.simpleRetry.perTryTimeout", "2s")


def _fault(fault: dict[str, Any], path: str) -> Iterator[Cause]:
    delay, abort = fault.get("delay"), fault.get("abort")
    if delay is None and abort is None:
        yield required(path, "delay, abort or both")
    if delay is not None:
        yield from _percent(delay, f"{path}.delay")
        if "exponentialDelay" in delay:
            yield forbidden(f"{path}.delay.exponentialDelay", _NEVER)
        yield from duration_causes(delay.get("fixedDelay"), f"{path}.delay.fixedDelay", "5s")
    if abort is not None:
        yield from _percent(abort, f"{path}.abort")
        for name in ("grpcStatus", "http2Error"):
            if name in abort:
                yield forbidden(f"{path}.abort.{name}", _NEVER)
        status = abort.get("httpStatus")
        if status is None:
            yield required(f"{path}.abort.httpStatus", "the status that clients get, such as 503")
        elif not 200 <= status < 600:
            yield invalid(f"{path}.abort.httpStatus", status, "must be a status from 200 to 599")


def _percent(part: dict[str, Any], path: str) -> Iterator[Cause]:
    percent = part.get("percent")
    if percent is None:
        return
    if isinstance(percent, bool) or not isinstance(percent, int | float) or not 0 <= percent <= 100:
        yield invalid(f"{path}.percent", percent, "must be a number from 0 to 100")


def _cors(cors: dict[str, Any], path: str) -> Iterator[Cause]:
    if not cors.get("allowOrigin"):
        yield required(f"{path}.allowOrigin", 'the origins that may call, such as ["http://shop.example"] or ["*"]')
    for index, origin in enumerate(cors.get("allowOrigin") or ()):
        if not isinstance(origin, str) or not _ORIGIN.fullmatch(origin):
            yield invalid(f"{path}.allowOrigin[{index}]", str(origin), "must be an origin or *")
    for index, method in enumerate(cors.get("allowMethods") or ()):
        if method not in _METHODS:
            yield invalid(f"{path}.allowMethods[{index}]", str(method), f"must be one of {', '.join(_METHODS)}")
    for field in ("allowHeaders", "exposeHeaders"):
        for index, name in enumerate(cors.get(field) or ()):
            if not isinstance(name, str) or not _HEADER.fullmatch(name):
                yield invalid(f"{path}.{field}[{index}]", str(name), "must be a header name in lower case")
    if "maxAge" in cors:
        milliseconds = parse_ms(cors["maxAge"])
        if milliseconds is None or milliseconds < 1 or milliseconds % 1000:
            yield invalid(f"{path}.maxAge", cors["maxAge"], 'must be a duration in whole seconds, such as "24h"')
