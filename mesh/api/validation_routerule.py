"""What is wrong with this RouteRule?

Works on the JSON as it was written, so that a misspelt field is found before a model could swallow it. One pass
(`_Reader`) checks names and types and hands back a clean copy with camelCase names; the checks after it ask what
Istio 0.7 asked, and a little more where Istio let a mistake through to the proxy: regexes must compile, fields that
this version does not execute are refused. Whether the named services exist is not asked here (see translate/analysis).
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import re2
from pydantic.alias_generators import to_camel

from mesh.api.errors import Cause, forbidden, invalid, required
from mesh.api.validation_routerule_http import SHAPES, duration_causes, http_causes

_SERVICE: dict[str, Any] = {"name": str, "namespace": str, "domain": str, "service": str, "labels": "labels"}
_SPEC: dict[str, Any] = {
    "destination": _SERVICE,
    "precedence": int,
    "match": {"source": _SERVICE, "request": {"headers": "matchers"}, "tcp": object, "udp": object},
    "route": [{"destination": _SERVICE, "labels": "labels", "weight": int}],
    "redirect": {"uri": str, "authority": str},
    "rewrite": {"uri": str, "authority": str},
    "websocketUpgrade": bool,
    "httpReqTimeout": {"simpleTimeout": {"timeout": str, "overrideHeaderName": str}, "custom": object},
    "httpReqRetries": SHAPES["httpReqRetries"],
    "httpFault": SHAPES["httpFault"],
    "l4Fault": object,
    "mirror": _SERVICE,
    "corsPolicy": SHAPES["corsPolicy"],
    "appendHeaders": "strings",
}
_MATCHER: dict[str, Any] = {"exact": str, "prefix": str, "regex": str}
_TOP = ("apiVersion", "kind", "metadata", "spec", "status")
_NOUN: dict[Any, str] = {str: "text", int: "a whole number", bool: "true or false"}

# What newer rule kinds call a thing, or where people look for it first.
_HINTS = {
    "timeout": 'write "httpReqTimeout: {simpleTimeout: {timeout: 10s}}"',
    "retries": 'it is called "httpReqRetries" here',
    "fault": 'it is called "httpFault" here',
    "headers": 'request headers belong under "match.request.headers"',
    "uri": 'write it as a header called "uri": "match.request.headers.uri"',
    "method": 'write it as a header called "method": "match.request.headers.method"',
    "subset": 'write "labels" with the pod labels that make the subset',
    "host": 'write "name" (or "service" for a complete host name)',
    "hosts": 'write "destination.name"',
    "http": "that is a VirtualService's field; a RouteRule holds one route, directly below spec",
    "weights": 'each entry of "route" has its own "weight"',
}
_LATER = "this version of the mesh does not execute it, and would rather refuse a rule than skip part of it"
_PSEUDO = frozenset({":method", ":path", ":authority", ":scheme"})
_HEADER = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_TEXT = re.compile(r"[-A-Za-z0-9_./]*")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_WEIGHT_SUM = 100


def causes(spec_json: Mapping[str, Any], namespace: str) -> list[Cause]:
    """Everything wrong with a RouteRule, all at once; an empty list means it can be executed.

    spec_json: the whole object as decoded from JSON or YAML.  namespace: where it lives; names resolve there.
    """
    found = [_misplaced(key) for key in spec_json if key not in _TOP]
    raw = spec_json.get("spec")
    if raw is None:
        return [*found, required("spec", 'name at least the service: "destination: {name: my-service}"')]
    reader = _Reader()
    spec = reader.read(raw, _SPEC, "spec")
    found += reader.causes
    if isinstance(spec, dict):
        unreadable = [cause.field for cause in reader.causes]
        found += [cause for cause in _judge(spec) if not _covers(cause.field, unreadable)]
    return found


def _covers(field: str, unreadable: list[str]) -> bool:
    """True when the field, or a part of it, could not be read: judging it would only repeat that."""
    return any(path == field or path.startswith((f"{field}.", f"{field}[")) for path in unreadable)


def _misplaced(key: str) -> Cause:
    if to_camel(key) in _SPEC:
        return forbidden(key, f'no such field here; it belongs below spec: "spec.{to_camel(key)}"')
    return forbidden(key, "no such field; a RouteRule has apiVersion, kind, metadata and spec")


class _Reader:
    """Reads JSON by a shape: what fits is returned, what does not becomes a cause."""

    def __init__(self) -> None:
        self.causes: list[Cause] = []

    def read(self, value: Any, shape: Any, path: str) -> Any:
        """The clean copy; None where the value can not be used. A null counts as absent, as in proto JSON."""
        if value is None or shape is object:
            return value
        if isinstance(shape, dict):
            return self._fields(value, shape, path)
        if isinstance(shape, list):
            if not isinstance(value, list):
                return self._wrong(path, value, "a list is needed here; start each entry with a dash")
            return [self.read(item, shape[0], f"{path}[{index}]") or {} for index, item in enumerate(value)]
        if isinstance(shape, str):
            return self._free_map(value, _MATCHER if shape == "matchers" else str, path)
        if (isinstance(value, bool) and shape is not bool) or not isinstance(value, shape):
            quote = " (put it in quotes)" if shape is str and isinstance(value, int | float) else ""
            return self._wrong(path, value, f"{_NOUN[shape]} is needed here{quote}")
        return value

    def _fields(self, value: Any, shape: dict[str, Any], path: str) -> dict[str, Any] | None:
        if not isinstance(value, dict):
            self._wrong(path, value, "an object is needed here, with " + ", ".join(shape))
            return None
        clean: dict[str, Any] = {}
        for key, item in value.items():
            name = to_camel(key) if isinstance(key, str) and "_" in key else key
            if name not in shape:
                self.causes.append(forbidden(f"{path}.{key}", _unknown(str(key), shape)))
            elif item is not None:
                clean[name] = self.read(item, shape[name], f"{path}.{name}")
        return {name: item for name, item in clean.items() if item is not None}

    def _free_map(self, value: Any, shape: Any, path: str) -> dict[str, Any] | None:
        if not isinstance(value, dict):
            self._wrong(path, value, "an object is needed here: name: value")
            return None
        clean = {str(key): self.read(item, shape, f"{path}[{key}]") for key, item in value.items()}
        return {key: item if item is not None else shape() if shape is str else {} for key, item in clean.items()}

    def _wrong(self, path: str, value: Any, message: str) -> None:
        shown = value if isinstance(value, str | int | float) else type(value).__name__
        self.causes.append(invalid(path, shown, message))


def _unknown(key: str, shape: dict[str, Any]) -> str:
    name = to_camel(key)
    near = difflib.get_close_matches(name, shape, n=1, cutoff=0.7)
    if near:
        return f'no such field; did you mean "{near[0]}"?'
    return f"no such field; {_HINTS.get(name) or 'known here: ' + ', '.join(shape)}"


def _judge(spec: dict[str, Any]) -> Iterator[Cause]:
    """What the clean copy breaks."""
    yield from _destination(spec)
    if not -(2**31) <= spec.get("precedence", 0) < 2**31:
        yield invalid("spec.precedence", spec["precedence"], "must fit 32 bits; larger numbers are tried earlier")
    yield from _match(spec.get("match", {}))
    if "route" in spec:
        yield from _route(spec["route"])
    for name in ("redirect", "rewrite"):
        if name in spec:
            yield from _target(spec[name], f"spec.{name}")
    if "redirect" in spec:
        for other in ("route", "rewrite"):
            if other in spec:
                yield forbidden(f"spec.{other}", "can not stand beside redirect, which answers by itself; drop one")
    yield from _timeout(spec.get("httpReqTimeout"))
    if "mirror" in spec:
        yield from _service(spec["mirror"], "spec.mirror")
    yield from _append_headers(spec.get("appendHeaders", {}))
    yield from http_causes(spec)
    yield from _not_executed(spec)


def _not_executed(spec: dict[str, Any]) -> Iterator[Cause]:
    if "l4Fault" in spec:
        yield forbidden("spec.l4Fault", "remove it: no version of Istio ever implemented it")


def _destination(spec: dict[str, Any]) -> Iterator[Cause]:
    if "destination" not in spec:
        yield required("spec.destination", 'name the service the rule is for: "destination: {name: my-service}"')
        return
    yield from _service(spec["destination"], "spec.destination")
    if "labels" in spec["destination"]:
        yield forbidden(
            "spec.destination.labels", "a rule is for a whole service; write labels at the entries of route"
        )


def _service(service: dict[str, Any], path: str) -> Iterator[Cause]:
    """An IstioService: either a short name that is resolved, or a complete host."""
    name, host = service.get("name", ""), service.get("service", "")
    if not name and not host:
        yield required(f"{path}.name", "give name (a service of this mesh) or service (a complete host name)")
    if name and host:
        yield forbidden(f"{path}.service", "give either name or service, not both")
    if host:
        for other in ("namespace", "domain"):
            if service.get(other):
                yield forbidden(f"{path}.{other}", "service is already a complete host name; drop one of the two")
        if not _is_domain(host.removeprefix("*").removeprefix(".")):
            yield invalid(f"{path}.service", host, "must be a host name such as my-app.default.svc.cluster.local")
    for field in ("name", "namespace"):
        if service.get(field) and not _LABEL.fullmatch(service[field]):
            yield invalid(
                f"{path}.{field}",
                service[field],
                "must be one DNS label: lower-case letters, digits and '-', at most 63; "
                "a dotted name goes into service, a namespace into namespace",
            )
    if service.get("domain") and not _is_domain(service["domain"]):
        yield invalid(f"{path}.domain", service["domain"], "must be a dotted DNS name such as example.com")
    yield from _labels(service.get("labels", {}), f"{path}.labels")


def _is_domain(text: str) -> bool:
    return 0 < len(text) <= 255 and all(_LABEL.fullmatch(label) for label in text.lower().split("."))


def _labels(labels: dict[str, str], path: str) -> Iterator[Cause]:
    for key, value in labels.items():
        for text in (key, value):
            if not _LABEL_TEXT.fullmatch(text):
                yield invalid(f"{path}[{key}]", text, "labels are made of letters, digits and -_./")


def _match(match: dict[str, Any]) -> Iterator[Cause]:
    if "source" in match:
        yield from _service(match["source"], "spec.match.source")
    for name, matcher in match.get("request", {}).get("headers", {}).items():
        yield from _matcher(name, matcher, f"spec.match.request.headers[{name}]")
    if "tcp" in match:
        yield forbidden("spec.match.tcp", f"remove it: {_LATER}")
    if "udp" in match:
        yield forbidden("spec.match.udp", "remove it: no version of Istio ever implemented it")


def _matcher(name: str, matcher: dict[str, str], path: str) -> Iterator[Cause]:
    yield from _header_name(name, path)
    if len(matcher) != 1:
        said = "gives " + " and ".join(matcher) if matcher else "gives none"
        yield invalid(path, name, f"needs exactly one of exact, prefix or regex, and {said}")
    for form, pattern in matcher.items():
        if name == "uri" and not pattern:
            yield invalid(f"{path}.{form}", pattern, 'an empty uri matches nothing; write at least "/"')
        elif _CONTROL.search(pattern):
            yield invalid(f"{path}.{form}", repr(pattern), "a header value has no control characters")
        elif form == "regex":
            yield from _regex(pattern, f"{path}.{form}")


def _regex(pattern: str, path: str) -> Iterator[Cause]:
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "syntax"
        shown = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        yield invalid(
            path, pattern, f"is no RE2 regular expression ({shown}); RE2 has no look-around or back-references"
        )


def _header_name(name: str, path: str) -> Iterator[Cause]:
    if not name:
        yield invalid(path, name, "a header name can not be empty")
    elif name != name.lower():
        yield invalid(path, name, f'header names are written in lower case: "{name.lower()}"')
    elif name not in _PSEUDO and not _HEADER.fullmatch(name):
        yield invalid(path, name, "is no header name; they are made of lower-case letters, digits and '-'")


def _route(entries: list[dict[str, Any]]) -> Iterator[Cause]:
    if not entries:
        yield invalid("spec.route", "[]", "list at least one entry, or drop route to reach every pod of the service")
        return
    in_range = True
    for index, entry in enumerate(entries):
        path = f"spec.route[{index}]"
        if "destination" in entry:
            yield from _service(entry["destination"], f"{path}.destination")
        yield from _labels(entry.get("labels", {}), f"{path}.labels")
        weight = entry.get("weight", 0)
        if not 0 <= weight <= _WEIGHT_SUM:
            in_range = False
            yield invalid(f"{path}.weight", weight, "a weight is a percentage from 0 to 100")
    total = sum(entry.get("weight", 0) for entry in entries)
    if in_range and total != _WEIGHT_SUM and not (len(entries) == 1 and total == 0):
        shown = " + ".join(str(entry.get("weight", 0)) for entry in entries)
        yield invalid("spec.route", total, f"the weights must sum to exactly 100; {shown} is {total}")


def _target(target: dict[str, str], path: str) -> Iterator[Cause]:
    """A redirect's or rewrite's uri and authority."""
    if not target.get("uri") and not target.get("authority"):
        yield required(path, "give uri, authority or both")
    for field, value in target.items():
        if _CONTROL.search(value):
            yield invalid(f"{path}.{field}", repr(value), "control characters can not be sent")


def _timeout(timeout: dict[str, Any] | None) -> Iterator[Cause]:
    if timeout is None:
        return
    if "custom" in timeout:
        yield forbidden("spec.httpReqTimeout.custom", "remove it: only simpleTimeout was ever implemented")
        return
    text = timeout.get("simpleTimeout", {}).get("timeout")
    yield from duration_causes(text, "spec.httpReqTimeout.simpleTimeout.timeout")


def _append_headers(headers: dict[str, str]) -> Iterator[Cause]:
    for name, value in headers.items():
        path = f"spec.appendHeaders[{name}]"
        if name == "host" or name.startswith(":"):
            yield forbidden(
                path, "this name can not be added to; rewrite.authority changes the host, rewrite.uri the path"
            )
        else:
            yield from _header_name(name, path)
        if not value:
            yield invalid(path, value, "a header without a value can not be added")
        elif _CONTROL.search(value):
            yield invalid(path, repr(value), "a header value has no control characters")
