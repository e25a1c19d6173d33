from typing import Any

import pytest

from mesh.routing.cors import PASS, CorsDecision, CorsSpec, apply, compile_cors, decide
from tests.unit.routing.conftest import message, request

OK = "http://ok.example"


def _spec(**fields: Any) -> CorsSpec | None:
    base: dict[str, Any] = {"allow_origin_string_match": [{"exact": OK}], "allow_methods": "GET", "max_age": "600"}
    return compile_cors(
        message("envoy.extensions.filters.http.cors.v3.cors:CorsPolicy", {**base, **fields}), "route.cors"
    )


def _decide(spec: CorsSpec | None, method: str = "GET", **headers: str) -> CorsDecision:
    assert spec is not None
    return decide(spec, request(method=method, draw=0, **headers))


PREFLIGHT = {"access_control_request_method": "POST"}


@pytest.mark.parametrize(
    ("fields", "method", "headers", "decision"),
    [
        pytest.param({}, "GET", {}, PASS, id="no origin"),
        pytest.param({}, "GET", {"origin": OK}, CorsDecision(origin=OK.encode()), id="allowed"),
        pytest.param({}, "GET", {"origin": "http://bad"}, PASS, id="not allowed: passes, nothing is told"),
        pytest.param({}, "GET", {"origin": OK.upper()}, PASS, id="case counts"),
        pytest.param({}, "OPTIONS", {"origin": OK}, CorsDecision(origin=OK.encode()), id="OPTIONS, not a preflight"),
        pytest.param({}, "POST", {"origin": OK, **PREFLIGHT}, CorsDecision(origin=OK.encode()), id="not OPTIONS"),
        pytest.param({}, "OPTIONS", {"origin": "http://bad", **PREFLIGHT}, PASS, id="foreign preflight goes on"),
        pytest.param(
            {"forward_not_matching_preflights": False},
            "OPTIONS",
            {"origin": "http://bad", **PREFLIGHT},
            CorsDecision(preflight=((b"access-control-allow-methods", b"GET"), (b"access-control-max-age", b"600"))),
            id="foreign preflight is answered without an origin",
        ),
        pytest.param(
            {"allow_credentials": True, "expose_headers": "x-e", "allow_headers": "x-a"},
            "OPTIONS",
            {"origin": OK, **PREFLIGHT},
            CorsDecision(
                preflight=(
                    (b"access-control-allow-origin", OK.encode()),
                    (b"access-control-allow-credentials", b"true"),
                    (b"access-control-allow-methods", b"GET"),
                    (b"access-control-allow-headers", b"x-a"),
                    (b"access-control-max-age", b"600"),
                    (b"access-control-expose-headers", b"x-e"),
                )
            ),
            id="preflight",
        ),
        pytest.param(
            {"allow_origin_string_match": [{"exact": "*"}]},
            "GET",
            {"origin": "http://any"},
            CorsDecision(origin=b"http://any"),
            id="a star allows everybody and echoes",
        ),
    ],
)
def test_decisions(fields: Any, method: str, headers: Any, decision: CorsDecision) -> None:
    assert _decide(_spec(**fields), method, **headers) == decision


def test_an_allowed_origin_is_told() -> None:
    spec = _spec(allow_credentials=True, expose_headers="x-e")
    assert spec is not None
    headers = [(b"access-control-allow-origin", b"upstream"), (b"a", b"1")]
    apply(spec, CorsDecision(origin=b"o"), headers)
    assert headers == [
        (b"access-control-allow-origin", b"o"),
        (b"a", b"1"),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", b"x-e"),
    ]
    alone = [(b"a", b"1")]
    apply(_spec() or spec, CorsDecision(origin=b"o"), alone)
    assert alone == [(b"a", b"1"), (b"access-control-allow-origin", b"o")]


def test_nothing_is_told_to_others() -> None:
    headers = [(b"access-control-allow-origin", b"upstream")]
    spec = _spec()
    assert spec is not None
    apply(spec, PASS, headers)
    assert headers == [(b"access-control-allow-origin", b"upstream")]


@pytest.mark.parametrize(("numerator", "draw", "active"), [(0, 0, False), (50, 49, True), (50, 50, False)])
def test_the_filter_may_be_on_for_some(numerator: int, draw: int, active: bool) -> None:
    spec = _spec(filter_enabled={"default_value": {"numerator": numerator}})
    if numerator == 0:
        assert spec is None
        return
    assert spec is not None
    assert (decide(spec, request(draw=draw, origin=OK)) != PASS) is active
