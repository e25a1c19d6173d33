from typing import Any

import pytest

from mesh.routing.redirect import location, without_port
from tests.unit.routing.conftest import request, route, table


def _location(redirect: Any, target: str, authority: str = "svc.example", scheme: str = "http") -> tuple[int, str]:
    prefix = "/" + target.split("/")[1].split("?")[0]
    compiled = table(route({"prefix": prefix}, redirect=redirect)).virtual_hosts[0].routes[0]
    status, where = location(compiled, request(target, authority, scheme=scheme))
    return status, where.decode()


@pytest.mark.parametrize(
    ("redirect", "target", "authority", "where"),
    [
        pytest.param({"host_redirect": "new"}, "/a?b", "svc:8080", "http://new/a?b", id="host drops the port"),
        pytest.param({"host_redirect": "new:99"}, "/a", "svc:8080", "http://new:99/a", id="host with a port"),
        pytest.param({"scheme_redirect": "https"}, "/a", "svc:80", "https://svc/a", id="scheme drops :80"),
        pytest.param({"scheme_redirect": "https"}, "/a", "svc:8080", "https://svc:8080/a", id="scheme keeps others"),
        pytest.param({"https_redirect": True}, "/a", "[::1]:80", "https://[::1]/a", id="https, IPv6"),
        pytest.param({"port_redirect": 8443}, "/a", "svc:80", "http://svc:8443/a", id="port"),
        pytest.param(
            {"scheme_redirect": "https", "port_redirect": 443}, "/a", "svc", "https://svc:443/a", id="443 too"
        ),
        pytest.param({"path_redirect": "/n"}, "/a?x=1", "svc", "http://svc/n?x=1", id="path keeps the query"),
        pytest.param({"path_redirect": "/n?z=9"}, "/a?x=1", "svc", "http://svc/n?z=9", id="a query of its own"),
        pytest.param({"path_redirect": "/n", "strip_query": True}, "/a?x", "svc", "http://svc/n", id="strip"),
        pytest.param({"strip_query": True}, "/a/b?x", "svc", "http://svc/a/b", id="strip alone"),
        pytest.param({"path_redirect": "n"}, "/a", "svc", "http://svc/n", id="a path without a slash gets one"),
        pytest.param({"scheme_redirect": "HTTPS"}, "/a", "svc", "HTTPS://svc/a", id="scheme as it is written"),
        pytest.param(
            {"regex_rewrite": {"pattern": {"regex": ".*"}, "substitution": ""}},
            "/a?b",
            "svc",
            "http://svc/a?b",
            id="empty",
        ),
        pytest.param({"prefix_rewrite": "/np"}, "/p/a?b", "svc", "http://svc/np/a?b", id="prefix"),
        pytest.param(
            {"regex_rewrite": {"pattern": {"regex": "^/r/(.*)$"}, "substitution": r"/n/\1"}},
            "/r/foo?q",
            "svc",
            "http://svc/n/foo?q",
            id="regex",
        ),
    ],
)
def test_locations(redirect: Any, target: str, authority: str, where: str) -> None:
    assert _location(redirect, target, authority) == (301, where)


def test_https_to_http_drops_443() -> None:
    assert _location({"scheme_redirect": "http"}, "/a", "svc:443", "https")[1] == "http://svc/a"
    assert _location({"scheme_redirect": "https"}, "/a", "svc:80", "https")[1] == "https://svc:80/a"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("MOVED_PERMANENTLY", 301),
        ("FOUND", 302),
        ("SEE_OTHER", 303),
        ("TEMPORARY_REDIRECT", 307),
        ("PERMANENT_REDIRECT", 308),
    ],
)
def test_statuses(code: str, status: int) -> None:
    assert _location({"host_redirect": "n", "response_code": code}, "/a")[0] == status


@pytest.mark.parametrize(
    ("authority", "host"),
    [("a:80", "a"), ("a", "a"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("a:b", "a:b"), (":80", "")],
)
def test_without_port(authority: str, host: str) -> None:
    assert without_port(authority.encode()).decode() == host
