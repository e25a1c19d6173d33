"""What of a DestinationRule is done here, and what is wrong with the rest?

Only `host` and `trafficPolicy.loadBalancer` are executed. Whatever else Istio has is refused with a word on what there
is, instead of being stored and forgotten.
"""

import re
from collections.abc import Iterator
from typing import Any

from mesh.api.errors import Cause, forbidden, invalid, not_supported, required
from mesh.api.validation_names import dns_subdomain

Json = dict[str, Any]
SIMPLE = ["LEAST_REQUEST", "PASSTHROUGH", "RANDOM", "ROUND_ROBIN"]
_EXECUTED = ["LEAST_CONN", "LEAST_REQUEST", "RANDOM", "ROUND_ROBIN", "UNSPECIFIED"]
_KEYS = ("httpHeaderName", "httpCookie", "useSourceIp", "httpQueryParameterName")
_LAYOUTS = ("ringHash", "maglev")
_DURATION = re.compile(r"(\d+(\.\d+)?(h|m|s|ms|us|ns))+")
_LARGEST_TABLE = 5_000_011
_LARGEST_RING = 8_388_608


def destination_causes(rule: Json) -> list[Cause]:
    """Everything wrong with a DestinationRule."""
    spec = rule.get("spec")
    if not isinstance(spec, dict):
        return (
            [required("spec")] if spec is None else [invalid("spec", type(spec).__name__, "an object is needed here")]
        )
    return list(_spec(spec))


def _spec(spec: Json) -> Iterator[Cause]:
    host = spec.get("host")
    if not host:
        yield required(
            "spec.host", "the service that the rule is for, such as my-app or my-app.default.svc.cluster.local"
        )
    elif isinstance(host, str) and (wrong := dns_subdomain(host.removeprefix("*."))):
        yield invalid("spec.host", host, wrong)
    yield from _others(spec, "spec", ("host", "trafficPolicy"), "only host and trafficPolicy.loadBalancer are")
    policy = spec.get("trafficPolicy")
    if isinstance(policy, dict):
        yield from _others(policy, "spec.trafficPolicy", ("loadBalancer",), "only loadBalancer is")
        balancer = policy.get("loadBalancer")
        if isinstance(balancer, dict):
            yield from _balancer(balancer, "spec.trafficPolicy.loadBalancer")


def _balancer(balancer: Json, path: str) -> Iterator[Cause]:
    yield from _others(balancer, path, ("simple", "consistentHash"), "only simple and consistentHash are")
    simple, hashed = balancer.get("simple"), balancer.get("consistentHash")
    if simple is not None and hashed is not None:
        yield forbidden(f"{path}.consistentHash", "may not be given together with `simple`")
    if simple is None and hashed is None:
        yield required(path, "simple or consistentHash")
    if isinstance(simple, str) and simple not in _EXECUTED:
        yield not_supported(f"{path}.simple", simple, _EXECUTED)
    if isinstance(hashed, dict):
        yield from _hash(hashed, f"{path}.consistentHash")


def _hash(hashed: Json, path: str) -> Iterator[Cause]:
    known = (*_KEYS, *_LAYOUTS, "minimumRingSize")
    yield from _others(hashed, path, known, f"only {', '.join(known)} are")
    given = [name for name in _KEYS if hashed.get(name) not in (None, False, "")]
    if not given:
        yield required(path, f"what is hashed: one of {', '.join(_KEYS)}")
    for extra in given[1:]:
        yield forbidden(f"{path}.{extra}", f"one thing is hashed, and {given[0]} is given already")
    if hashed.get("ringHash") is not None and hashed.get("maglev") is not None:
        yield forbidden(f"{path}.maglev", "may not be given together with `ringHash`")
    cookie = hashed.get("httpCookie")
    if isinstance(cookie, dict):
        yield from _others(cookie, f"{path}.httpCookie", ("name", "path", "ttl"), "only name, path and ttl are")
        if not cookie.get("name"):
            yield required(f"{path}.httpCookie.name")
        ttl = cookie.get("ttl")
        if isinstance(ttl, str) and not _DURATION.fullmatch(ttl):
            yield invalid(f"{path}.httpCookie.ttl", ttl, "must be a duration such as 0s or 1h30m")
    sizes = [(hashed, "minimumRingSize", path, _LARGEST_RING)]
    for part, field, largest in (
        ("ringHash", "minimumRingSize", _LARGEST_RING),
        ("maglev", "tableSize", _LARGEST_TABLE),
    ):
        if isinstance(inner := hashed.get(part), dict):
            yield from _others(inner, f"{path}.{part}", (field,), f"only {field} is")
            sizes.append((inner, field, f"{path}.{part}", largest))
    for where, field, at, largest in sizes:
        yield from _size(where.get(field), f"{at}.{field}", largest)
    table = (hashed.get("maglev") or {}).get("tableSize") if isinstance(hashed.get("maglev") or {}, dict) else None
    if table is not None and str(table).isdigit() and not _prime(int(table)):
        yield invalid(f"{path}.maglev.tableSize", table, "must be a prime number, such as 65537")


def _others(part: Json, path: str, known: tuple[str, ...], executed: str) -> Iterator[Cause]:
    for name in part:
        if name not in known:
            yield forbidden(f"{path}.{name}", f"is not executed here; {executed}")


def _size(value: Any, where: str, largest: int) -> Iterator[Cause]:
    """Sizes are 64-bit numbers, which JSON may also carry as text."""
    if value is None or isinstance(value, bool) or not isinstance(value, int | str):
        return
    if not str(value).isdigit() or not 0 < int(value) <= largest:
        yield invalid(where, value, f"must be a whole number from 1 to {largest}")


def _prime(number: int) -> bool:
    if not 1 < number <= _LARGEST_TABLE:
        return number > _LARGEST_TABLE  # too large is said already
    return all(number % divisor for divisor in range(2, int(number**0.5) + 1))
