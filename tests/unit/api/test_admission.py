"""The server fills in what only it may say."""

import random
import re
from typing import Any

import pytest

from mesh.api import admission
from mesh.api.errors import BadRequest, Conflict, Invalid
from mesh.api.scheme import BY_NAME

POD, DEPLOYMENT, NODE, NAMESPACE = (BY_NAME[name] for name in ("pods", "deployments.apps", "nodes", "namespaces"))
NOW = "2026-11-23T10:00:00Z"


def created(resource: str, obj: dict[str, Any]) -> dict[str, Any]:
    admission.prepare_create(BY_NAME[resource], obj, NOW, random.Random(1))
    return obj


@pytest.mark.parametrize(
    ("base", "length"),
    [pytest.param("web-", 9, id="short"), pytest.param("x" * 80, 63, id="cut-to-63")],
)
def test_generated_names(base: str, length: int) -> None:
    name = admission.generate_name(base, random.Random(7))
    assert len(name) == length
    assert name.startswith(base[:58])
    assert re.fullmatch(r"[bcdfghjklmnpqrstvwxz2456789]{5}", name[-5:])


def test_uids_are_random_uuids() -> None:
    rng = random.Random(1)
    uids = {admission.new_uid(rng) for _ in range(100)}
    assert len(uids) == 100
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", u) for u in uids)


def test_nulls_are_absent_fields() -> None:
    assert admission.without_nulls({"a": None, "b": [{"c": None, "d": 0}], "e": ""}) == {"b": [{"d": 0}], "e": ""}


def test_create_sets_identity_and_drops_what_clients_may_not_say() -> None:
    meta = {"name": "a", "uid": "mine", "generation": 9, "deletionTimestamp": "x", "managedFields": [], "selfLink": "/"}
    obj = created("deployments.apps", {"metadata": meta, "status": {"replicas": 5}})
    assert obj["metadata"]["uid"] != "mine"
    assert obj["metadata"] == {
        "name": "a", "uid": obj["metadata"]["uid"], "generation": 1, "creationTimestamp": NOW,
    }  # fmt: skip
    assert "status" not in obj


@pytest.mark.parametrize(
    ("resource", "status", "expected"),
    [
        pytest.param("pods", {"phase": "Running"}, {"phase": "Pending", "qosClass": "BestEffort"}, id="pod"),
        pytest.param("nodes", {"phase": "x"}, {"phase": "x"}, id="a-node-tells-its-own"),
        pytest.param("namespaces", None, {"phase": "Active"}, id="namespace"),
        pytest.param("replicasets.apps", None, {"replicas": 0}, id="replica-set"),
    ],
)
def test_first_status(resource: str, status: Any, expected: Any) -> None:
    obj: dict[str, Any] = {"metadata": {"name": "a"}}
    if status is not None:
        obj["status"] = status
    assert created(resource, obj)["status"] == expected


def test_a_name_is_needed() -> None:
    with pytest.raises(Invalid, match=r"metadata.name: Required value: name or generateName"):
        created("pods", {"metadata": {}})


def test_a_new_object_has_no_version() -> None:
    with pytest.raises(BadRequest, match="resourceVersion should not be set"):
        created("pods", {"metadata": {"name": "a", "resourceVersion": "5"}})


@pytest.mark.parametrize(
    ("meta", "namespace", "name", "wrong"),
    [
        pytest.param({"name": "a"}, "n", "", None, id="namespace-from-the-url"),
        pytest.param({"name": "a", "namespace": "n"}, "n", "a", None, id="all-the-same"),
        pytest.param({}, "n", "a", None, id="name-from-the-url"),
        pytest.param(
            {"name": "a", "namespace": "m"}, "n", "", "namespace of the provided object", id="other-namespace"
        ),
        pytest.param({"name": "b"}, "n", "a", "does not match the name on the URL", id="other-name"),
    ],
)
def test_identity(meta: dict[str, Any], namespace: str, name: str, wrong: str | None) -> None:
    obj: dict[str, Any] = {"metadata": meta}
    if wrong:
        with pytest.raises(BadRequest, match=wrong):
            admission.check_identity(POD, obj, namespace, name)
    else:
        admission.check_identity(POD, obj, namespace, name)
        assert obj == {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "n"}}


def test_cluster_scoped_objects_have_no_namespace() -> None:
    obj: dict[str, Any] = {"metadata": {"name": "a", "namespace": "default"}}
    admission.check_identity(NODE, obj, "")
    assert obj["metadata"] == {"name": "a"}


OLD = {"metadata": {"name": "a", "uid": "u", "resourceVersion": "5"}}


@pytest.mark.parametrize(
    ("uid", "version", "conflict"),
    [
        pytest.param(None, None, False, id="none"),
        pytest.param("u", "5", False, id="both-hold"),
        pytest.param("v", None, True, id="uid"),
        pytest.param(None, "4", True, id="version"),
    ],
)
def test_preconditions(uid: str | None, version: str | None, conflict: bool) -> None:
    if conflict:
        with pytest.raises(Conflict):
            admission.check_preconditions(POD, OLD, uid, version)
    else:
        admission.check_preconditions(POD, OLD, uid, version)


def test_update_keeps_identity_and_status() -> None:
    old = {
        "metadata": {"name": "a", "uid": "u", "creationTimestamp": NOW, "generation": 3, "resourceVersion": "5",
                     "deletionTimestamp": NOW, "finalizers": ["x/y"]},
        "status": {"phase": "Running"},
    }  # fmt: skip
    new = {
        "metadata": {
            "name": "a",
            "uid": "other",
            "generation": 9,
            "finalizers": ["x/y", "new/one"],
            "labels": {"k": "v"},
        },
        "status": {"phase": "Failed"},
    }
    admission.prepare_update(POD, new, old)
    assert new["metadata"] == {**old["metadata"], "labels": {"k": "v"}}
    assert new["status"] == {"phase": "Running"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"spec": {"replicas": 2}}, 4, id="spec"),
        pytest.param({"metadata": {"generation": 3, "labels": {"a": "b"}}}, 3, id="labels"),
        pytest.param({"status": {"replicas": 2}}, 3, id="status"),
    ],
)
def test_generation(change: dict[str, Any], expected: int) -> None:
    old = {"metadata": {"generation": 3}, "spec": {"replicas": 1}, "status": {}}
    new = {"metadata": {"generation": 3}, "spec": {"replicas": 1}, "status": {}, **change}
    admission.count_generation(DEPLOYMENT, new, old)
    assert new["metadata"]["generation"] == expected


def test_kinds_without_generation_get_none() -> None:
    new: dict[str, Any] = {"metadata": {}, "spec": {"a": 2}}
    admission.count_generation(POD, new, {"metadata": {}, "spec": {"a": 1}})
    assert new["metadata"] == {}


@pytest.mark.parametrize(
    ("has", "wants", "conflict"),
    [
        pytest.param(None, "n1", False, id="first-binding"),
        pytest.param("n1", "n1", False, id="the-same"),
        pytest.param("n1", "n2", True, id="another-node"),
        pytest.param("n1", None, True, id="taken-back"),
    ],
)
def test_binding(has: str | None, wants: str | None, conflict: bool) -> None:
    old = {"metadata": {"name": "a"}, "spec": {"nodeName": has}}
    new = {"metadata": {"name": "a"}, "spec": {"nodeName": wants}}
    if conflict:
        with pytest.raises(Conflict, match='already assigned to node "n1"'):
            admission.check_binding(POD, new, old)
    else:
        admission.check_binding(POD, new, old)


def test_a_status_write_changes_nothing_else() -> None:
    old = {"metadata": {"name": "a"}, "spec": {"x": 1}, "status": {"y": 1}}
    new = {"metadata": {"name": "a", "labels": {"no": "way"}}, "spec": {"x": 2}, "status": {"y": 2}}
    assert admission.with_status(new, old) == {"metadata": {"name": "a"}, "spec": {"x": 1}, "status": {"y": 2}}
    assert admission.with_status({"metadata": {}}, old) == {"metadata": {"name": "a"}, "spec": {"x": 1}}
