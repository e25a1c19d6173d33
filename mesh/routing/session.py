"""Which endpoint does a client's session cookie ask for, and which cookie does an answer carry?

Envoy's stateful session filter with its cookie: the value is base64 of a small protobuf message (field 1 the address
`ip:port`, field 2 the second at which it expires, only where the cookie has a ttl), or of the bare address, as older
proxies wrote it. What can not be read counts as no cookie. Tried against a real Envoy.
"""

from __future__ import annotations

import binascii
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

from mesh.routing.check import unpack
from mesh.routing.errors import Refused, join
from mesh.routing.hash_policy import CookiePolicy, cookie_value
from mesh.routing.request import Request

_COOKIE_STATE = "envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState"
_ADDRESS, _EXPIRES = 0x0A, 0x10
"""Field 1 as text, field 2 as a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSpec:
    cookie: CookiePolicy
    strict: bool = False
    """Answer 503 where the endpoint of the cookie is not usable, instead of choosing another one."""

    def covers(self, path: bytes) -> bool:
        """Whether the cookie's path covers the request's (query included), so that the client sends it back there."""
        prefix = self.cookie.path
        if not path.startswith(prefix):
            return False
        return prefix.endswith(b"/") or not prefix or path[len(prefix) : len(prefix) + 1] in (b"", b"/", b"?", b"#")


@dataclass(slots=True)
class Session:
    """The session of one request. wanted: the endpoint that its cookie names; None: it brought none."""

    spec: SessionSpec
    wanted: bytes | None

    def set_cookie(self, endpoint: bytes, now_s: float) -> bytes | None:
        """The value of the answer's set-cookie header; None: the client has the right cookie. now_s: unix seconds."""
        if endpoint == self.wanted:
            return None
        return self.spec.cookie.header_value(
            write(endpoint, int(now_s) + ttl if (ttl := self.spec.cookie.ttl_s) else 0)
        )


def session_of(spec: SessionSpec, request: Request, now_s: float) -> Session | None:
    """The session of a request; None where the cookie's path does not cover it. now_s: unix seconds."""
    if not spec.covers(request.path):
        return None
    value = cookie_value(request, spec.cookie.name)
    return Session(spec, read(value, now_s) if value else None)


def read(value: bytes, now_s: float) -> bytes | None:
    """The address in a cookie; None: it holds none, or has expired."""
    try:
        data = binascii.a2b_base64(value, strict_mode=True)
    except binascii.Error:
        return None
    if len(value) % 4:
        return None
    if data[:1] != bytes((_ADDRESS,)):
        return data or None
    length, at = _number(data, 1)
    address, rest = data[at : at + length], data[at + length :]
    if length < 0 or len(address) != length or not address:
        return None
    if not rest:
        return address
    expires, end = _number(rest, 1)
    if rest[0] != _EXPIRES or end != len(rest):
        return None
    return address if not expires or now_s < expires else None


def write(address: bytes, expires_s: int = 0) -> bytes:
    """A cookie's value. expires_s: unix seconds, 0: never."""
    data = bytes((_ADDRESS,)) + _varint(len(address)) + address
    if expires_s:
        data += bytes((_EXPIRES,)) + _varint(expires_s)
    return b64encode(data)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """(the protobuf number at `at`, where it ends); (-1, at) where there is none."""
    value = 0
    for place, byte in enumerate(data[at : at + 10]):
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value, at + place + 1
    return -1, at


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)


def compile_session(message: Any, at: str) -> SessionSpec | None:
    """The spec of a StatefulSession message; None where it names no session state."""
    if not message.HasField("session_state"):
        return None
    where = join(at, "session_state.typed_config")
    state = unpack(message.session_state.typed_config, where)
    if state.DESCRIPTOR.full_name != _COOKIE_STATE:
        raise Refused(where, f"{state.DESCRIPTOR.full_name} is not executed; use {_COOKIE_STATE}")
    cookie = state.cookie
    if not cookie.name:
        raise Refused(join(where, "cookie.name"), "is empty; name the cookie")
    return SessionSpec(
        cookie=CookiePolicy(
            name=cookie.name.encode(),
            ttl_s=cookie.ttl.seconds if cookie.HasField("ttl") else None,
            path=cookie.path.encode(),
            attributes=tuple((a.name.encode(), a.value.encode()) for a in cookie.attributes),
        ),
        strict=message.strict,
    )


def compile_session_of_route(message: Any, at: str) -> SessionSpec | None:
    """The spec of a StatefulSessionPerRoute message; None: off."""
    if message.WhichOneof("override") != "stateful_session":
        return None
    return compile_session(message.stateful_session, join(at, "stateful_session"))
