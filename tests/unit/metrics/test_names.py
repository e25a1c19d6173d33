import pytest

from mesh.metrics import names
from mesh.metrics.names import BOUNDARIES, ISTIO, REQUEST_LABELS, TCP_LABELS, exposed_kind


def test_boundaries_rise() -> None:
    assert list(BOUNDARIES) == sorted(set(BOUNDARIES))
    assert len(BOUNDARIES) == 19


def test_istio_labels_are_complete() -> None:
    assert len(REQUEST_LABELS) == len(set(REQUEST_LABELS)) == 25
    assert set(REQUEST_LABELS) - set(TCP_LABELS) == {"response_code", "grpc_response_status"}


def test_every_series_is_declared_once_with_help() -> None:
    assert len({series.name for series in ISTIO}) == len(ISTIO)
    assert all(series.help.endswith(".") for series in ISTIO)
    assert {series.name for series in ISTIO if series.unit == "ms"} == {"istio_request_duration_milliseconds"}


@pytest.mark.parametrize(
    ("name", "kind", "exposed"),
    [
        pytest.param("istio_requests_total", "counter", "counter", id="counter-named-total"),
        pytest.param("envoy_cluster_upstream_rq", "counter", "unknown", id="counter-without-total"),
        pytest.param("envoy_cluster_membership_total", "gauge", "unknown", id="gauge-named-total"),
        pytest.param("envoy_cluster_upstream_rq_active", "gauge", "gauge", id="gauge"),
        pytest.param("envoy_cluster_upstream_rq_time", "histogram", "histogram", id="histogram"),
    ],
)
def test_declared_type(name: str, kind: names.Kind, exposed: str) -> None:
    assert exposed_kind(name, kind) == exposed
