"""What is a target in Envoy's words: its Cluster, and the addresses in its ClusterLoadAssignment?"""

from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

from envoy.config.cluster.v3 import circuit_breaker_pb2, cluster_pb2
from envoy.config.core.v3 import address_pb2, base_pb2, config_source_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from google.protobuf import duration_pb2, struct_pb2, wrappers_pb2

from mesh.translate.destination import DestinationView, shape
from mesh.translate.hosts import inbound_name
from mesh.translate.memo import Memo
from mesh.translate.targets import Target
from mesh.translate.views import Backend, PodView, ServiceView

CONNECT_TIMEOUT_S = 1
"""Istio 0.7's mesh default."""
UNLIMITED = 2**32 - 1
CLUSTER_ID = "Kubernetes"


class ServiceName(NamedTuple):
    """How metrics call a service."""

    host: str
    name: str
    namespace: str


Cluster = Any
LbEndpoint = Any
ClusterLoadAssignment = Any


def cluster(target: Target, service: ServiceView | None, balancing: DestinationView | None = None) -> Cluster:
    """The Cluster of a target; endpoints come separately. balancing: how requests are spread, where somebody says."""
    message = cluster_pb2.Cluster(
        name=target.name,
        type=cluster_pb2.Cluster.EDS,
        eds_cluster_config=cluster_pb2.Cluster.EdsClusterConfig(eds_config=ads()),
        connect_timeout=duration_pb2.Duration(seconds=CONNECT_TIMEOUT_S),
        circuit_breakers=_no_limits(),
        metadata=_services([_name(target.host, service)]),
    )
    shape(message, balancing)
    return message


def lb_endpoints(
    target: Target, service: ServiceView | None, backends: Iterable[Backend], memo: Memo | None = None
) -> tuple[LbEndpoint, ...]:
    """The endpoints of a target, by address. backends: those of the service that take traffic.

    With a memo, an endpoint that did not change stays the same object, whichever targets it belongs to.
    """
    port = service.port(target.port) if service else None
    if port is None:
        return ()
    memo = Memo() if memo is None else memo
    wanted = dict(target.labels).items()
    return tuple(
        _endpoint(backend, backend.ports[port.name], memo)
        for backend in backends
        if port.name in backend.ports
        and (not target.pod or backend.label == target.pod)
        and (not wanted or wanted <= (backend.pod.labels if backend.pod else {}).items())
    )


def load_assignment(target: Target, endpoints: Iterable[LbEndpoint] = ()) -> ClusterLoadAssignment:
    """The message that says which endpoints a target has."""
    chosen = list(endpoints)
    localities = [endpoint_components_pb2.LocalityLbEndpoints(lb_endpoints=chosen)] if chosen else []
    return endpoint_pb2.ClusterLoadAssignment(cluster_name=target.name, endpoints=localities)


def inbound_cluster(port: int, services: Iterable[ServiceName] = ()) -> Cluster:
    """The cluster of the application itself; its one endpoint comes separately. services: those that lead here."""
    return cluster_pb2.Cluster(
        name=inbound_name(port),
        type=cluster_pb2.Cluster.EDS,
        eds_cluster_config=cluster_pb2.Cluster.EdsClusterConfig(eds_config=ads()),
        connect_timeout=duration_pb2.Duration(seconds=CONNECT_TIMEOUT_S),
        circuit_breakers=_no_limits(),
        metadata=_services(services),
    )


def inbound_assignment(port: int, app_ip: str) -> ClusterLoadAssignment:
    endpoint = endpoint_components_pb2.LbEndpoint(
        endpoint=endpoint_components_pb2.Endpoint(address=socket_address(app_ip, port))
    )
    return endpoint_pb2.ClusterLoadAssignment(
        cluster_name=inbound_name(port),
        endpoints=[endpoint_components_pb2.LocalityLbEndpoints(lb_endpoints=[endpoint])],
    )


def ads() -> Any:
    """Delivered by whoever runs the proxy."""
    return config_source_pb2.ConfigSource(
        ads=config_source_pb2.AggregatedConfigSource(), resource_api_version=config_source_pb2.V3
    )


def socket_address(address: str, port: int) -> Any:
    return address_pb2.Address(socket_address=address_pb2.SocketAddress(address=address, port_value=port))


def _endpoint(backend: Backend, port: int, memo: Memo) -> LbEndpoint:
    return memo.get(
        ("endpoint", backend.address, port, backend.hostname), (backend.pod,), partial(_make, backend, port)
    )


def _make(backend: Backend, port: int) -> LbEndpoint:
    return endpoint_components_pb2.LbEndpoint(
        endpoint=endpoint_components_pb2.Endpoint(
            address=socket_address(backend.address, port), hostname=backend.hostname
        ),
        metadata=_metadata(backend.pod) if backend.pod else None,
    )


def _metadata(pod: PodView) -> Any:
    workload, ours = struct_pb2.Struct(), struct_pb2.Struct()
    parts = (pod.workload, pod.namespace, pod.canonical_name, pod.canonical_revision, CLUSTER_ID)
    workload["workload"] = ";".join(parts)
    for key, value in (("app", pod.app), ("version", pod.version), ("pod", pod.name), ("node", pod.node)):
        if value:
            ours[key] = value
    found = {"istio": workload, "loopmesh": ours}
    if pod.stateful:
        # By its name, the pod that comes after it keeps its part of a consistent hash, whatever its address.
        found["envoy.lb"] = struct_pb2.Struct()
        found["envoy.lb"]["hash_key"] = pod.name
    return base_pb2.Metadata(filter_metadata=found)


def _name(host: str, service: ServiceView | None) -> ServiceName:
    if service is not None:
        return ServiceName(host, service.name, service.namespace)
    name, _, rest = host.partition(".")
    return ServiceName(host, name, rest.split(".", 1)[0])


def _services(names: Iterable[ServiceName]) -> Any:
    """Which services a cluster stands for, where Istio writes it; None for no service."""
    listed = [{"host": name.host, "name": name.name, "namespace": name.namespace} for name in names]
    if not listed:
        return None
    services = struct_pb2.Struct()
    services.update({"services": listed})
    return base_pb2.Metadata(filter_metadata={"istio": services})


def _no_limits() -> Any:
    many = wrappers_pb2.UInt32Value(value=UNLIMITED)
    threshold = circuit_breaker_pb2.CircuitBreakers.Thresholds(
        max_connections=many, max_pending_requests=many, max_requests=many, max_retries=many
    )
    return circuit_breaker_pb2.CircuitBreakers(thresholds=[threshold])
