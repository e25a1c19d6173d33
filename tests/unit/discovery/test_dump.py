from typing import Any

from google.protobuf.json_format import ParseDict

from mesh.api.core import Pod
from mesh.apiserver.local import LocalClient
from mesh.discovery.source import ConfigSource


async def test_config_dump_is_what_envoy_would_write(source: ConfigSource, client: LocalClient, proxy: Any) -> None:
    from envoy.admin.v3 import config_dump_pb2

    pod = await client.get(Pod, "shop-1", "default")
    sidecar = await source.subscribe_sidecar(pod, "127.245.0.1", proxy())
    gateway = await source.subscribe_gateway("127.0.0.1", 8080, proxy())
    for subscription, listeners, routes in (
        (sidecar, ["outbound_127.244.0.1_15001", "inbound_127.244.0.1_8080"], ["outbound", "inbound|8080||"]),
        (gateway, ["gateway_127.0.0.1_8080"], ["ingress"]),
    ):
        shown = subscription.describe()
        parsed = ParseDict(shown, config_dump_pb2.ConfigDump())
        assert len(parsed.configs) == 4
        by_kind = {part["@type"].rpartition(".")[2]: part for part in shown["configs"]}
        assert [entry["name"] for entry in by_kind["ListenersConfigDump"]["dynamic_listeners"]] == listeners
        configs = by_kind["RoutesConfigDump"]["dynamic_route_configs"]
        assert [entry["route_config"]["name"] for entry in configs] == routes
        clusters = [entry["cluster"]["name"] for entry in by_kind["ClustersConfigDump"]["dynamic_active_clusters"]]
        ends = [
            e["endpoint_config"]["cluster_name"] for e in by_kind["EndpointsConfigDump"]["dynamic_endpoint_configs"]
        ]
        assert clusters == ends
        assert "outbound|80||shop.default.svc.cluster.local" in clusters
