"""What is wrong with an Ingress or an IngressClass?"""

import ipaddress
from collections.abc import Iterator
from typing import Any

from mesh.api.errors import Cause, forbidden, invalid, not_supported, required
from mesh.api.validation_names import dns_label_1035, dns_subdomain, port_name, port_number

Json = dict[str, Any]
_PATH_TYPES = ["Exact", "ImplementationSpecific", "Prefix"]
_LONGEST_CONTROLLER = 250
_NEVER_IN_PATHS = ("//", "/./", "/../", "%2f", "%2F")


def ingress_causes(ingress: Json) -> list[Cause]:
    """Everything wrong with an Ingress in its home version."""
    spec = ingress.get("spec")
    return list(_spec(spec)) if isinstance(spec, dict) else []


def ingress_class_causes(cls: Json) -> list[Cause]:
    """Everything wrong with an IngressClass."""
    spec = cls.get("spec")
    controller = spec.get("controller") if isinstance(spec, dict) else None
    if not controller:
        return [required("spec.controller", "the name of what serves the class, such as example.com/ingress")]
    if not isinstance(controller, str):
        return []  # its shape is judged elsewhere
    if len(controller) > _LONGEST_CONTROLLER:
        return [invalid("spec.controller", controller, f"must be no more than {_LONGEST_CONTROLLER} characters")]
    domain, slash, path = controller.partition("/")
    if not slash or not path or dns_subdomain(domain):
        return [invalid("spec.controller", controller, "must be a domain-prefixed path (such as acme.io/foo)")]
    return []


def ingress_class_update_causes(cls: Json, old: Json) -> list[Cause]:
    """The controller stays."""
    now, before = ((obj.get("spec") or {}).get("controller") for obj in (cls, old))
    return [] if now == before else [invalid("spec.controller", now or "", "field is immutable")]


def _spec(spec: Json) -> Iterator[Cause]:
    backend, rules = spec.get("defaultBackend"), spec.get("rules")
    if not backend and not rules:
        yield invalid("spec", "{}", "either `defaultBackend` or `rules` must be given")
    if isinstance(backend, dict):
        yield from _backend(backend, "spec.defaultBackend")
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        if isinstance(rule, dict):
            yield from _rule(rule, f"spec.rules[{index}]")
    for index, tls in enumerate(spec.get("tls") or ()):
        for position, host in enumerate((tls.get("hosts") if isinstance(tls, dict) else None) or ()):
            if isinstance(host, str):
                yield from _host(host, f"spec.tls[{index}].hosts[{position}]")


def _rule(rule: Json, path: str) -> Iterator[Cause]:
    host = rule.get("host")
    if isinstance(host, str) and host:
        yield from _host(host, f"{path}.host")
    http = rule.get("http")
    if not isinstance(http, dict):
        return
    paths = http.get("paths")
    if not paths:
        yield required(f"{path}.http.paths")
    for index, entry in enumerate(paths if isinstance(paths, list) else ()):
        if isinstance(entry, dict):
            yield from _path(entry, f"{path}.http.paths[{index}]")


def _host(host: str, path: str) -> Iterator[Cause]:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        wrong = dns_subdomain(host.removeprefix("*."))
    else:
        wrong = "must be a DNS name, not an IP address"
    if wrong:
        yield invalid(path, host, wrong)


def _path(entry: Json, path: str) -> Iterator[Cause]:
    kind, text = entry.get("pathType"), entry.get("path")
    if not kind:
        yield required(f"{path}.pathType", "pathType must be specified")
    elif isinstance(kind, str) and kind not in _PATH_TYPES:
        yield not_supported(f"{path}.pathType", kind, _PATH_TYPES)
    if kind in ("Exact", "Prefix") and not text:
        yield required(f"{path}.path", f"a path of type {kind} must be given")
    elif isinstance(text, str) and text:
        if not text.startswith("/"):
            yield invalid(f"{path}.path", text, "must be an absolute path")
        if kind in ("Exact", "Prefix"):
            for part in _NEVER_IN_PATHS:
                if part in text:
                    yield invalid(f"{path}.path", text, f"must not contain '{part}'")
    backend = entry.get("backend")
    if isinstance(backend, dict):
        yield from _backend(backend, f"{path}.backend")
    elif backend is None:
        yield required(f"{path}.backend")


def _backend(backend: Json, path: str) -> Iterator[Cause]:
    service = backend.get("service")
    if backend.get("resource") is not None:
        if service is not None:
            yield invalid(path, "", "cannot set both resource and service backends")
        return
    if not isinstance(service, dict):
        yield required(f"{path}.service", "name the service that takes the requests")
        return
    name, port = service.get("name"), service.get("port")
    if not name:
        yield required(f"{path}.service.name")
    elif isinstance(name, str) and (wrong := dns_label_1035(name)):
        yield invalid(f"{path}.service.name", name, wrong)
    number, named = (port.get("number"), port.get("name")) if isinstance(port, dict) else (None, None)
    if number and named:
        yield forbidden(f"{path}.service.port.name", "cannot set both port name and port number")
    elif not number and not named:
        yield required(f"{path}.service.port", "port name or number is required")
    elif isinstance(number, int) and (wrong := port_number(number)):
        yield invalid(f"{path}.service.port.number", number, wrong)
    elif isinstance(named, str) and named and (wrong := port_name(named)):
        yield invalid(f"{path}.service.port.name", named, wrong)
