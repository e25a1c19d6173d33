"""Paths of an object: found, written down, merged and removed."""

from typing import Any

import pytest

from mesh.api.errors import BadRequest
from mesh.api.scheme import BY_GVK
from mesh.apiserver.apply_fields import from_v1, leaves, merge, remove, shown, to_v1, with_parents
from mesh.apiserver.apply_shapes import ownable

DEPLOYMENT, SERVICE = ownable(BY_GVK[("apps/v1", "Deployment")]), ownable(BY_GVK[("v1", "Service")])


def pod_spec(**spec: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": spec}}}


def test_leaves_of_a_deployment() -> None:
    obj = {
        "metadata": {"labels": {"a": "b"}, "finalizers": ["x"]},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"spec": {"containers": [{"name": "c", "args": ["-x"], "ports": [{"containerPort": 80}]}]}},
        },
    }
    container = '.spec.template.spec.containers[name="c"]'
    assert [shown(path) for path, _ in leaves(obj, DEPLOYMENT)] == [
        ".metadata.labels.a",
        '.metadata.finalizers[="x"]',
        ".spec.replicas",
        ".spec.selector",
        container,
        f"{container}.name",
        f"{container}.args",
        f'{container}.ports[containerPort=80,protocol="TCP"]',
        f'{container}.ports[containerPort=80,protocol="TCP"].containerPort',
    ]


def test_v1_and_back() -> None:
    obj = {"metadata": {"labels": {"a": "b"}}, **pod_spec(containers=[{"name": "c", "image": "i"}], volumes=[])}
    paths = frozenset(path for path, _ in leaves(obj, DEPLOYMENT))
    tree = to_v1(paths)
    assert tree["f:metadata"] == {"f:labels": {"f:a": {}}}
    assert tree["f:spec"]["f:template"]["f:spec"] == {
        "f:containers": {'k:{"name":"c"}': {".": {}, "f:image": {}, "f:name": {}}},
        "f:volumes": {},
    }
    assert from_v1(tree) == paths


@pytest.mark.parametrize(
    "tree",
    [
        pytest.param([], id="list"),
        pytest.param({"f:spec": 1}, id="number"),
        pytest.param({"spec": {}}, id="no-step"),
    ],
)
def test_what_is_no_tree(tree: Any) -> None:
    with pytest.raises(BadRequest):
        from_v1(tree)


def test_a_tree_may_not_be_endless() -> None:
    tree: dict[str, Any] = {}
    for _ in range(100):
        tree = {"f:x": tree}
    with pytest.raises(BadRequest):
        from_v1(tree)


@pytest.mark.parametrize(
    ("live", "applied", "merged"),
    [
        pytest.param(
            pod_spec(containers=[{"name": "a", "image": "1"}, {"name": "b"}]),
            pod_spec(containers=[{"name": "b", "image": "2"}]),
            pod_spec(containers=[{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]),
            id="by-name",
        ),
        pytest.param(
            pod_spec(containers=[{"name": "a"}, {"name": "x"}, {"name": "b"}]),
            pod_spec(containers=[{"name": "b"}, {"name": "a"}, {"name": "n"}]),
            pod_spec(containers=[{"name": "x"}, {"name": "b"}, {"name": "a"}, {"name": "n"}]),
            id="order-of-the-applied",
        ),
        pytest.param(
            {"metadata": {"finalizers": ["x"], "labels": {"a": "1"}}},
            {"metadata": {"finalizers": ["y", "x"], "labels": {"b": "2"}}},
            {"metadata": {"finalizers": ["x", "y"], "labels": {"a": "1", "b": "2"}}},
            id="set-and-map",
        ),
        pytest.param(
            {"spec": {"selector": {"matchLabels": {"a": "1"}}}},
            {"spec": {"selector": {"matchLabels": {"b": "1"}}}},
            {"spec": {"selector": {"matchLabels": {"b": "1"}}}},
            id="whole",
        ),
    ],
)
def test_merge(live: Any, applied: Any, merged: Any) -> None:
    before = repr(live)
    assert merge(live, applied, DEPLOYMENT) == merged
    assert repr(live) == before


def test_ports_are_told_apart_by_protocol() -> None:
    udp, tcp = {"port": 53, "protocol": "UDP"}, {"port": 53}
    merged = merge({"spec": {"ports": [{**tcp, "protocol": "TCP"}]}}, {"spec": {"ports": [udp, tcp]}}, SERVICE)
    assert merged["spec"]["ports"] == [udp, {**tcp, "protocol": "TCP"}]


def test_remove() -> None:
    obj = {
        "metadata": {"labels": {"a": "1"}, "finalizers": ["x", "y"]},
        **pod_spec(containers=[{"name": "a", "image": "1"}, {"name": "b", "env": [{"name": "E"}]}]),
    }
    containers = ("f:spec", "f:template", "f:spec", "f:containers")
    gone = [
        ("f:metadata", "f:labels", "f:a"),
        ("f:metadata", "f:finalizers", 'v:"x"'),
        (*containers, 'k:{"name":"a"}'),
        (*containers, 'k:{"name":"b"}', "f:env", 'k:{"name":"E"}'),
        ("f:spec", "f:nothing", "f:here"),
    ]
    remove(obj, gone, DEPLOYMENT)
    assert obj == {"metadata": {"labels": {}, "finalizers": ["y"]}, **pod_spec(containers=[{"name": "b", "env": []}])}


@pytest.mark.parametrize(
    ("containers", "words"),
    [
        pytest.param([{"name": "a"}, {"name": "a"}], 'duplicate entries for key [name="a"]', id="twice"),
        pytest.param([{"image": "a"}], "[0]: the element needs name", id="no-key"),
        pytest.param(["a"], "[0]: an object is needed here", id="no-object"),
    ],
)
def test_elements_that_can_not_be_told_apart(containers: list[Any], words: str) -> None:
    with pytest.raises(BadRequest, match=r"spec\.template\.spec\.containers") as refused:
        list(leaves(pod_spec(containers=containers), DEPLOYMENT))
    assert words in refused.value.message


def test_with_parents() -> None:
    assert with_parents([("a", "b")]) == {("a",), ("a", "b")}
