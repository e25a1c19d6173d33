import random
from typing import Any

import pytest

from mesh.routing.errors import Refused
from mesh.routing.fault import NO_FAULT, Abort, Chance, Fault, FaultSpec, compile_fault, decide
from tests.unit.routing.conftest import message, request

ALWAYS = {"numerator": 100, "denominator": "HUNDRED"}


def _spec(**fields: Any) -> FaultSpec | None:
    return compile_fault(message("envoy.extensions.filters.http.fault.v3.fault:HTTPFault", fields), "f")


def _decide(spec: FaultSpec | None, cluster: bytes = b"c", active: int = 0, **headers: str) -> Fault:
    assert spec is not None
    return decide(spec, request(**headers), cluster, active, random.Random(1))


DELAY = {"fixed_delay": "0.3s", "percentage": ALWAYS}
ABORT = {"http_status": 503, "percentage": ALWAYS}


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        pytest.param({"delay": DELAY}, Fault(0.3), id="delay"),
        pytest.param({"abort": ABORT}, Fault(0.0, Abort(503)), id="abort"),
        pytest.param({"delay": DELAY, "abort": ABORT}, Fault(0.3, Abort(503)), id="both"),
        pytest.param({"abort": {"grpc_status": 14, "percentage": ALWAYS}}, Fault(0.0, Abort(200, 14)), id="grpc"),
        pytest.param({"abort": {"http_status": 503}, "delay": DELAY}, Fault(0.3), id="no percentage: none"),
    ],
)
def test_faults(fields: Any, fault: Fault) -> None:
    assert _decide(_spec(**fields)) == fault


@pytest.mark.parametrize(
    "fields", [{}, {"abort": {"http_status": 500}}, {"abort": {"http_status": 500, "percentage": {"numerator": 0}}}]
)
def test_a_fault_that_never_strikes_is_none(fields: Any) -> None:
    assert _spec(**fields) is None


def test_delay_and_abort_draw_on_their_own() -> None:
    half = {"numerator": 50}
    spec = _spec(delay={"fixed_delay": "1s", "percentage": half}, abort={"http_status": 500, "percentage": half})
    assert spec is not None
    rng = random.Random(2)
    faults = [decide(spec, request(draw=0), b"c", 0, rng) for _ in range(4000)]
    for delay in (0.0, 1.0):
        for abort in (None, Abort(500)):
            share = sum(f.delay_s == delay and f.abort == abort for f in faults) / 4000
            assert share == pytest.approx(0.25, abs=0.03)


def test_headers_and_cluster_restrict_it() -> None:
    spec = _spec(
        abort=ABORT,
        headers=[{"name": "x-f", "string_match": {"exact": "1"}}],
        upstream_cluster="c",
        max_active_faults=2,
    )
    assert _decide(spec, x_f="1") != NO_FAULT
    assert _decide(spec, x_f="2") is NO_FAULT
    assert _decide(spec, cluster=b"other", x_f="1") is NO_FAULT
    assert _decide(spec, active=2, x_f="1") is NO_FAULT


def test_chance() -> None:
    rng = random.Random(1)
    assert sum(Chance(1, 10_000).hits(rng) for _ in range(100_000)) < 30
    assert not Chance().hits(rng)
    assert Chance(100, 100).hits(rng)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"delay": {"percentage": ALWAYS}}, r"f\.delay\.fixed_delay: is longer than zero"),
        ({"abort": {"percentage": ALWAYS}}, r"f\.abort\.http_status: is a status from 200 to 599"),
        ({"abort": {"http_status": 700}}, r"f\.abort\.http_status: is a status from 200 to 599"),
    ],
)
def test_refused(fields: Any, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        _spec(**fields)
