from collections.abc import Callable

from google.protobuf.json_format import MessageToDict

from mesh.translate.clusters import cluster, inbound_assignment, inbound_cluster, lb_endpoints, load_assignment
from mesh.translate.snapshot import Snapshot
from mesh.translate.targets import Target

HOST = "shop.default.svc.cluster.local"


def test_cluster(world: Callable[..., Snapshot]) -> None:
    limit = 2**32 - 1
    assert MessageToDict(cluster(Target(HOST, 80, (("version", "v1"),)), world().services[HOST])) == {
        "name": f"outbound|80|version=v1|{HOST}",
        "type": "EDS",
        "edsClusterConfig": {"edsConfig": {"ads": {}, "resourceApiVersion": "V3"}},
        "connectTimeout": "1s",
        "circuitBreakers": {
            "thresholds": [
                {
                    "maxConnections": limit,
                    "maxPendingRequests": limit,
                    "maxRequests": limit,
                    "maxRetries": limit,
                }
            ]
        },
        "metadata": {
            "filterMetadata": {"istio": {"services": [{"host": HOST, "name": "shop", "namespace": "default"}]}}
        },
    }


def test_endpoints_carry_what_metrics_need(world: Callable[..., Snapshot]) -> None:
    snapshot = world()
    target = Target(HOST, 80, (("version", "v2"),))
    found = lb_endpoints(target, snapshot.services[HOST], snapshot.ready(HOST))
    assert MessageToDict(load_assignment(target, found)) == {
        "clusterName": target.name,
        "endpoints": [
            {
                "lbEndpoints": [
                    {
                        "endpoint": {"address": {"socketAddress": {"address": "127.244.4.1", "portValue": 8080}}},
                        "metadata": {
                            "filterMetadata": {
                                "istio": {"workload": "shop-2;default;shop;v2;Kubernetes"},
                                "loopmesh": {"app": "shop", "version": "v2", "pod": "shop-2", "node": "node-2"},
                            }
                        },
                    }
                ]
            }
        ],
    }


def test_a_port_that_the_service_lacks_has_no_endpoints(world: Callable[..., Snapshot]) -> None:
    snapshot = world()
    assert lb_endpoints(Target(HOST, 81), snapshot.services[HOST], snapshot.ready(HOST)) == ()
    assert list(load_assignment(Target(HOST, 81)).endpoints) == []


def test_inbound() -> None:
    assert inbound_cluster(8080).name == "inbound|8080||"
    (locality,) = inbound_assignment(8080, "127.245.0.1").endpoints
    address = locality.lb_endpoints[0].endpoint.address.socket_address
    assert (address.address, address.port_value) == ("127.245.0.1", 8080)
