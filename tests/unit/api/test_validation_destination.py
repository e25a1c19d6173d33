"""What is refused of a DestinationRule: what is wrong, and what nothing here would execute."""

from typing import Any

import pytest

from mesh.api.validation_destination import destination_causes

BALANCER = "spec.trafficPolicy.loadBalancer"
HASH = f"{BALANCER}.consistentHash"


def hashed(**by: Any) -> dict[str, Any]:
    return {"host": "a", "trafficPolicy": {"loadBalancer": {"consistentHash": by}}}


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        pytest.param({"host": "a"}, [], id="host-alone"),
        pytest.param({"host": "*.default.svc.cluster.local"}, [], id="wildcard"),
        pytest.param({}, ["spec.host"], id="no-host"),
        pytest.param({"host": "A b"}, ["spec.host"], id="host"),
        pytest.param({"host": "a", "subsets": []}, ["spec.subsets"], id="subsets"),
        pytest.param(
            {"host": "a", "trafficPolicy": {"outlierDetection": {}}}, ["spec.trafficPolicy.outlierDetection"],
            id="outliers",
        ),
        pytest.param({"host": "a", "trafficPolicy": {"loadBalancer": {"simple": "RANDOM"}}}, [], id="simple"),
        pytest.param(
            {"host": "a", "trafficPolicy": {"loadBalancer": {"simple": "PASSTHROUGH"}}}, [f"{BALANCER}.simple"],
            id="not-executed",
        ),
        pytest.param({"host": "a", "trafficPolicy": {"loadBalancer": {}}}, [BALANCER], id="neither"),
        pytest.param(hashed(httpHeaderName="x-user"), [], id="header"),
        pytest.param(hashed(useSourceIp=True), [], id="source"),
        pytest.param(hashed(httpCookie={"name": "u", "ttl": "1h30m"}), [], id="cookie"),
        pytest.param(hashed(httpCookie={"name": "u", "ttl": "long"}), [f"{HASH}.httpCookie.ttl"], id="ttl"),
        pytest.param(hashed(httpCookie={"ttl": "0s"}), [f"{HASH}.httpCookie.name"], id="cookie-without-name"),
        pytest.param(hashed(), [HASH], id="nothing-hashed"),
        pytest.param(hashed(useSourceIp=True, httpHeaderName="x"), [f"{HASH}.useSourceIp"], id="two-things"),
        pytest.param(hashed(httpHeaderName="x", maglev={"tableSize": 65537}), [], id="maglev"),
        pytest.param(
            hashed(httpHeaderName="x", maglev={"tableSize": 65536}), [f"{HASH}.maglev.tableSize"], id="not-a-prime"
        ),
        pytest.param(hashed(httpHeaderName="x", ringHash={"minimumRingSize": "1024"}), [], id="size-as-text"),
        pytest.param(
            hashed(httpHeaderName="x", ringHash={"minimumRingSize": "-1"}), [f"{HASH}.ringHash.minimumRingSize"],
            id="size",
        ),
        pytest.param(hashed(httpHeaderName="x", ringHash={}, maglev={}), [f"{HASH}.maglev"], id="two-layouts"),
    ],
)  # fmt: skip
def test_destination_rule(spec: dict[str, Any], fields: list[str]) -> None:
    assert [cause.field for cause in destination_causes({"spec": spec})] == fields


def test_the_refusal_says_what_there_is() -> None:
    (cause,) = destination_causes({"spec": {"host": "a", "subsets": [{"name": "v1"}]}})
    assert cause.message == "Forbidden: is not executed here; only host and trafficPolicy.loadBalancer are"
