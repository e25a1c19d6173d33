from collections.abc import Callable
from typing import Any

from mesh.api.core import Pod
from mesh.api.scheme import decode, encode
from mesh.client.sharing import Sharing


def pod(name: str, image: str = "x", ready: str = "True", owner: str = "2") -> dict[str, Any]:
    reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "shop", "uid": owner, "controller": True}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "ownerReferences": [reference]},
        "spec": {"containers": [{"name": "c", "image": image}], "nodeName": f"node-of-{name}"},
        "status": {"conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
    }


def shared(*pods: dict[str, Any]) -> list[Any]:
    share: Callable[[Any], Any] = Sharing()
    return [share(decode(Pod, one)) for one in pods]


def test_siblings_keep_what_is_alike_once() -> None:
    first, second = shared(pod("a"), pod("b"))
    assert first.spec.containers is second.spec.containers
    assert first.metadata.owner_references is second.metadata.owner_references
    assert first.status.conditions[0] is second.status.conditions[0]
    assert (first.spec.node_name, second.spec.node_name) == ("node-of-a", "node-of-b")


def test_what_differs_stays_its_own() -> None:
    first, second, stranger = shared(pod("a"), pod("b", image="y", ready="False"), pod("c", owner="3"))
    assert [one.spec.containers[0].image for one in (first, second, stranger)] == ["x", "y", "x"]
    assert [one.status.conditions[0].status for one in (first, second, stranger)] == ["True", "False", "True"]
    assert stranger.metadata.owner_references[0].uid == "3"


def test_a_pod_says_the_same_as_before() -> None:
    written = [pod("a"), pod("b"), pod("c", image="y")]
    assert [encode(one) for one in shared(*written)] == [encode(decode(Pod, one)) for one in written]
