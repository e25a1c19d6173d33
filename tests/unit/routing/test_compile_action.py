from typing import Any

import pytest

from mesh.routing.route_table import Route
from tests.unit.routing.conftest import route, table


def _action(**fields: Any) -> Route:
    if not fields.keys() & {"cluster", "weighted_clusters", "cluster_header"}:
        fields["cluster"] = "c"
    return table(route({"prefix": "/"}, route=fields)).virtual_hosts[0].routes[0]


def test_defaults_are_envoys() -> None:
    compiled = _action()
    assert compiled.cluster == b"c"
    assert (compiled.timeout_s, compiled.idle_timeout_s, compiled.per_try_timeout_s) == (15.0, None, 0.0)
    assert compiled.cluster_not_found_status == 503
    assert compiled.retry is None
    assert compiled.hash_policy is None
    assert compiled.mirrors == ()
    assert compiled.upgrades == {}
    assert compiled.request_mutation is None


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        pytest.param({"timeout": "0s"}, "timeout_s", 0.0, id="timeout off"),
        pytest.param({"timeout": "1.25s"}, "timeout_s", 1.25, id="timeout"),
        pytest.param({"idle_timeout": "0s"}, "idle_timeout_s", 0.0, id="idle off"),
        pytest.param(
            {"max_stream_duration": {"max_stream_duration": "3s"}}, "max_stream_duration_s", 3.0, id="stream duration"
        ),
        pytest.param(
            {"cluster_not_found_response_code": "NOT_FOUND"}, "cluster_not_found_status", 404, id="unknown cluster: 404"
        ),
        pytest.param(
            {"cluster_not_found_response_code": "INTERNAL_SERVER_ERROR"}, "cluster_not_found_status", 500, id="500"
        ),
        pytest.param({"cluster_header": "X-Cluster"}, "cluster_header", b"x-cluster", id="cluster named by a header"),
        pytest.param({"append_x_forwarded_host": True}, "append_x_forwarded_host", True, id="x-forwarded-host"),
        pytest.param(
            {"upgrade_configs": [{"upgrade_type": "WebSocket"}, {"upgrade_type": "x", "enabled": False}]},
            "upgrades",
            {b"websocket": True, b"x": False},
            id="upgrades",
        ),
        pytest.param(
            {"metadata_match": {"filter_metadata": {"envoy.lb": {"version": "v1", "a": "b"}}}},
            "subset",
            (("a", "b"), ("version", "v1")),
            id="subset",
        ),
        pytest.param(
            {"retry_policy": {"retry_on": "5xx", "per_try_timeout": "0.5s"}}, "per_try_timeout_s", 0.5, id="per try"
        ),
    ],
)
def test_fields(fields: Any, name: str, value: object) -> None:
    assert getattr(_action(**fields), name) == value


def test_a_choice_carries_host_and_subset() -> None:
    compiled = _action(
        weighted_clusters={
            "clusters": [
                {
                    "name": "a",
                    "weight": 1,
                    "host_rewrite_literal": "a.example",
                    "metadata_match": {"filter_metadata": {"envoy.lb": {"version": "v1"}}},
                },
                {"name": "b", "weight": 3},
            ],
            "header_name": "X-R",
        },
        host_rewrite_literal="all.example",
        metadata_match={"filter_metadata": {"envoy.lb": {"zone": "z"}}},
    )
    assert compiled.weighted is not None
    one, two = compiled.weighted.choices
    assert (one.host_rewrite, two.host_rewrite) == (b"all.example", b"all.example")
    assert one.subset == (("version", "v1"), ("zone", "z"))
    assert two.subset == (("zone", "z"),)
    assert (compiled.weighted.total, compiled.weighted.header_name) == (4, b"x-r")


def test_a_clusters_host_counts_where_the_route_has_none() -> None:
    clusters = [{"name": "a", "weight": 1, "host_rewrite_literal": "a.example"}, {"name": "b", "weight": 1}]
    compiled = _action(weighted_clusters={"clusters": clusters})
    assert compiled.weighted is not None
    assert [choice.host_rewrite for choice in compiled.weighted.choices] == [b"a.example", None]
