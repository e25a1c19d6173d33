from base64 import b64encode
from typing import Any

import pytest

from mesh.routing.compile_filters import compile_per_filter
from mesh.routing.errors import Refused
from mesh.routing.hash_policy import CookiePolicy
from mesh.routing.session import SessionSpec, read, session_of, write
from tests.unit.routing.conftest import message, request, table

_T = "type.googleapis.com/envoy.extensions."
ADDRESS = b"127.77.9.3:19001"
NOW_S = 1_795_472_468.5


@pytest.mark.parametrize("expires_s", [0, 1_795_472_527], ids=["for ever", "for a while"])
def test_what_is_written_can_be_read(expires_s: int) -> None:
    assert read(write(ADDRESS, expires_s), NOW_S) == ADDRESS


def test_a_cookie_is_written_as_envoy_does() -> None:
    assert write(ADDRESS) == b"ChAxMjcuNzcuOS4zOjE5MDAx"
    # Recorded from an Envoy at 1795472399 with a ttl of 60 s.
    assert write(ADDRESS, 1_795_472_527) == b"ChAxMjcuNzcuOS4zOjE5MDAxEI/5ktgG"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(b64encode(ADDRESS), ADDRESS, id="older form"),
        pytest.param(write(ADDRESS, int(NOW_S)), None, id="expired"),
        pytest.param(b"!!!", None, id="no base64"),
        pytest.param(b"ChAxMjcuNzcuOS4zOjE5MDA", None, id="no padding"),
        pytest.param(b"", None, id="empty"),
        pytest.param(write(ADDRESS)[:-4], None, id="cut off"),
        pytest.param(b64encode(b"\x0a\x00"), None, id="no address"),
        pytest.param(b64encode(b"\x0a"), None, id="no length"),
        pytest.param(b64encode(b"\x0a\xff\xff"), None, id="half a length"),
        pytest.param(b64encode(b"\x0a\x01a\x18\x01"), None, id="another field"),
        pytest.param(b64encode(b"\x0a\x01a\x10\x80"), None, id="half a number"),
    ],
)
def test_reading(value: bytes, expected: bytes | None) -> None:
    assert read(value, NOW_S) == expected


@pytest.mark.parametrize(
    ("prefix", "path", "expected"),
    [
        pytest.param("", "/a", True, id="no path covers all"),
        pytest.param("/", "/a", True, id="the root"),
        pytest.param("/a", "/a", True, id="itself"),
        pytest.param("/a", "/a/b", True, id="below"),
        pytest.param("/a", "/a?q=1", True, id="with a query"),
        pytest.param("/a", "/ab", False, id="a longer word"),
        pytest.param("/a/", "/a", False, id="without the slash"),
        pytest.param("/a/", "/a/b", True, id="below the slash"),
    ],
)
def test_a_session_holds_where_its_cookie_is_sent(prefix: str, path: str, expected: bool) -> None:
    spec = SessionSpec(cookie=CookiePolicy(name=b"s", path=prefix.encode()))
    assert (session_of(spec, request(path), NOW_S) is not None) is expected


def test_a_client_is_told_where_it_changed() -> None:
    spec = SessionSpec(cookie=CookiePolicy(name=b"s", ttl_s=60, path=b"/"))
    session = session_of(spec, request(cookie=f'a=1; s="{write(ADDRESS).decode()}"'), NOW_S)
    assert session is not None
    assert session.wanted == ADDRESS
    assert session.set_cookie(ADDRESS, NOW_S) is None
    other = b"127.77.9.4:80"
    expected = b's="%b"; Max-Age=60; Path=/; HttpOnly' % write(other, int(NOW_S) + 60)
    assert session.set_cookie(other, NOW_S) == expected


def _said(state: Any) -> Any:
    per_route = {
        "@type": _T + "filters.http.stateful_session.v3.StatefulSessionPerRoute",
        "stateful_session": {"session_state": {"name": "x", "typed_config": state}},
    }
    route = message("envoy.config.route.v3.route_components:Route", {"typed_per_filter_config": {"f": per_route}})
    return compile_per_filter(route.typed_per_filter_config, "r")["f"]


def test_compiled_from_a_route() -> None:
    cookie = {"name": "s", "path": "/a", "ttl": "5s", "attributes": [{"name": "Secure"}]}
    state = {"@type": _T + "http.stateful_session.cookie.v3.CookieBasedSessionState", "cookie": cookie}
    policy = CookiePolicy(name=b"s", ttl_s=5, path=b"/a", attributes=((b"Secure", b""),))
    assert _said(state) == SessionSpec(cookie=policy)


def test_a_nameless_cookie_is_refused() -> None:
    state = {"@type": _T + "http.stateful_session.cookie.v3.CookieBasedSessionState", "cookie": {}}
    with pytest.raises(Refused, match=r"cookie.name: is empty"):
        _said(state)


def test_tables_know_to_which_filters_routes_speak() -> None:
    off = {"f": {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True}}
    on = {"g": {"@type": _T + "filters.http.cors.v3.CorsPolicy", "allow_methods": "GET"}}
    route = {"match": {"prefix": "/"}, "route": {"cluster": "c"}, "typed_per_filter_config": {**off, **on}}
    assert table(route).filters() == {"g"}
