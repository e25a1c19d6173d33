from collections.abc import Callable

import pytest

from mesh.translate.snapshot import Snapshot
from mesh.translate.views import PodView

SERVICES = """
kind: Service
metadata: {name: app}
spec: {selector: {app: a}}
---
kind: Service
metadata: {name: app-v1}
spec: {selector: {app: a, version: v1}}
---
kind: Service
metadata: {name: app, namespace: other}
spec: {selector: {app: a}}
---
kind: Service
metadata: {name: by-address}
spec: {}
---
kind: EndpointSlice
metadata: {name: x, labels: {kubernetes.io/service-name: by-address}}
endpoints: [{addresses: [127.244.0.9]}]
"""


@pytest.mark.parametrize(
    ("labels", "ip", "names"),
    [
        pytest.param({"app": "a"}, "", ["app"], id="one-label"),
        pytest.param({"app": "a", "version": "v1", "x": "y"}, "", ["app-v1", "app"], id="all-labels-of-a-selector"),
        pytest.param({"version": "v1"}, "", [], id="part-of-a-selector"),
        pytest.param({}, "127.244.0.9", ["by-address"], id="by-address-where-nothing-is-selected"),
        pytest.param({"app": "a"}, "127.244.0.9", ["app", "by-address"], id="both"),
        pytest.param({}, "", [], id="nothing"),
    ],
)
def test_services_of_a_pod(world: Callable[..., Snapshot], labels: dict[str, str], ip: str, names: list[str]) -> None:
    snapshot = world(SERVICES, shop=False)
    pod = PodView(namespace="default", name="p", ip=ip, node="", labels=labels, workload="p", ports=())
    for _ in range(2):
        assert [service.name for service in snapshot.instances(pod)] == names


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        pytest.param({"app": "a", "version": "v2"}, ["app-v1", "app"], id="one-label-is-enough"),
        pytest.param({"version": "v1"}, ["app-v1"], id="any-label"),
        pytest.param({"version": "v2"}, [], id="none"),
    ],
)
def test_kin(world: Callable[..., Snapshot], labels: dict[str, str], names: list[str]) -> None:
    snapshot = world(SERVICES, shop=False)
    pod = PodView(namespace="default", name="p", ip="", node="", labels=labels, workload="p", ports=())
    assert [service.name for service in snapshot.kin(pod)] == names
