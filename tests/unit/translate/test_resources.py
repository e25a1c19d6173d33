from collections.abc import Callable

from google.protobuf.json_format import MessageToDict

from mesh.routing.compile import compile_bootstrap
from mesh.translate.gateway import gateway
from mesh.translate.resources import wire
from mesh.translate.sidecar import sidecar
from mesh.translate.snapshot import Snapshot

INGRESS = """
kind: Ingress
metadata: {name: i}
spec: {defaultBackend: {service: {name: shop, port: {number: 80}}}}
"""


def test_a_bootstrap_holds_everything_and_runs_here_too(world: Callable[..., Snapshot]) -> None:
    snapshot = world(INGRESS)
    resources = sidecar(snapshot, snapshot.pods["127.244.0.1"], "127.245.0.1")
    config = compile_bootstrap(MessageToDict(resources.bootstrap(("127.0.0.1", 15000))))
    assert config.admin == ("127.0.0.1", 15000)
    assert [listener.port for listener in config.listeners] == [15001, 8080]
    assert [listener.http.routes is not None for listener in config.listeners if listener.http] == [True, True]
    found = config.endpoints[b"outbound|80||shop.default.svc.cluster.local"]
    assert [(end.address, end.port) for end in found] == [("127.244.0.1", 8080), ("127.244.4.1", 8080)]


def test_a_bootstrap_leaves_the_resources_as_they_are(world: Callable[..., Snapshot]) -> None:
    resources = gateway(world(INGRESS))
    before = [wire(message) for message in (*resources.listeners, *resources.clusters)]
    resources.bootstrap()
    assert [wire(message) for message in (*resources.listeners, *resources.clusters)] == before
