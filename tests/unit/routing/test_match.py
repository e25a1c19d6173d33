from typing import Any

import pytest

from mesh.routing.errors import Refused
from mesh.routing.match import all_of, compile_match, fraction
from tests.unit.routing.conftest import message, request

TEMPLATE = "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig"


def _match(match: Any) -> Any:
    return all_of(compile_match(message("envoy.config.route.v3.route_components:RouteMatch", match), "m"))


@pytest.mark.parametrize(
    ("match", "hits", "misses"),
    [
        pytest.param({"path": "/a"}, ["/a", "/a?b", "/a?"], ["/a/", "/A", "/ab", "/a%2F"], id="path"),
        pytest.param({"path": "/Ab", "case_sensitive": False}, ["/aB", "/AB?x"], ["/abc"], id="path in any case"),
        pytest.param({"path": "/a?b"}, [], ["/a?b", "/a"], id="a path with a query never matches"),
        pytest.param({"prefix": "/a"}, ["/a", "/ab", "/a/b", "/a?b"], ["/", "/b/a", "/A"], id="prefix"),
        pytest.param({"prefix": "/aB", "case_sensitive": False}, ["/Ab", "/abc"], ["/a"], id="prefix in any case"),
        pytest.param({"prefix": "/a?"}, [], ["/a?b"], id="a prefix with a question mark never matches"),
        pytest.param(
            {"path_separated_prefix": "/api"}, ["/api", "/api/", "/api/v1", "/api?x"], ["/apix", "/ap"], id="separated"
        ),
        pytest.param(
            {"path_separated_prefix": "/api", "case_sensitive": False},
            ["/API/x", "/Api"],
            ["/APIX"],
            id="separated in any case",
        ),
        pytest.param({"safe_regex": {"regex": "/a+"}}, ["/aaa", "/a?x"], ["/aab", "/b/a"], id="regex"),
        pytest.param(
            {
                "path_match_policy": {
                    "name": "t",
                    "typed_config": {
                        "@type": TEMPLATE,
                        "path_template": "/u/{id}/x",
                    },
                }
            },
            ["/u/7/x", "/u/a-b/x?y"],
            ["/u//x", "/u/7/x/", "/u/7"],
            id="template",
        ),
    ],
)
def test_paths(match: Any, hits: list[str], misses: list[str]) -> None:
    compiled = _match(match)
    assert [path for path in [*hits, *misses] if compiled(request(path))] == hits


@pytest.mark.parametrize("prefix", ["/", ""])
def test_the_prefix_of_every_path_asks_nothing(prefix: str) -> None:
    assert _match({"prefix": prefix}) is None


@pytest.mark.parametrize("n", range(1, 6))
def test_all_conditions_count(n: int) -> None:
    names = [f"x-{i}" for i in range(n)]
    compiled = _match({"prefix": "/", "headers": [{"name": name, "present_match": True} for name in names]})
    everything = {f"x_{i}": "1" for i in range(n)}
    assert compiled(request(**everything))
    for name in everything:
        assert not compiled(request(**{k: v for k, v in everything.items() if k != name}))


@pytest.mark.parametrize(
    ("content_type", "matches"),
    [
        ("application/grpc", True),
        ("application/grpc+proto", True),
        ("application/grpc;x", True),
        ("application/grpc-web", False),
        ("text/plain", False),
    ],
)
def test_grpc(content_type: str, matches: bool) -> None:
    assert _match({"prefix": "/", "grpc": {}})(request(content_type=content_type)) is matches
    assert not _match({"prefix": "/", "grpc": {}})(request())


@pytest.mark.parametrize(
    ("percent", "draw", "matches"),
    [
        pytest.param({"numerator": 50}, 49, True, id="49 of 100"),
        pytest.param({"numerator": 50}, 50, False, id="50 of 100"),
        pytest.param({"numerator": 50}, 1_000_049, True, id="modulo the denominator"),
        pytest.param({"numerator": 1, "denominator": "MILLION"}, 1_000_000, True, id="a millionth"),
        pytest.param({"numerator": 1, "denominator": "TEN_THOUSAND"}, 1, False, id="a ten-thousandth"),
        pytest.param({"numerator": 0}, 0, False, id="nothing"),
    ],
)
def test_runtime_fraction(percent: Any, draw: int, matches: bool) -> None:
    assert _match({"prefix": "/", "runtime_fraction": {"default_value": percent}})(request(draw=draw)) is matches


def test_a_full_fraction_asks_nothing() -> None:
    assert _match({"prefix": "/", "runtime_fraction": {"default_value": {"numerator": 100}}}) is None


def test_fraction_reads_numerator_and_denominator() -> None:
    percent = message("envoy.type.v3.percent:FractionalPercent", {"numerator": 3, "denominator": "TEN_THOUSAND"})
    assert fraction(percent) == (3, 10_000)


@pytest.mark.parametrize(
    ("match", "complaint"),
    [
        pytest.param({}, "m: has no path condition; use prefix", id="nothing"),
        pytest.param({"path_separated_prefix": "/a/"}, "m.path_separated_prefix: starts with / and ends", id="slash"),
        pytest.param({"safe_regex": {"regex": ""}}, "m.safe_regex.regex: is empty", id="empty regex"),
        pytest.param({"safe_regex": {"regex": "("}}, "m.safe_regex.regex: missing", id="bad regex"),
        pytest.param({"prefix": "/", "headers": [{"name": ""}]}, r"m.headers\[0\].name: is empty", id="no name"),
        pytest.param({"connect_matcher": {}}, "m: has no path condition", id="connect"),
    ],
)
def test_refused(match: Any, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        _match(match)
