"""What does the CORS filter answer or add?

A preflight (OPTIONS with an origin and access-control-request-method) from an allowed origin is answered here.
Everything else goes on; the answer to an allowed origin says so. Origins compare with case; an exact `*` allows
every origin, and the answer always echoes the request's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mesh.routing.errors import join
from mesh.routing.headers import overwrite
from mesh.routing.match import fraction
from mesh.routing.regex import Test
from mesh.routing.request import Headers, Request, header
from mesh.routing.strings import compile_string

_ORIGIN = b"access-control-allow-origin"


@dataclass(frozen=True, slots=True, kw_only=True)
class CorsSpec:
    origins: tuple[Test, ...] = ()
    allow_methods: bytes = b""
    allow_headers: bytes = b""
    expose_headers: bytes = b""
    max_age: bytes = b""
    allow_credentials: bool = False
    forward_not_matching_preflights: bool = True
    numerator: int = 100
    denominator: int = 100

    def allows(self, origin: bytes) -> bool:
        return any(test(origin) for test in self.origins)


@dataclass(frozen=True, slots=True)
class CorsDecision:
    """preflight: the headers of a 200 to send at once (None: go on). origin: the allowed origin to tell (or None)."""

    preflight: tuple[tuple[bytes, bytes], ...] | None = None
    origin: bytes | None = None


PASS = CorsDecision()


def decide(spec: CorsSpec, request: Request) -> CorsDecision:
    origin = header(request.headers, b"origin")
    if not origin:
        return PASS
    if spec.numerator < spec.denominator and request.draw() % spec.denominator >= spec.numerator:
        return PASS
    allowed = spec.allows(origin)
    if request.method == b"OPTIONS" and header(request.headers, b"access-control-request-method"):
        if allowed:
            return CorsDecision(preflight=_preflight(spec, origin))
        return PASS if spec.forward_not_matching_preflights else CorsDecision(preflight=_preflight(spec, None))
    return CorsDecision(origin=origin) if allowed else PASS


def _preflight(spec: CorsSpec, origin: bytes | None) -> tuple[tuple[bytes, bytes], ...]:
    """The lines of a preflight's answer; `origin`: the allowed one to echo, None for one that is not."""
    lines = [] if origin is None else [(_ORIGIN, origin)]
    if spec.allow_credentials:
        lines.append((b"access-control-allow-credentials", b"true"))
    for name, value in (
        (b"access-control-allow-methods", spec.allow_methods),
        (b"access-control-allow-headers", spec.allow_headers),
        (b"access-control-max-age", spec.max_age),
        (b"access-control-expose-headers", spec.expose_headers),
    ):
        if value:
            lines.append((name, value))
    return tuple(lines)


def apply(spec: CorsSpec, decision: CorsDecision, headers: Headers) -> None:
    """Tell an allowed origin so, in the headers of the answer to its request."""
    if decision.origin is None:
        return
    for i, (name, _) in enumerate(headers):
        if name == _ORIGIN:
            headers[i] = (_ORIGIN, decision.origin)
            break
    else:
        headers.append((_ORIGIN, decision.origin))
    if spec.allow_credentials:
        overwrite(headers, b"access-control-allow-credentials", b"true")
    if spec.expose_headers:
        overwrite(headers, b"access-control-expose-headers", spec.expose_headers)


def compile_cors(policy: Any, at: str) -> CorsSpec | None:
    """The spec of a CorsPolicy message (the filter's or the route's own, they are alike); None when it is off."""
    numerator, denominator = 100, 100
    if policy.HasField("filter_enabled"):
        numerator, denominator = fraction(policy.filter_enabled.default_value)
        if numerator == 0:
            return None
    origins: list[Test] = []
    for i, matcher in enumerate(policy.allow_origin_string_match):
        if matcher.exact == "*":
            origins.append(_everything)
        else:
            origins.append(compile_string(matcher, join(at, f"allow_origin_string_match[{i}]"))[0])
    forward = policy.forward_not_matching_preflights
    return CorsSpec(
        origins=tuple(origins),
        allow_methods=policy.allow_methods.encode(),
        allow_headers=policy.allow_headers.encode(),
        expose_headers=policy.expose_headers.encode(),
        max_age=policy.max_age.encode(),
        allow_credentials=policy.allow_credentials.value,
        forward_not_matching_preflights=forward.value if policy.HasField("forward_not_matching_preflights") else True,
        numerator=numerator,
        denominator=denominator,
    )


def _everything(origin: bytes) -> bool:
    return True
