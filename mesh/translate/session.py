"""Which cookie keeps a client with its pod, and what does that make of routes?

An Ingress asks for it with the nginx controller's annotations, a service with Istio's label. A route then says so to
Envoy's stateful session filter. Where a rule splits a service by weight, Envoy draws the cluster before it looks at the
cookie; so a second cookie names the version that a client was given, and a route before the split obeys it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from envoy.config.core.v3 import base_pb2, extension_pb2
from envoy.config.route.v3 import route_components_pb2 as rc
from envoy.extensions.filters.http.stateful_session.v3 import stateful_session_pb2
from envoy.extensions.http.stateful_session.cookie.v3 import cookie_pb2 as cookie_state_pb2
from envoy.type.http.v3 import cookie_pb2
from envoy.type.matcher.v3 import regex_pb2, string_pb2
from google.protobuf import any_pb2, duration_pb2

FILTER = "envoy.filters.http.stateful_session"
LABEL = "istio.io/persistent-session"
NGINX = "nginx.ingress.kubernetes.io/"
DEFAULT_NAME = "INGRESSCOOKIE"
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_PATH = re.compile(r"/[!-:<-~]*")
_DOMAIN = re.compile(r"\.?[A-Za-z0-9][A-Za-z0-9.-]*")
Route = Any


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """path: empty: where the route is. ttl_s: None: until the browser ends."""

    name: str
    path: str = ""
    ttl_s: int | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    pins: bool = True
    """Whether a split by weight keeps clients as well."""


def of_label(labels: Mapping[str, str]) -> SessionCookie | None:
    """`COOKIE` or `COOKIE:PATH`."""
    name, _, path = labels.get(LABEL, "").partition(":")
    return SessionCookie(name, path if _PATH.fullmatch(path) else "/") if _NAME.fullmatch(name) else None


# --- annotations ------------------------------------------------------------------------------------------------

_SECONDS = ("session-cookie-max-age", "session-cookie-expires")
_VALUES: dict[str, tuple[Callable[[str], object], str]] = {
    "affinity": (lambda text: text == "cookie", "is cookie, or left out"),
    "affinity-mode": (
        lambda text: text == "persistent",
        "is persistent here: a session stays with its pod while that lives, also after a scale-up",
    ),
    "affinity-canary-behavior": (lambda text: text in ("sticky", "legacy"), "is sticky or legacy"),
    "session-cookie-name": (_NAME.fullmatch, "is the name of a cookie"),
    "session-cookie-path": (_PATH.fullmatch, "is a path, such as /"),
    "session-cookie-domain": (_DOMAIN.fullmatch, "is a domain"),
    "session-cookie-samesite": (lambda text: text in ("None", "Lax", "Strict"), "is None, Lax or Strict"),
    "session-cookie-secure": (lambda text: text in ("true", "false"), "is true or false"),
    "session-cookie-max-age": (str.isdigit, "is a number of seconds"),
    "session-cookie-expires": (str.isdigit, "is a number of seconds"),
}
"""What each annotation about sessions may say."""


def of_annotations(annotations: Mapping[str, str]) -> SessionCookie | None:
    """The session of an Ingress; None: it asks for none. What is not understood is left out (see `complaints`)."""
    said = {name: text for name, text in _said(annotations) if _VALUES[name][0](text)}
    if "affinity" not in said:
        return None
    ttl = next((int(said[name]) for name in _SECONDS if name in said), None)
    attributes = []
    if "session-cookie-domain" in said:
        attributes.append(("Domain", said["session-cookie-domain"]))
    if "session-cookie-samesite" in said:
        attributes.append(("SameSite", said["session-cookie-samesite"]))
    if said.get("session-cookie-secure") == "true":
        attributes.append(("Secure", ""))
    return SessionCookie(
        name=said.get("session-cookie-name", DEFAULT_NAME),
        path=said.get("session-cookie-path", ""),
        ttl_s=ttl,
        attributes=tuple(attributes),
        pins=said.get("affinity-canary-behavior") != "legacy",
    )


def complaints(annotations: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """(annotation, what is wrong with it) for those about sessions."""
    for name, text in _said(annotations):
        test, words = _VALUES[name]
        if not test(text):
            yield NGINX + name, f"{text!r} is not understood and does nothing: it {words}"


def known(annotation: str) -> bool:
    """Whether an annotation is about sessions."""
    return annotation.removeprefix(NGINX) in _VALUES


def _said(annotations: Mapping[str, str]) -> list[tuple[str, str]]:
    names = ((key.removeprefix(NGINX), text) for key, text in sorted(annotations.items()) if key.startswith(NGINX))
    return [(name, text) for name, text in names if name in _VALUES]


# --- routes -----------------------------------------------------------------------------------------------------


def keep(routes: Iterable[Route], cookie: SessionCookie | None, path: str = "/") -> list[Route]:
    """The routes, with sessions. path: where they are, for a cookie that does not say."""
    if cookie is None:
        return list(routes)
    where = cookie.path or path
    return [_kept(made, cookie, where) for route in routes for made in _pinned(route, cookie, where)]


def _kept(route: Route, cookie: SessionCookie, path: str) -> Route:
    if route.WhichOneof("action") == "route":
        route.typed_per_filter_config[FILTER].CopyFrom(_per_route(cookie, path))
    return route


@lru_cache(maxsize=64)
def _per_route(cookie: SessionCookie, path: str) -> Any:
    wanted = cookie_pb2.Cookie(
        name=cookie.name,
        path=path,
        ttl=None if cookie.ttl_s is None else duration_pb2.Duration(seconds=cookie.ttl_s),
        attributes=[cookie_pb2.CookieAttribute(name=name, value=value) for name, value in cookie.attributes],
    )
    state = extension_pb2.TypedExtensionConfig(
        name="envoy.http.stateful_session.cookie",
        typed_config=_any(cookie_state_pb2.CookieBasedSessionState(cookie=wanted)),
    )
    session = stateful_session_pb2.StatefulSession(session_state=state)
    return _any(stateful_session_pb2.StatefulSessionPerRoute(stateful_session=session))


def _pinned(route: Route, cookie: SessionCookie, path: str) -> list[Route]:
    """A split preceded by a route for each version that a client may have been given; other routes as they are.

    A version whose weight is 0 has no route any more, so its clients are drawn anew.
    """
    copy = rc.Route()
    copy.CopyFrom(route)
    choices = copy.route.weighted_clusters.clusters
    if not choices or not cookie.pins:
        return [copy]
    pinned = []
    name = f"{cookie.name}-version"
    for version, choice in zip(versions([choice.name for choice in choices]), choices, strict=True):
        pin = rc.Route()
        pin.CopyFrom(route)
        pin.route.cluster = choice.name
        pin.match.headers.append(_carries(name, version))
        pinned.append(pin)
        choice.response_headers_to_add.append(
            base_pb2.HeaderValueOption(
                header=base_pb2.HeaderValue(key="set-cookie", value=_set_cookie(cookie, name, version, path)),
                append_action=base_pb2.HeaderValueOption.APPEND_IF_EXISTS_OR_ADD,
            )
        )
    return [*pinned, copy]


def versions(clusters: list[str]) -> list[str]:
    """Short names of some clusters (`outbound|PORT|k=v,k2=v2|HOST`), as cookies may hold them, each another."""
    found: list[str] = []
    for cluster in clusters:
        _, _, subset, host = cluster.split("|", 3)
        values = "-".join(part.partition("=")[2] for part in subset.split(",") if part)
        text = re.sub(r"[^A-Za-z0-9._-]", "-", values or host.partition(".")[0])
        while text in found:
            text += "-"
        found.append(text)
    return found


def _carries(name: str, version: str) -> Any:
    pattern = rf'(?:.*;[ \t]*)?{re.escape(name)}="?{re.escape(version)}"?[ \t]*(?:;.*)?'
    matcher = string_pb2.StringMatcher(safe_regex=regex_pb2.RegexMatcher(regex=pattern))
    return rc.HeaderMatcher(name="cookie", string_match=matcher)


def _set_cookie(cookie: SessionCookie, name: str, version: str, path: str) -> str:
    """In the form of the filter's own cookie. Envoy reads `%` as the beginning of a command."""
    parts = [f'{name}="{version}"']
    if cookie.ttl_s:
        parts.append(f"Max-Age={cookie.ttl_s}")
    parts.append(f"Path={path}")
    parts += [f"{key}={value}" if value else key for key, value in cookie.attributes]
    return "; ".join([*parts, "HttpOnly"]).replace("%", "%%")


def _any(message: Any) -> Any:
    packed = any_pb2.Any()
    packed.Pack(message, deterministic=True)
    return packed
