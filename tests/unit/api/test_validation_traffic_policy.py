"""What a Service may not say of who may come, and who is asked."""

from typing import Any

import pytest

from mesh.api.validation_services import service_causes


def spec(kind: str = "LoadBalancer", **more: Any) -> dict[str, Any]:
    return {"spec": {"type": kind, "ports": [{"port": 80, "protocol": "TCP"}], **more}}


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        pytest.param(spec(externalTrafficPolicy="Local", internalTrafficPolicy="Local"), [], id="policies"),
        pytest.param(spec(externalTrafficPolicy="local"), ["spec.externalTrafficPolicy"], id="no such policy"),
        pytest.param(spec(internalTrafficPolicy="Zone"), ["spec.internalTrafficPolicy"], id="nor inside"),
        pytest.param(spec("ClusterIP", trafficDistribution="PreferClose"), [], id="distribution"),
        pytest.param(spec(trafficDistribution="PreferSameNode"), ["spec.trafficDistribution"], id="not executed"),
        pytest.param(
            spec("ClusterIP", externalTrafficPolicy="Local"), ["spec.externalTrafficPolicy"], id="not outside"
        ),
        pytest.param(spec("ClusterIP", externalTrafficPolicy="Local", externalIPs=["127.0.0.9"]), [], id="external IP"),
        pytest.param(spec(loadBalancerSourceRanges=["127.0.0.0/24", " 127.1.0.0/16 "]), [], id="ranges"),
        pytest.param(
            spec(loadBalancerSourceRanges=["127.0.0.1", "127.0.0.1/24", "::/0"]),
            [f"spec.loadBalancerSourceRanges[{index}]" for index in range(3)],
            id="no ranges",
        ),
        pytest.param(
            spec(
                "NodePort", loadBalancerSourceRanges=["127.0.0.0/24"], healthCheckNodePort=30001, loadBalancerClass="x"
            ),
            ["spec.loadBalancerSourceRanges", "spec.loadBalancerClass", "spec.healthCheckNodePort"],
            id="of a balancer alone",
        ),
    ],
)
def test_policies(given: dict[str, Any], fields: list[str]) -> None:
    assert [cause.field for cause in service_causes(given)] == fields
