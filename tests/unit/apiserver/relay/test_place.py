"""Which node, container and path a request about a pod means."""

from typing import Any

import pytest

from mesh.api.errors import ApiError, BadRequest
from mesh.apiserver.relay import place
from mesh.apiserver.relay.place import Kubelet, NoSuchPlace


def pod(*containers: str, **annotations: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "web", "namespace": "default", "annotations": annotations},
        "spec": {"nodeName": "node-1", "containers": [{"name": name} for name in containers]},
    }


def node(address: object = "127.18.0.1", port: object = 10250, kind: str = "InternalIP") -> dict[str, Any]:
    status = {"addresses": [{"type": kind, "address": address}], "daemonEndpoints": {"kubeletEndpoint": {"Port": port}}}
    return {"metadata": {"name": "node-1"}, "status": status}


def test_the_node_says_where_it_answers() -> None:
    assert place.kubelet_of(node()) == Kubelet("127.18.0.1", 10250)


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(node(address="10.0.0.1"), id="another-machine"),
        pytest.param(node(address="example.com"), id="a-name"),
        pytest.param(node(address="localhost"), id="a-name-of-loopback"),
        pytest.param(node(port=0), id="no-port"),
        pytest.param(node(port=70000), id="beyond-ports"),
        pytest.param(node(port="80"), id="port-as-text"),
        pytest.param(node(kind="Hostname"), id="no-address"),
        pytest.param({"metadata": {"name": "node-1"}}, id="no-status"),
    ],
)
def test_nothing_but_loopback_is_connected_to(told: dict[str, Any]) -> None:
    with pytest.raises(NoSuchPlace, match="node-1"):
        place.kubelet_of(told)


@pytest.mark.parametrize(
    ("given", "asked", "expected"),
    [
        pytest.param(pod("a"), "", "a", id="the-only-one"),
        pytest.param(pod("a", "b"), "b", "b", id="asked"),
        pytest.param({**pod("a"), "spec": {"initContainers": [{"name": "i"}]}}, "i", "i", id="one-that-runs-before"),
        pytest.param(pod("a", "b", **{place.DEFAULT_CONTAINER: "b"}), "", "b", id="annotated"),
    ],
)
def test_the_container_that_is_meant(given: dict[str, Any], asked: str, expected: str) -> None:
    assert place.container_of(given, asked) == expected


@pytest.mark.parametrize(
    ("given", "asked", "says"),
    [
        pytest.param(pod("a"), "x", "container x is not valid for pod web", id="unknown"),
        pytest.param(
            pod("a", "b"), "", r"a container name must be specified for pod web, choose one of: \[a b\]", id="which"
        ),
        pytest.param(pod("a", "b", **{place.DEFAULT_CONTAINER: "c"}), "", "must be specified", id="annotated-wrongly"),
    ],
)
def test_a_container_that_cannot_be_meant(given: dict[str, Any], asked: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        place.container_of(given, asked)


def test_a_pod_without_a_node() -> None:
    with pytest.raises(ApiError, match="does not have a host assigned"):
        place.node_of({"metadata": {"name": "web"}, "spec": {}})


def test_paths_and_heads() -> None:
    assert place.path_of("exec", pod("a"), "a", "command=ls") == "/exec/default/web/a?command=ls"
    assert place.path_of("portforward", pod("a"), "", "") == "/portForward/default/web"
    assert place.path_of("log", pod("a"), "a/../b", "") == "/containerLogs/default/web/a%2F..%2Fb"
    headers = [("Host", "evil"), ("Cookie", "x"), ("Upgrade", "SPDY/3.1"), ("Connection", "Upgrade"), ("Origin", "x")]
    assert place.head_of("POST", "/x", Kubelet("127.0.0.1", 1), headers) == (
        b"POST /x HTTP/1.1\r\nHost: 127.0.0.1:1\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\n\r\n"
    )
    assert b"\r\nConnection: close\r\n" in place.head_of("GET", "/x", Kubelet("127.0.0.1", 1), [])
