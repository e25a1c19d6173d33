"""Every recorded request meets the decision that Envoy made for it."""

from typing import Any

import pytest

from mesh.routing import cors, headers, redirect
from mesh.routing.compile import compile_routes
from mesh.routing.decision import Decision
from mesh.routing.explain import explain
from mesh.routing.path import PathError, PathRedirect, PathSpec, normalize
from mesh.routing.request import Request
from mesh.routing.rewrite import rewrite_path
from mesh.routing.route_table import CLUSTER, DIRECT, REDIRECT, RouteTable
from tests.unit.routing.conftest import message

Fields = list[tuple[bytes, bytes]]


def _latin(fields: list[list[str]]) -> Fields:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]


class Plane:
    """The decisions of one configuration, in the order in which a proxy asks for them."""

    def __init__(self, config: Any) -> None:
        self.table: RouteTable = compile_routes(
            message("envoy.config.route.v3.route:RouteConfiguration", config["route_config"])
        )
        flags = config["path"]
        self.path = PathSpec(
            normalize=flags.get("normalize_path", False),
            merge_slashes=flags.get("merge_slashes", False),
            escaped_slashes=flags.get("path_with_escaped_slashes_action", "KEEP_UNCHANGED"),
        )


@pytest.fixture(scope="module")
def planes(recorded: Any) -> dict[str, Plane]:
    return {name: Plane(config) for name, config in recorded["configs"].items()}


def _parsed(fields: Fields) -> Fields:
    """Fields as the parser hands them on: lines of a header that exists once are joined."""
    once = (b"user-agent", b"accept", b"authorization", b"x-forwarded-for")
    merged: Fields = []
    for name, value in fields:
        known = [i for i, line in enumerate(merged) if line[0] == name]
        if name in once and known:
            merged[known[0]] = (name, merged[known[0]][1] + b"," + value)
        else:
            merged.append((name, value))
    return merged


def _request(case: Any) -> Request:
    wire = case["request"]
    fields = _parsed(_latin(wire["fields"]))
    proto = dict(fields).get(b"x-forwarded-proto", b"http")
    return Request(
        wire["method"].encode(), wire["target"].encode("latin-1"), wire["authority"].encode(), fields, proto, draw=0
    )


def _skipped(case: Any) -> bool:
    """Refused while the head was parsed, or told in the form of gRPC: not decided here."""
    if ["content-type", "application/grpc"] in case["request"]["fields"]:
        return True
    return bool(case["answer"]["status"] == 400 and case["answer"]["body"] == "Bad Request")


def test_paths_routes_rewrites_and_redirects(recorded: Any, planes: dict[str, Plane]) -> None:
    checked = {"400": 0, "307": 0, "404": 0, REDIRECT: 0, DIRECT: 0, CLUSTER: 0}
    for case in recorded["cases"]:
        if _skipped(case) or case["group"] == "cors":
            continue
        plane, request, where = planes[case["config"]], _request(case), (case["id"], case["request"])
        status, location = case["answer"]["status"], dict(case["answer"]["fields"]).get("location")
        path = normalize(request.path, plane.path)
        if isinstance(path, PathError):
            assert status == 400, where
            checked["400"] += 1
            continue
        if isinstance(path, PathRedirect):
            assert (status, location) == (307, path.location.decode()), where
            checked["307"] += 1
            continue
        request.path = path
        found = plane.table.find(request)
        assert explain(plane.table, request).route is found, where
        if found is None:
            assert status == 404, where
            checked["404"] += 1
            continue
        if found.kind == REDIRECT:
            assert redirect.location(found, request) == (status, (location or "").encode()), where
        elif found.kind == DIRECT:
            assert found.direct is not None
            assert found.direct[0] == status, where
            if request.method != b"HEAD" and status not in (204, 304):
                assert found.direct[1] == case["answer"]["body"].encode("latin-1"), where
        elif case["upstream"] is None:
            assert status == 503, where  # the cluster is dead or unknown
        else:
            wanted = case["upstream"]["path"].encode("latin-1")
            assert (rewrite_path(found, request) or request.path) == wanted, where
            _check_host(found, request, case)
        checked[found.kind] += 1
    assert all(checked.values()), checked
    assert sum(checked.values()) > 270, checked


def _check_host(found: Any, request: Request, case: Any) -> None:
    choice = found if found.weighted is None else found.weighted.choose(request)
    host = choice.host_rewrite
    if host is None and found.host_rewriter is not None:
        host = found.host_rewriter(request)
    assert (host or request.authority).decode() == case["upstream"]["host"], (case["id"], case["request"])


@pytest.mark.parametrize("config", ["headers", "headers-msw", "headers-weighted"])
def test_header_mutations(config: str, recorded: Any, planes: dict[str, Plane]) -> None:
    """Ours end with exactly the lines that the endpoint and the client saw at the end, in their order."""
    cases = [case for case in recorded["cases"] if case["config"] == config]
    assert cases
    for case in cases:
        request = _request(case)
        found = planes[config].table.find(request)
        assert found is not None
        choice = found if found.weighted is None else found.weighted.choose(request)
        decision = Decision(0.0)
        decision.request, decision.route = request, found
        decision.peer, decision.response_code = ("127.0.0.1", 4711), 200
        added = [(b"x-forwarded-proto", b"http"), (b"x-request-id", b"<UUID>")]
        added += [line for line in _latin(case["upstream"]["fields"]) if line[0] == b"x-envoy-expected-rq-timeout-ms"]
        request.headers += added
        headers.apply(choice.request_mutation, request.headers, decision)
        assert request.headers == _latin(case["upstream"]["fields"]), case["id"]


def test_cors(recorded: Any, planes: dict[str, Plane]) -> None:
    preflights = answers = 0
    for case in recorded["cases"]:
        if case["group"] != "cors":
            continue
        request, where = _request(case), (case["id"], case["request"])
        found = planes["cors"].table.find(request)
        assert found is not None
        spec = found.filters.get("envoy.filters.http.cors")
        decided = cors.PASS if spec is None else cors.decide(spec, request)
        seen = _latin(case["answer"]["fields"])
        if case["upstream"] is None:
            assert decided.preflight == tuple(line for line in seen if line[0].startswith(b"access-control")), where
            preflights += 1
            continue
        assert decided.preflight is None, where
        fields: Fields = [(b"access-control-allow-origin", b"upstream"), (b"x-e", b"1")]
        if spec is not None:
            cors.apply(spec, decided, fields)
        assert fields == [
            line for line in seen if line[0].startswith((b"access-control", b"x-e")) and b"env" not in line[0]
        ]
        answers += 1
    assert (preflights, answers) == (6, 12)
