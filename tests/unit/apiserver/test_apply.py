"""Server-side apply, as a table of two managers and one Deployment or ConfigMap."""

from typing import Any

import pytest

from mesh.api.errors import ApiError, BadRequest, Invalid
from mesh.api.scheme import BY_GVK
from mesh.apiserver import apply
from mesh.apiserver.apply_owners import Writer, after_update

MAP, DEPLOYMENT = BY_GVK[("v1", "ConfigMap")], BY_GVK[("apps/v1", "Deployment")]
NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
ANN, BOB = Writer("ann"), Writer("bob")


def data(**values: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": values}


def made(config: dict[str, Any], writer: Writer = ANN) -> dict[str, Any]:
    return {**config, "metadata": {**config["metadata"], "managedFields": apply.create(MAP, config, writer, NOW)}}


def put(live: dict[str, Any], config: dict[str, Any], writer: Writer, force: bool = False) -> dict[str, Any]:
    outcome = apply.apply(MAP, live, config, writer, force, LATER)
    return {**outcome.obj, "metadata": {**outcome.obj["metadata"], "managedFields": outcome.managed}}


def owners(obj: dict[str, Any]) -> dict[str, list[str]]:
    return {entry["manager"]: sorted(entry["fieldsV1"].get("f:data", {})) for entry in obj["metadata"]["managedFields"]}


def test_the_creator_owns_what_it_says() -> None:
    (entry,) = made(data(a="1"))["metadata"]["managedFields"]
    assert entry == {
        "manager": "ann", "operation": "Apply", "apiVersion": "v1", "time": NOW, "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {"f:a": {}}},
    }  # fmt: skip


def test_what_is_no_longer_said_goes() -> None:
    obj = put(made(data(a="1", b="2")), data(b="3"), ANN)
    assert (obj["data"], owners(obj)) == ({"b": "3"}, {"ann": ["f:b"]})


def test_what_somebody_else_wants_stays() -> None:
    shared = put(made(data(a="1", b="2")), data(a="1"), BOB)
    assert owners(shared) == {"ann": ["f:a", "f:b"], "bob": ["f:a"]}
    obj = put(shared, data(), ANN)
    assert (obj["data"], owners(obj)) == ({"a": "1"}, {"ann": [], "bob": ["f:a"]})


def test_conflict_then_force() -> None:
    live = made(data(a="1", b="2"))
    with pytest.raises(ApiError) as refused:
        put(live, data(a="9"), BOB)
    status = refused.value.status()
    assert (status["code"], status["reason"]) == (409, "Conflict")
    assert status["message"] == 'Apply failed with 1 conflict: conflict with "ann": .data.a'
    assert status["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "ann"', "field": ".data.a"}
    ]
    obj = put(live, data(a="9"), BOB, force=True)
    assert (obj["data"], owners(obj)) == ({"a": "9", "b": "2"}, {"ann": ["f:b"], "bob": ["f:a"]})


def test_several_conflicts_are_listed_by_manager() -> None:
    with pytest.raises(ApiError) as refused:
        put(made(data(a="1", b="2")), data(a="8", b="9"), BOB)
    assert refused.value.message == 'Apply failed with 2 conflicts: conflicts with "ann":\n- .data.a\n- .data.b'


def test_the_same_again_changes_nothing() -> None:
    obj = put(made(data(a="1")), data(a="1"), ANN)
    assert obj == made(data(a="1"))


def test_what_nobody_tracked_belongs_to_whoever_wrote_it() -> None:
    live = data(a="1")
    assert owners(put(dict(live), data(a="1"), ANN)) == {"ann": ["f:a"], "before-first-apply": ["f:a"]}
    with pytest.raises(ApiError, match=r'conflict with "before-first-apply" using v1 at .*: \.data\.a'):
        put(dict(live), data(a="2"), ANN)
    note = {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}
    live["metadata"] |= note
    with pytest.raises(ApiError, match=r'conflict with "kubectl-client-side-apply" using v1'):
        put(live, data(a="2"), ANN)


def test_a_whole_struct_goes_with_its_defaults() -> None:
    def deployment(**spec: Any) -> dict[str, Any]:
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}

    config = deployment(replicas=2, strategy={"type": "RollingUpdate"})
    live = deployment(replicas=2, strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}})
    live["metadata"]["managedFields"] = apply.create(DEPLOYMENT, config, ANN, NOW)
    assert apply.apply(DEPLOYMENT, live, deployment(replicas=2), ANN, False, LATER).obj["spec"] == {"replicas": 2}


def test_containers_go_unless_somebody_owns_a_part() -> None:
    def deployment(*containers: dict[str, Any]) -> dict[str, Any]:
        spec = {"template": {"spec": {"containers": list(containers)}}}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}

    first, second = {"name": "a", "image": "1"}, {"name": "b", "image": "2"}
    live = deployment(first, {**second, "terminationMessagePath": "/x"})
    live["metadata"]["managedFields"] = apply.create(DEPLOYMENT, deployment(first, second), ANN, NOW)
    found = apply.apply(DEPLOYMENT, live, deployment(first), ANN, False, LATER)
    assert found.obj["spec"]["template"]["spec"]["containers"] == [first]

    live = deployment(first, {**second, "args": ["x"]})
    managed = apply.create(DEPLOYMENT, deployment(first, second), ANN, NOW)
    managed += apply.create(DEPLOYMENT, deployment({"name": "b", "args": ["x"]}), BOB, NOW)
    live["metadata"]["managedFields"] = managed
    found = apply.apply(DEPLOYMENT, live, deployment(first), ANN, False, LATER)
    assert found.obj["spec"]["template"]["spec"]["containers"] == [first, {"name": "b", "args": ["x"]}]


def test_names_and_status_are_nobodys() -> None:
    config = {**data(a="1"), "apiVersion": "apps/v1", "kind": "Deployment", "status": {"replicas": 1}}
    (entry,) = apply.create(DEPLOYMENT, config, ANN, NOW)
    assert entry["fieldsV1"] == {"f:data": {"f:a": {}}}
    (entry,) = apply.create(DEPLOYMENT, config, Writer("ann", "status"), NOW)
    assert (entry["fieldsV1"], entry["subresource"]) == ({"f:status": {"f:replicas": {}}}, "status")


def test_a_plain_update_takes_what_it_changes() -> None:
    live = made(data(a="1", b="2", c="3"))
    new = {**live, "data": {"a": "1", "b": "9", "d": "4"}}
    new["metadata"]["managedFields"] = after_update(MAP, live["metadata"]["managedFields"], live, new, BOB, LATER)
    assert owners(new) == {"ann": ["f:a"], "bob": ["f:b", "f:d"]}
    with pytest.raises(ApiError, match=rf'conflict with "bob" using v1 at {LATER}: \.data\.b'):
        put(new, data(a="1", b="2"), ANN)


def test_updaters_are_few() -> None:
    live = made(data(a="1"))
    for number in range(30):
        new = {**live, "data": {**live["data"], f"k{number:02}": "x"}}
        writer, now = Writer(f"w{number:02}"), f"2026-01-01T00:00:{number:02}Z"
        managed = after_update(MAP, live["metadata"]["managedFields"], live, new, writer, now)
        live = {**new, "metadata": {**new["metadata"], "managedFields": managed}}
    found = owners(live)
    assert (len(found), len(found["ancient-changes"]), found["ann"]) == (11, 21, ["f:a"])


@pytest.mark.parametrize(
    ("manager", "force", "is_apply", "field"),
    [
        pytest.param("", False, True, "fieldManager", id="no-manager"),
        pytest.param("x", True, False, "force", id="force-without-apply"),
        pytest.param("x" * 129, False, False, "fieldManager", id="long"),
        pytest.param("a\nb", False, True, "fieldManager", id="control-character"),
    ],
)
def test_options(manager: str, force: bool, is_apply: bool, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        apply.check_options(manager, force, is_apply)
    assert [cause.field for cause in refused.value.causes] == [field]


@pytest.mark.parametrize(
    "config",
    [
        pytest.param([], id="list"),
        pytest.param({"kind": "ConfigMap"}, id="no-version"),
        pytest.param({"apiVersion": "v1", "kind": 5}, id="kind-is-a-number"),
        pytest.param(
            {"apiVersion": "v1", "kind": "A", "metadata": {"managedFields": [{}]}}, id="managed-fields",
        ),
    ],
)  # fmt: skip
def test_what_is_no_configuration(config: Any) -> None:
    with pytest.raises(BadRequest):
        apply.check_config(config)
