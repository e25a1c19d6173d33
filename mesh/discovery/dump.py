"""How does a proxy show its configuration? In the shape of Envoy's own `/config_dump`."""

from typing import Any

from google.protobuf.json_format import MessageToDict

from mesh.translate.resources import Resources

_TYPE = "type.googleapis.com/envoy.admin.v3."


def config_dump(resources: Resources) -> dict[str, Any]:
    """Clusters, endpoints, listeners and routes as JSON, field names as Envoy writes them."""
    listeners = [
        {"name": message.name, "active_state": {"listener": _json(message, "envoy.config.listener.v3.Listener")}}
        for message in resources.listeners
    ]
    clusters = [{"cluster": _json(message, "envoy.config.cluster.v3.Cluster")} for message in resources.clusters]
    routes = [
        {"route_config": _json(message, "envoy.config.route.v3.RouteConfiguration")} for message in resources.routes
    ]
    endpoints = [
        {"endpoint_config": _json(message, "envoy.config.endpoint.v3.ClusterLoadAssignment")}
        for message in resources.endpoints
    ]
    return {
        "configs": [
            {"@type": f"{_TYPE}ClustersConfigDump", "dynamic_active_clusters": clusters},
            {"@type": f"{_TYPE}EndpointsConfigDump", "dynamic_endpoint_configs": endpoints},
            {"@type": f"{_TYPE}ListenersConfigDump", "dynamic_listeners": listeners},
            {"@type": f"{_TYPE}RoutesConfigDump", "dynamic_route_configs": routes},
        ]
    }


def _hide(shown: Any) -> None:
    """Private keys are nobody's business; Envoy writes the same word."""
    if isinstance(shown, dict):
        if "private_key" in shown:
            shown["private_key"] = {"inline_string": "[redacted]"}
        for value in shown.values():
            _hide(value)
    elif isinstance(shown, list):
        for value in shown:
            _hide(value)


def _json(message: Any, kind: str) -> dict[str, Any]:
    shown: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    _hide(shown)
    return {"@type": f"type.googleapis.com/{kind}", **shown}
