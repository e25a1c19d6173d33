from typing import Any

import pytest

from mesh.routing.explain import explain
from tests.unit.routing.conftest import request, route, table


def _table() -> Any:
    return table(
        route({"prefix": "/", "headers": [{"name": "x-user", "string_match": {"exact": "jason"}}]}, "by header"),
        route({"path": "/q", "query_parameters": [{"name": "a", "string_match": {"exact": "1"}}]}, "by query"),
        route({"prefix": "/old"}, "moved", redirect={"path_redirect": "/new"}),
        route({"prefix": "/down"}, "down", direct_response={"status": 503, "body": {"inline_string": "maint"}}),
        route({"prefix": "/c"}, "by cluster header", route={"cluster_header": "x-c"}),
        route(
            {"prefix": "/split"},
            "split",
            route={"weighted_clusters": {"clusters": [{"name": "a", "weight": 90}, {"name": "b", "weight": 10}]}},
        ),
        route({"prefix": "/half", "runtime_fraction": {"default_value": {"numerator": 50}}}, "half"),
        route({"prefix": "/all"}, "rest", route={"cluster": "everything"}),
    )


@pytest.mark.parametrize(
    ("path", "headers", "chosen", "outcome"),
    [
        ("/", {"x_user": "jason"}, "by header", "cluster c"),
        ("/q?a=1", {}, "by query", "cluster c"),
        ("/old?x", {}, "moved", "301 redirect to http://svc.example/new?x"),
        ("/down", {}, "down", "503 direct response of 5 bytes"),
        ("/c", {}, "by cluster header", "cluster named by header x-c"),
        ("/split", {}, "split", "split: 90/100 a, 10/100 b"),
        ("/all", {}, "rest", "cluster everything"),
        ("/none", {}, None, "404 NR: no route of the virtual host matches"),
    ],
)
def test_outcomes(path: str, headers: Any, chosen: str | None, outcome: str) -> None:
    found = _table()
    head = request(path, draw=99, **headers)
    account = explain(found, head)
    assert account.outcome == outcome
    assert account.route is found.find(head)
    assert (account.route.name.decode() if account.route else None) == chosen
    assert account.domain == "*"
    assert [step.number for step in account.steps] == list(range(len(account.steps)))
    assert [step.matched for step in account.steps[:-1]] == [False] * (len(account.steps) - 1)


def test_every_failed_condition_is_told_with_what_was_seen() -> None:
    account = explain(_table(), request("/q?a=2", x_user="anna"))
    assert [(step.failed, step.seen) for step in account.steps[:3]] == [
        ("header x-user is 'jason'", "'anna'"),
        ("query parameter a is '1'", "'2'"),
        ("path starts with '/old'", "'/q'"),
    ]
    fraction = explain(_table(), request("/half", draw=77)).steps[6]
    assert (fraction.failed, fraction.seen) == ("runtime fraction 50 of 100", "77")
    assert explain(_table(), request("/q")).steps[0].seen == "absent"


def test_an_unknown_authority() -> None:
    from mesh.routing.route_table import RouteTable

    account = explain(RouteTable("empty", []), request(authority="nobody"))
    assert account.virtual_host is None
    assert account.outcome == "404 NR: no virtual host has this authority"
