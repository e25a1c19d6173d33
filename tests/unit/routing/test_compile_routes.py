from typing import Any

import pytest

from mesh.routing.compile import compile_routes, compile_virtual_host
from mesh.routing.decision import Decision
from mesh.routing.errors import Refused
from mesh.routing.headers import HeaderPlan, apply
from mesh.routing.route_table import DIRECT, Route, RouteTable
from tests.unit.routing.conftest import message, request, route, table


def _first(found: RouteTable) -> Route:
    return found.virtual_hosts[0].routes[0]


def _lines(plan: HeaderPlan | None) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, bytes]] = []
    assert plan is not None
    apply(plan, headers, Decision(0.0))
    return headers


def _add(value: str, which: str = "request") -> Any:
    return {f"{which}_headers_to_add": [{"header": {"key": "x", "value": value}}]}


def _levels(**more: Any) -> Route:
    config = {
        "virtual_hosts": [
            {
                "name": "v",
                "domains": ["*"],
                **_add("vhost"),
                **_add("vhost", "response"),
                "routes": [
                    {
                        "match": {"prefix": "/"},
                        **_add("route"),
                        "route": {
                            "weighted_clusters": {
                                "clusters": [{"name": "a", "weight": 1, **_add("cluster")}, {"name": "b", "weight": 1}]
                            }
                        },
                    }
                ],
            }
        ],
        **_add("global"),
        **more,
    }
    return _first(compile_routes(message("envoy.config.route.v3.route:RouteConfiguration", config)))


def test_levels_of_header_mutations() -> None:
    compiled = _levels()
    assert [value for _, value in _lines(compiled.request_mutation)] == [b"route", b"vhost", b"global"]
    assert [value for _, value in _lines(compiled.response_mutation)] == [b"vhost"]
    assert compiled.weighted is not None
    one, two = compiled.weighted.choices
    assert [value for _, value in _lines(one.request_mutation)] == [b"cluster", b"route", b"vhost", b"global"]
    assert [value for _, value in _lines(two.request_mutation)] == [b"route", b"vhost", b"global"]


def test_the_most_specific_level_can_come_last() -> None:
    """All but the weighted cluster's, which Envoy applies first in any case."""
    compiled = _levels(most_specific_header_mutations_wins=True)
    assert compiled.weighted is not None
    assert [v for _, v in _lines(compiled.weighted.choices[0].request_mutation)] == [
        b"cluster",
        b"global",
        b"vhost",
        b"route",
    ]


def test_what_the_virtual_host_says_holds_for_its_routes() -> None:
    retry = {"retry_on": "5xx"}
    host = {
        "name": "v",
        "domains": ["*"],
        "routes": [
            route({"path": "/own"}, route={"cluster": "c", "retry_policy": {"retry_on": "reset"}}),
            route({"prefix": "/"}),
        ],
        "include_request_attempt_count": True,
        "include_attempt_count_in_response": True,
        "retry_policy": retry,
        "per_request_buffer_limit_bytes": 8,
        "request_mirror_policies": [{"cluster": "m"}],
    }
    compiled = compile_virtual_host(message("envoy.config.route.v3.route_components:VirtualHost", host))
    own, inherited = compiled.routes
    assert own.retry is not None
    assert inherited.retry is not None
    assert (own.retry.on, inherited.retry.on) == ({"reset"}, {"5xx"})
    for compiled_route in compiled.routes:
        assert compiled_route.include_attempt_count
        assert compiled_route.include_attempt_count_in_response
        assert compiled_route.buffer_limit_bytes == 8
        assert [m.cluster for m in compiled_route.mirrors] == [b"m"]


def test_assembled_tables_find_as_compiled_ones() -> None:
    host = {"name": "v", "domains": ["a.example"], "routes": [route({"prefix": "/"}, "r")]}
    compiled = compile_virtual_host(message("envoy.config.route.v3.route_components:VirtualHost", host))
    assembled = RouteTable("assembled", [compiled], ignore_port=True)
    assert assembled.find(request(authority="a.example:80")).name == b"r"


def test_direct_responses() -> None:
    text = _first(table(route({"prefix": "/"}, direct_response={"status": 503, "body": {"inline_string": "é"}})))
    raw = _first(table(route({"prefix": "/"}, direct_response={"status": 200, "body": {"inline_bytes": "AAEC/w=="}})))
    empty = _first(table(route({"prefix": "/"}, direct_response={"status": 204})))
    assert text.kind == DIRECT
    assert [text.direct, raw.direct, empty.direct] == [(503, "é".encode()), (200, b"\x00\x01\x02\xff"), (204, b"")]


def test_filters_are_inherited_and_overridden() -> None:
    fault = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"

    def abort(status: int) -> Any:
        return {"f": {"@type": fault, "abort": {"http_status": status, "percentage": {"numerator": 100}}}}

    off = {"f": {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True}}
    host = {
        "name": "v",
        "domains": ["*"],
        "typed_per_filter_config": abort(501),
        "routes": [
            {**route({"path": "/a"}), "typed_per_filter_config": abort(502)},
            {**route({"path": "/b"}), "typed_per_filter_config": off},
            route({"prefix": "/"}),
        ],
    }
    config = message("envoy.config.route.v3.route:RouteConfiguration", {"virtual_hosts": [host]})
    one, two, three = compile_routes(config).virtual_hosts[0].routes
    assert (one.filters["f"].status, two.filters["f"], three.filters["f"].status) == (502, None, 501)


def test_metadata_is_carried() -> None:
    compiled = _first(table({**route({"prefix": "/"}), "metadata": {"filter_metadata": {"loopmesh": {"rule": "r"}}}}))
    assert compiled.metadata == {"loopmesh": {"rule": "r"}}


def test_equal_input_gives_equal_values() -> None:
    first, second = _levels(), _levels()
    assert first.request_mutation == second.request_mutation
    assert first.weighted is not None
    assert second.weighted is not None
    assert first.weighted.choices == second.weighted.choices


@pytest.mark.parametrize(
    ("host", "complaint"),
    [
        pytest.param({"domains": []}, r"virtual_hosts\[0\]\.domains: is empty", id="no domain"),
        pytest.param({"domains": ["a*b"]}, r"domains\[0\]: 'a\*b' is not a domain", id="star inside"),
        pytest.param({"domains": ["*a*"]}, r"is not a domain", id="two stars"),
        pytest.param({"domains": ["a", "A"]}, r"domains\[1\]: 'A' belongs to virtual host v already", id="twice"),
        pytest.param({"routes": [{"match": {"prefix": "/"}}]}, r"routes\[0\]: has no action", id="no action"),
        pytest.param({"routes": [{"route": {"cluster": "c"}}]}, r"routes\[0\]\.match: is missing", id="no match"),
        pytest.param({"routes": [route({"prefix": "/"}, route={})]}, r"route\.cluster: is empty", id="no cluster"),
        pytest.param(
            {"routes": [route({"prefix": "/"}, direct_response={"status": 42})]}, r"status: is a status", id="status"
        ),
        pytest.param(
            {
                "routes": [
                    route({"prefix": "/"}, route={"weighted_clusters": {"clusters": [{"name": "a", "weight": 0}]}})
                ]
            },
            r"weighted_clusters\.clusters: have no weight",
            id="weights",
        ),
        pytest.param(
            {"routes": [route({"prefix": "/"}, route={"weighted_clusters": {"clusters": [{"weight": 1}]}})]},
            r"clusters\[0\]\.name: is empty",
            id="nameless",
        ),
        pytest.param({"require_tls": "ALL"}, r"virtual_hosts\[0\]\.require_tls: is not executed", id="tls"),
        pytest.param(
            {"routes": [{**route({"prefix": "/"}), "tracing": {}}]}, r"\.tracing: is not executed", id="tracing"
        ),
    ],
)
def test_refused(host: Any, complaint: str) -> None:
    config = {"virtual_hosts": [{"name": "v", "domains": ["*"], **host}]}
    with pytest.raises(Refused, match=complaint):
        compile_routes(message("envoy.config.route.v3.route:RouteConfiguration", config))
