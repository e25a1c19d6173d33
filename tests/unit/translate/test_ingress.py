from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from mesh.api.services import HttpIngressPath
from mesh.translate.ingress import ELEMENTS, EXACT, PREFIX, PathMatch, combine, path_match
from mesh.translate.routerule import route_match
from mesh.translate.snapshot import Snapshot
from mesh.translate.targets import Target

World = Callable[..., Snapshot]

PATHS = [
    pytest.param("Exact", "/a", PathMatch(EXACT, "/a"), id="exact"),
    pytest.param("Prefix", "/a", PathMatch(ELEMENTS, "/a"), id="prefix"),
    pytest.param("Prefix", "/a/", PathMatch(ELEMENTS, "/a"), id="prefix-with-a-slash-at-the-end"),
    pytest.param("Prefix", "/", PathMatch(PREFIX, "/"), id="prefix-slash-is-everything"),
    pytest.param("ImplementationSpecific", "/a", PathMatch(PREFIX, "/a"), id="implementation-specific"),
    pytest.param(None, "/a", PathMatch(PREFIX, "/a"), id="no-type"),
    pytest.param(None, "/a/.*", PathMatch(PREFIX, "/a/"), id="old-spelling-dot-star"),
    pytest.param(None, "/a/*", PathMatch(PREFIX, "/a/"), id="old-spelling-star"),
    pytest.param(None, "/*", PathMatch(PREFIX, "/"), id="star-for-everything"),
    pytest.param(None, None, PathMatch(PREFIX, "/"), id="no-path"),
]


@pytest.mark.parametrize(("kind", "path", "expected"), PATHS)
def test_path_match(kind: str | None, path: str | None, expected: PathMatch) -> None:
    assert path_match(HttpIngressPath(path=path, path_type=kind)) == expected


TAKES = [
    pytest.param(PathMatch(EXACT, "/a"), "/a", True, id="exact"),
    pytest.param(PathMatch(EXACT, "/a"), "/a/", False, id="exact-is-exact"),
    pytest.param(PathMatch(ELEMENTS, "/a"), "/a", True, id="elements-whole"),
    pytest.param(PathMatch(ELEMENTS, "/a"), "/a/b", True, id="elements-below"),
    pytest.param(PathMatch(ELEMENTS, "/a"), "/ab", False, id="elements-not-half-of-one"),
    pytest.param(PathMatch(PREFIX, "/a"), "/ab", True, id="plain-prefix"),
    pytest.param(PathMatch(PREFIX, "/a"), "/b", False, id="plain-prefix-misses"),
]


@pytest.mark.parametrize(("match", "path", "hit"), TAKES)
def test_takes(match: PathMatch, path: str, hit: bool) -> None:
    assert match.takes(path) is hit


# A rule's condition on the path, the Ingress path, and what fits both (None: nothing does).
COMBINED = [
    pytest.param("prefix: /", PathMatch(PREFIX, "/api"), {"prefix": "/api"}, id="the-longer-prefix-is-the-path"),
    pytest.param("prefix: /api/v1", PathMatch(PREFIX, "/api"), {"prefix": "/api/v1"}, id="the-longer-is-the-rule"),
    pytest.param("prefix: /other", PathMatch(PREFIX, "/api"), None, id="prefixes-apart"),
    pytest.param("prefix: /", PathMatch(ELEMENTS, "/api"), {"pathSeparatedPrefix": "/api"}, id="elements"),
    pytest.param("prefix: /api", PathMatch(ELEMENTS, "/api"), {"pathSeparatedPrefix": "/api"}, id="elements-equal"),
    pytest.param("prefix: /api/v", PathMatch(ELEMENTS, "/api"), {"prefix": "/api/v"}, id="prefix-below-elements"),
    pytest.param("prefix: /apis", PathMatch(ELEMENTS, "/api"), None, id="prefix-beside-elements"),
    pytest.param("prefix: /api", PathMatch(EXACT, "/api/v1"), {"path": "/api/v1"}, id="exact-path-below-prefix"),
    pytest.param("prefix: /api/v1/x", PathMatch(EXACT, "/api/v1"), None, id="exact-path-above-prefix"),
    pytest.param("exact: /api/v1", PathMatch(PREFIX, "/api"), {"path": "/api/v1"}, id="exact-rule"),
    pytest.param("exact: /apis", PathMatch(ELEMENTS, "/api"), None, id="exact-rule-beside-elements"),
    pytest.param("exact: /a", PathMatch(EXACT, "/a"), {"path": "/a"}, id="exact-twice"),
    pytest.param("exact: /a", PathMatch(EXACT, "/b"), None, id="exact-apart"),
    pytest.param("regex: '/a.*'", PathMatch(PREFIX, "/"), {"safeRegex": {"regex": "/a.*"}}, id="regex-everywhere"),
    pytest.param(
        "regex: '/a.*'",
        PathMatch(PREFIX, "/a"),
        {"safeRegex": {"regex": "/a.*"}, "headers": [{"name": ":path", "stringMatch": {"prefix": "/a"}}]},
        id="regex-below-prefix",
    ),
    pytest.param(
        "regex: '/a.*'",
        PathMatch(ELEMENTS, "/a.b"),
        {
            "safeRegex": {"regex": "/a.*"},
            "headers": [{"name": ":path", "stringMatch": {"safeRegex": {"regex": r"/a\.b(?:[/?].*)?"}}}],
        },
        id="regex-below-elements",
    ),
    pytest.param(
        "regex: '/a.*'",
        PathMatch(EXACT, "/ab"),
        {
            "safeRegex": {"regex": "/a.*"},
            "headers": [{"name": ":path", "stringMatch": {"safeRegex": {"regex": r"/ab(?:\?.*)?"}}}],
        },
        id="regex-on-an-exact-path",
    ),
]


@pytest.mark.parametrize(("uri", "path", "expected"), COMBINED)
def test_combine(world: World, uri: str, path: PathMatch, expected: dict[str, Any] | None) -> None:
    from mesh.translate.routerule import default_route

    text = f"kind: RouteRule\nmetadata: {{name: r}}\nspec: {{match: {{request: {{headers: {{uri: {{{uri}}}}}}}}}}}\n"
    ((view,),) = world(text, shop=False).rules.values()
    route = default_route(Target("a", 80))
    route.match.CopyFrom(route_match(view.spec))
    before = route.SerializeToString()
    combined = combine(route, path)
    assert (combined and MessageToDict(combined.match)) == expected
    assert route.SerializeToString() == before
