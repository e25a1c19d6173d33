"""Which 64-bit number stands for a request on a consistent-hash cluster?

A route's hash policies are asked in order; each gives a number or nothing, and numbers are combined by rotating
the first one bit and xoring. A cookie policy with a ttl invents a cookie where the client sent none; the caller
sets it on the response. No number at all means a random pick.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import xxhash

from mesh.routing.errors import Refused, join
from mesh.routing.match_query import query_value
from mesh.routing.regex import compile_substitution
from mesh.routing.request import Request, named

_MASK = (1 << 64) - 1
_xx = xxhash.xxh64_intdigest


@dataclass(frozen=True, slots=True)
class HashResult:
    value: int | None
    """Unsigned 64-bit, or None: pick at random."""
    set_cookie: tuple[bytes, ...] = ()
    """Values of set-cookie headers that the response has to carry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HashContext:
    """What a policy may look at besides the request."""

    remote_ip: bytes
    """The downstream remote address as text, after x-forwarded-for was considered."""
    connection: bytes = b""
    """Both ends of the connection, `ip:port` of the peer and then of the listener, nothing between."""


_Value = Callable[[Request, HashContext], int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CookiePolicy:
    name: bytes
    ttl_s: int | None = None
    """None: a missing cookie is not invented."""
    path: bytes = b""
    attributes: tuple[tuple[bytes, bytes], ...] = ()

    def header_value(self, value: bytes) -> bytes:
        """The set-cookie header of an invented cookie."""
        parts = [b'%s="%s"' % (self.name, value)]
        if self.ttl_s:
            parts.append(b"Max-Age=%d" % self.ttl_s)
        if self.path:
            parts.append(b"Path=" + self.path)
        parts += [name + b"=" + text if text else name for name, text in self.attributes]
        parts.append(b"HttpOnly")
        return b"; ".join(parts)


class HashPolicies:
    """A route's hash policies, compiled."""

    __slots__ = ("_policies", "described")

    def __init__(self, policies: Sequence[tuple[_Value | CookiePolicy, bool]], described: Sequence[str]) -> None:
        self._policies = tuple(policies)
        self.described = tuple(described)

    def value(self, request: Request, context: HashContext, *, invent: bool = True) -> HashResult:
        """invent: a cookie policy with a ttl may make up the cookie that is missing."""
        total: int | None = None
        cookies: tuple[bytes, ...] = ()
        for policy, terminal in self._policies:
            if isinstance(policy, CookiePolicy):
                value, cookie = _cookie(policy, request, context, invent)
                if cookie is not None:
                    cookies += (cookie,)
            else:
                value = policy(request, context)
            if value is not None:
                total = value if total is None else (((total << 1) & _MASK) | (total >> 63)) ^ value
            if terminal and total is not None:
                break
        return HashResult(total, cookies)


def hash_of(values: Sequence[bytes]) -> int | None:
    """The number of a header's lines; their order does not matter."""
    if not values:
        return None
    if len(values) == 1:
        return _xx(values[0])
    total = 0
    for value in sorted(values):
        total = _xx(value, total)
    return total


def cookie_value(request: Request, name: bytes) -> bytes | None:
    """The first cookie called `name` over all cookie lines, without its quotes."""
    for key, line in request.headers:
        if key != b"cookie":
            continue
        for pair in line.split(b";"):
            left, equals, right = pair.strip().partition(b"=")
            if equals and left.strip() == name:
                right = right.strip()
                if len(right) >= 2 and right[:1] == b'"' == right[-1:]:
                    right = right[1:-1]
                return right
    return None


def _cookie(
    policy: CookiePolicy, request: Request, context: HashContext, invent: bool
) -> tuple[int | None, bytes | None]:
    value = cookie_value(request, policy.name)
    if value is not None:
        return (_xx(value) if value else None), None
    if policy.ttl_s is None or not invent:
        return None, None
    invented = b"%016x" % _xx(context.connection)
    return _xx(invented), policy.header_value(invented)


def compile_hash_policies(policies: Sequence[Any], at: str) -> HashPolicies | None:
    """The hash policies of a RouteAction; None when it has none."""
    compiled: list[tuple[_Value | CookiePolicy, bool]] = []
    described = []
    for i, policy in enumerate(policies):
        value, words = _compile(policy, join(at, f"hash_policy[{i}]"))
        compiled.append((value, policy.terminal))
        described.append(words)
    return HashPolicies(compiled, described) if compiled else None


def _compile(policy: Any, at: str) -> tuple[_Value | CookiePolicy, str]:
    kind = policy.WhichOneof("policy_specifier")
    if kind == "header":
        return _header(policy.header, join(at, kind)), f"header {policy.header.header_name}"
    if kind == "cookie":
        cookie = policy.cookie
        return CookiePolicy(
            name=cookie.name.encode(),
            ttl_s=cookie.ttl.seconds if cookie.HasField("ttl") else None,
            path=cookie.path.encode(),
            attributes=tuple((a.name.encode(), a.value.encode()) for a in cookie.attributes),
        ), f"cookie {cookie.name}"
    if kind == "connection_properties":
        if not policy.connection_properties.source_ip:
            return (lambda request, context: None), "nothing"
        return (lambda request, context: _xx(context.remote_ip)), "source address"
    if kind == "query_parameter":
        name = policy.query_parameter.name.encode()

        def query(request: Request, context: HashContext) -> int | None:
            value = query_value(request.path, name)
            return None if value is None else _xx(value)

        return query, f"query parameter {policy.query_parameter.name}"
    raise Refused(join(at, kind or ""), "is not executed; use header, cookie, connection_properties or query_parameter")


def _header(policy: Any, at: str) -> _Value:
    name = policy.header_name.lower().encode()
    if not name:
        raise Refused(join(at, "header_name"), "is empty; name a header")
    if not policy.HasField("regex_rewrite"):
        return lambda request, context: hash_of(named(request, name))
    rule = policy.regex_rewrite
    substitute = compile_substitution(rule.pattern.regex, rule.substitution, join(at, "regex_rewrite"))
    return lambda request, context: hash_of([substitute(value) for value in named(request, name)])
