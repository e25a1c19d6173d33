from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from mesh.routing.compile import compile_routes
from mesh.translate.outbound import route_configuration, virtual_hosts
from mesh.translate.routerule import caller_of, rule_route
from mesh.translate.snapshot import Snapshot

World = Callable[..., Snapshot]
HOST = "shop.default.svc.cluster.local"
FAULT, CORS = "envoy.filters.http.fault", "envoy.filters.http.cors"


def rule(spec: str) -> str:
    return f"kind: RouteRule\nmetadata: {{name: r}}\nspec: {{destination: {{name: shop}}, {spec}}}\n"


def shown(snapshot: Snapshot) -> dict[str, Any]:
    (view,) = snapshot.rules[HOST]
    found: dict[str, Any] = MessageToDict(rule_route(snapshot, view, snapshot.services[HOST].ports[0]))
    return found


def compiled(snapshot: Snapshot) -> Any:
    caller = caller_of(snapshot, snapshot.pods["127.244.0.1"])
    table = compile_routes(route_configuration(virtual_hosts(snapshot, caller)))
    return table.virtual_hosts[0].routes[0]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            "httpReqRetries: {simpleRetry: {attempts: 3, perTryTimeout: 1.5s}}",
            {"retryOn": "5xx,connect-failure,refused-stream", "numRetries": 3, "perTryTimeout": "1.500s"},
            id="attempts",
        ),
        pytest.param("httpReqRetries: {simpleRetry: {attempts: 0, perTryTimeout: 1s}}", None, id="none"),
        pytest.param("precedence: 1", None, id="nothing said"),
    ],
)
def test_retries(world: World, spec: str, expected: Any) -> None:
    snapshot = world(rule(spec))
    assert shown(snapshot)["route"].get("retryPolicy") == expected
    policy = compiled(snapshot).retry
    assert (policy.num_retries if policy else None) == (expected["numRetries"] if expected else None)


@pytest.mark.parametrize(
    ("spec", "delay_s", "delayed", "status", "aborted"),
    [
        pytest.param("delay: {percent: 10, fixedDelay: 5s}", 5.0, 100_000, 0, 0, id="delay of some"),
        pytest.param("delay: {fixedDelay: 100ms}", 0.1, 1_000_000, 0, 0, id="delay of all"),
        pytest.param("abort: {percent: 0.25, httpStatus: 503}", 0, 0, 503, 2500, id="abort of a few"),
        pytest.param(
            "abort: {httpStatus: 400}, delay: {percent: 50, fixedDelay: 1s}", 1.0, 500_000, 400, 1_000_000, id="both"
        ),
    ],
)
def test_faults(world: World, spec: str, delay_s: float, delayed: int, status: int, aborted: int) -> None:
    fault = compiled(world(rule(f"httpFault: {{{spec}}}"))).filters[FAULT]
    assert (fault.delay_s, fault.delay.numerator, fault.status, fault.abort.numerator) == (
        delay_s, delayed, status, aborted,
    )  # fmt: skip


def test_a_fault_for_nobody(world: World) -> None:
    assert compiled(world(rule("httpFault: {abort: {percent: 0, httpStatus: 500}}"))).filters[FAULT] is None


def test_cors(world: World) -> None:
    policy = (
        "corsPolicy: {allowOrigin: ['http://a.example', '*'], allowMethods: [GET, PUT], allowHeaders: [x-a, x-b], "
        "exposeHeaders: [x-c], maxAge: 1h, allowCredentials: true}"
    )
    spec = compiled(world(rule(policy))).filters[CORS]
    assert (spec.allow_methods, spec.allow_headers, spec.expose_headers) == (b"GET,PUT", b"x-a,x-b", b"x-c")
    assert (spec.max_age, spec.allow_credentials) == (b"3600", True)
    assert len(spec.origins) == 2


@pytest.mark.parametrize(("said", "expected"), [("true", {b"websocket": True}), ("false", {})])
def test_websockets(world: World, said: str, expected: dict[bytes, bool]) -> None:
    assert compiled(world(rule(f"websocketUpgrade: {said}"))).upgrades == expected
