from typing import Any

import pytest

from mesh.routing.errors import Refused
from mesh.routing.rewrite import rewrite_path
from mesh.routing.route_table import Route
from tests.unit.routing.conftest import request, route, table

TEMPLATE = "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig"
REWRITE = "type.googleapis.com/envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig"


def _route(match: Any, **action: Any) -> Route:
    compiled = table(route(match, route={"cluster": "c", **action})).virtual_hosts[0].routes[0]
    assert isinstance(compiled, Route)
    return compiled


def _regex(pattern: str, substitution: str) -> Any:
    return {"regex_rewrite": {"pattern": {"regex": pattern}, "substitution": substitution}}


@pytest.mark.parametrize(
    ("match", "action", "path", "new"),
    [
        pytest.param({"prefix": "/p1"}, {"prefix_rewrite": "/"}, "/p1/a?q", "//a?q", id="literally"),
        pytest.param({"prefix": "/p1"}, {"prefix_rewrite": "/"}, "/p1", "/", id="all of it"),
        pytest.param({"prefix": "/p2/"}, {"prefix_rewrite": "/"}, "/p2/a", "/a", id="slashes on both sides"),
        pytest.param({"prefix": "/p"}, {"prefix_rewrite": "/new"}, "/pa", "/newa", id="inside a segment"),
        pytest.param({"prefix": "/"}, {"prefix_rewrite": "/new/path"}, "/x", "/new/pathx", id="no prefix to speak of"),
        pytest.param({"path": "/e"}, {"prefix_rewrite": "/o"}, "/e?x=1", "/o?x=1", id="exact path"),
        pytest.param({"path_separated_prefix": "/s"}, {"prefix_rewrite": "/z"}, "/s/a", "/z/a", id="separated prefix"),
        pytest.param({"safe_regex": {"regex": "/r/.*"}}, {"prefix_rewrite": "/w"}, "/r/a?b", "/w?b", id="regex: whole"),
        pytest.param({"prefix": "/r"}, _regex("o", "0"), "/r/oo?o", "/r/00?o", id="regex, everywhere but the query"),
        pytest.param(
            {"prefix": "/s"},
            _regex("^/s/([^/]+)(/.*)$", r"\2/i/\1"),
            "/s/1/x?k=v",
            "/x/i/1?k=v",
            id="regex with groups",
        ),
        pytest.param({"prefix": "/a"}, _regex("^/b", "/c"), "/a", None, id="regex that finds nothing"),
        pytest.param({"prefix": "/a"}, _regex(".*", ""), "/a?b", None, id="regex that leaves nothing"),
        pytest.param({"prefix": "/same"}, {"prefix_rewrite": "/same"}, "/same/x", None, id="the same again"),
        pytest.param({"prefix": "/"}, {}, "/x", None, id="no rewrite"),
        pytest.param(
            {"path_match_policy": {"name": "m", "typed_config": {"@type": TEMPLATE, "path_template": "/u/{id}/x"}}},
            {
                "path_rewrite_policy": {
                    "name": "r",
                    "typed_config": {"@type": REWRITE, "path_template_rewrite": "/x/{id}"},
                }
            },
            "/u/7/x?q",
            "/x/7?q",
            id="template",
        ),
    ],
)
def test_paths(match: Any, action: Any, path: str, new: str | None) -> None:
    got = rewrite_path(_route(match, **action), request(path))
    assert (None if got is None else got.decode()) == new


@pytest.mark.parametrize(
    ("action", "host"),
    [
        pytest.param({"host_rewrite_literal": "new.example"}, "new.example", id="literal"),
        pytest.param({"host_rewrite_header": "X-Host"}, "from.header", id="header"),
        pytest.param({"host_rewrite_header": "x-none"}, None, id="header that is absent"),
        pytest.param({"host_rewrite_header": "x-empty"}, None, id="header that is empty"),
        pytest.param(
            {"host_rewrite_path_regex": {"pattern": {"regex": "^/hp/(.+)$"}, "substitution": r"\1.example"}},
            "a.example",
            id="from the path",
        ),
        pytest.param({}, None, id="none"),
    ],
)
def test_authorities(action: Any, host: str | None) -> None:
    compiled = _route({"prefix": "/"}, **action)
    got = compiled.host_rewrite
    if got is None and compiled.host_rewriter is not None:
        got = compiled.host_rewriter(request("/hp/a?q", x_host="from.header", x_empty=""))
    assert (None if got is None else got.decode()) == host


def test_the_endpoints_name() -> None:
    assert _route({"prefix": "/"}, auto_host_rewrite=True).auto_host_rewrite
    assert not _route({"prefix": "/"}).auto_host_rewrite


@pytest.mark.parametrize(
    ("match", "action", "complaint"),
    [
        pytest.param({"prefix": "/"}, {"prefix_rewrite": "/a", **_regex("a", "b")}, "use one of them", id="two"),
        pytest.param({"prefix": "/"}, _regex("(", "b"), r"route\.regex_rewrite\.pattern\.regex", id="bad regex"),
        pytest.param(
            {"path_match_policy": {"name": "m", "typed_config": {"@type": TEMPLATE, "path_template": "/a"}}},
            {"prefix_rewrite": "/b"},
            r"route\.prefix_rewrite: does not go with a path template",
            id="prefix rewrite with a template",
        ),
        pytest.param(
            {"prefix": "/"},
            {"path_rewrite_policy": {"name": "r", "typed_config": {"@type": REWRITE, "path_template_rewrite": "/x"}}},
            "match with path_match_policy",
            id="template without template",
        ),
    ],
)
def test_refused(match: Any, action: Any, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        _route(match, **action)
