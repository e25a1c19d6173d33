from types import SimpleNamespace
from typing import Any

import pytest

from mesh.metrics.registry import UNKNOWN, CalledService
from mesh.proxy.record import destination_of, service_of


def host(**metadata: Any) -> Any:
    return SimpleNamespace(spec=SimpleNamespace(metadata=metadata))


def cluster(**metadata: Any) -> Any:
    return SimpleNamespace(spec=SimpleNamespace(metadata=metadata))


def test_the_workload_behind_an_endpoint() -> None:
    found = destination_of(
        host(istio={"workload": "web;default;web;v2;Kubernetes"}, loopmesh={"app": "web", "version": "v2.0"})
    )
    assert (found.workload, found.namespace, found.app, found.version) == ("web", "default", "web", "v2.0")
    assert (found.canonical_service, found.canonical_revision, found.cluster) == ("web", "v2", "Kubernetes")


@pytest.mark.parametrize("endpoint", [None, host(), host(istio={})], ids=["none", "bare", "empty"])
def test_nothing_is_known_of_an_endpoint_without_metadata(endpoint: Any) -> None:
    assert destination_of(endpoint) == UNKNOWN


def test_a_workload_may_be_told_in_part() -> None:
    assert destination_of(host(istio={"workload": "web;default"})).canonical_revision == "latest"


def test_the_service_of_a_cluster() -> None:
    services = [{"host": "web.default.svc.cluster.local", "name": "web", "namespace": "default"}]
    found = service_of(cluster(istio={"services": services}))
    assert found == CalledService("web.default.svc.cluster.local", "web", "default")
    assert service_of(cluster()) == service_of(None) == CalledService()
