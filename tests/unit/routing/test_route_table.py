from typing import Any

import pytest

from mesh.routing import route_table
from mesh.routing.compile import compile_routes
from mesh.routing.route_table import RouteTable
from tests.unit.routing.conftest import message, request, route, table


def _hosts(*domains: str, **more: Any) -> RouteTable:
    hosts = [
        {"name": d, "domains": [d], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": d}}]} for d in domains
    ]
    return compile_routes(message("envoy.config.route.v3.route:RouteConfiguration", {"virtual_hosts": hosts, **more}))


DOMAINS = ("a.example", "a.example:8080", "*.example", "*.b.example", "*-x.b.example", "pre.*", "pre.fix.*", "*")


@pytest.mark.parametrize(
    ("authority", "domain"),
    [
        ("a.example", "a.example"),
        ("A.Example", "a.example"),
        ("a.example:8080", "a.example:8080"),
        ("a.example:80", "*"),
        ("c.example", "*.example"),
        ("c.b.example", "*.b.example"),
        ("c-x.b.example", "*-x.b.example"),
        (".example", "*"),
        ("pre.a", "pre.*"),
        ("pre.fix.a", "pre.fix.*"),
        ("pre.", "*"),
        ("pre.c.example", "*.example"),
        ("", "*"),
    ],
)
def test_virtual_hosts(authority: str, domain: str) -> None:
    found = _hosts(*DOMAINS)
    for _ in range(2):  # the second time from the memo
        chosen = found.find(request(authority=authority))
        assert chosen is not None
        assert chosen.cluster == domain.encode()
    assert found.domain_of(authority.encode()) == domain


def test_an_unknown_authority_finds_nothing() -> None:
    found = _hosts("a.example")
    for _ in range(2):
        assert found.find(request(authority="b.example")) is None
    assert found.virtual_host(b"b.example") is None
    assert found.domain_of(b"b.example") is None


def test_the_port_can_be_left_out() -> None:
    found = _hosts("a.example", "*.example", ignore_port_in_host_matching=True)
    assert [found.domain_of(a) for a in (b"a.example:1", b"b.example:9", b"a.example")] == [
        "a.example",
        "*.example",
        "a.example",
    ]


def test_the_memo_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route_table, "MEMO_ENTRIES", 8)
    found = _hosts("*")
    for n in range(100):
        assert found.find(request(authority=f"host-{n}")) is not None
    assert len(found._memo) <= 8
    found.find(request(authority="x" * 300))
    assert all(len(name) < 300 for name in found._memo)


def test_the_first_route_that_matches_wins() -> None:
    found = table(
        route({"prefix": "/", "headers": [{"name": "x-a", "present_match": True}]}, "header"),
        route({"prefix": "/"}, "all"),
        route({"path": "/never"}, "never"),
    )
    assert found.find(request(x_a="1")).name == b"header"
    assert found.find(request("/never")).name == b"all"


def test_without_a_catch_all_a_request_can_find_no_route() -> None:
    found = table(route({"path": "/a"}, "a"), route({"path": "/b"}, "b"))
    assert found.find(request("/b")).name == b"b"
    assert found.find(request("/c")) is None
