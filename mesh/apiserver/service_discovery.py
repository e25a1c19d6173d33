"""What should Prometheus scrape? Target lists in its http_sd form, with the labels of its Kubernetes discovery.

`/sd/proxies` lists every sidecar and the gateway; `/sd/pods` lists every declared port of every pod, so that the usual
relabelling by `prometheus.io/scrape` annotations works unchanged. Source: Prometheus' kubernetes_sd, role pod.
"""

import re
from collections.abc import Iterable
from typing import Any

import orjson
from aiohttp import web

from mesh.api import scheme
from mesh.api.core import Pod
from mesh.apiserver.registry import Registry
from mesh.apiserver.watch import Scope

Group = dict[str, Any]
METRICS_PATH = "/stats/prometheus"
METRICS_PORT = 15090
PREFIX = "__meta_kubernetes_"
INJECT = "sidecar.istio.io/inject"


def label_name(text: str) -> str:
    """A Kubernetes label key as Prometheus spells it."""
    return re.sub(r"[^A-Za-z0-9_]", "_", text)


def pod_labels(pod: Pod) -> dict[str, str]:
    """What discovery knows of a pod, whichever port is scraped."""
    labels = {
        "namespace": pod.namespace,
        "pod_name": pod.name,
        "pod_ip": pod.status.pod_ip or "",
        "pod_ready": "true" if pod.ready else "false",
        "pod_phase": pod.status.phase or "",
        "pod_node_name": pod.spec.node_name or "",
        "pod_host_ip": pod.status.host_ip or "",
        "pod_uid": pod.metadata.uid or "",
    }
    if (owner := pod.metadata.controller) is not None:
        labels |= {"pod_controller_kind": owner.kind, "pod_controller_name": owner.name}
    for kind, table in (("label", pod.metadata.label_map), ("annotation", pod.metadata.annotation_map)):
        for key, value in table.items():
            labels[f"pod_{kind}_{label_name(key)}"] = value
            labels[f"pod_{kind}present_{label_name(key)}"] = "true"
    return {PREFIX + key: value for key, value in labels.items()}


def container_labels(container: str, port: int, name: str) -> dict[str, str]:
    return {
        PREFIX + "pod_container_name": container,
        PREFIX + "pod_container_port_name": name,
        PREFIX + "pod_container_port_number": str(port),
        PREFIX + "pod_container_port_protocol": "TCP",
    }


def meshed(pod: Pod) -> bool:
    written = pod.metadata.annotation_map.get(INJECT) or pod.metadata.label_map.get(INJECT) or "true"
    return written.lower() != "false"


def proxies(pods: Iterable[Pod], gateway: str) -> list[Group]:
    """One target a sidecar, and the gateway. gateway: its metrics address, ip:port."""
    found = [
        {
            "targets": [f"{pod.status.pod_ip}:{METRICS_PORT}"],
            "labels": {
                "__metrics_path__": METRICS_PATH,
                **pod_labels(pod),
                **container_labels("istio-proxy", METRICS_PORT, "http-envoy-prom"),
            },
        }
        for pod in pods
        if pod.status.pod_ip and pod.status.phase == "Running" and meshed(pod)
    ]
    own = {"namespace": "istio-system", "pod_name": "istio-ingressgateway", "pod_ready": "true", "pod_phase": "Running"}
    labels = {"__metrics_path__": METRICS_PATH, **{PREFIX + key: value for key, value in own.items()}}
    return [*found, {"targets": [gateway], "labels": labels}]


def ports(pods: Iterable[Pod]) -> list[Group]:
    """One target a declared TCP port of a running pod."""
    return [
        {
            "targets": [f"{pod.status.pod_ip}:{port.container_port}"],
            "labels": {**pod_labels(pod), **container_labels(container.name, port.container_port, port.name or "")},
        }
        for pod in pods
        if pod.status.pod_ip and pod.status.phase == "Running"
        for container in pod.spec.containers
        for port in container.ports or ()
        if port.protocol == "TCP"
    ]


def routes(registry: Registry, gateway: str) -> list[web.RouteDef]:
    """The pages, for the API server. gateway: the gateway's metrics address, ip:port."""

    def pods() -> list[Pod]:
        listing = registry.list(scheme.kind_of(Pod), Scope())
        return [scheme.decode(Pod, record.load()) for record in listing.records]

    async def sidecars(request: web.Request) -> web.Response:
        return web.Response(body=orjson.dumps(proxies(pods(), gateway)), content_type="application/json")

    async def every_port(request: web.Request) -> web.Response:
        return web.Response(body=orjson.dumps(ports(pods())), content_type="application/json")

    return [web.get("/sd/proxies", sidecars), web.get("/sd/pods", every_port)]
