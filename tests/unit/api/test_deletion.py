"""A delete removes at once, or marks and waits."""

from typing import Any

import pytest

from mesh.api.deletion import DeleteOptions, is_gone, options_from, plan_delete, pod_grace_s
from mesh.api.errors import BadRequest, Forbidden
from mesh.api.scheme import BY_NAME

POD, DEPLOYMENT, NAMESPACE = (BY_NAME[name] for name in ("pods", "deployments.apps", "namespaces"))


def pod(node: str | None = "n1", **spec: Any) -> dict[str, Any]:
    where = {"nodeName": node} if node else {}
    return {"metadata": {"name": "a", "uid": "u"}, "spec": {**where, **spec}, "status": {"phase": "Running"}}


def plan(kind: Any, obj: dict[str, Any], **options: Any) -> dict[str, Any] | None:
    return plan_delete(kind, obj, DeleteOptions(**options), lambda seconds: f"now+{seconds}")


@pytest.mark.parametrize(
    ("obj", "asked", "expected"),
    [
        pytest.param(pod(), None, 30, id="default"),
        pytest.param(pod(terminationGracePeriodSeconds=5), None, 5, id="own"),
        pytest.param(pod(terminationGracePeriodSeconds=0), None, 0, id="own-zero"),
        pytest.param(pod(), 7, 7, id="asked"),
        pytest.param(pod(), 0, 0, id="forced"),
        pytest.param(pod(node=None), None, 0, id="on-no-node"),
        pytest.param({**pod(), "status": {"phase": "Succeeded"}}, None, 0, id="ended"),
    ],
)
def test_pod_grace(obj: dict[str, Any], asked: int | None, expected: int) -> None:
    assert pod_grace_s(obj, asked) == expected


def test_a_pod_on_a_node_is_marked_and_the_original_left_alone() -> None:
    obj = pod()
    marked = plan(POD, obj)
    assert marked is not None
    assert marked["metadata"]["deletionTimestamp"] == "now+30"
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 30
    assert "deletionTimestamp" not in obj["metadata"]


def test_a_second_delete_can_only_shorten_the_grace() -> None:
    marked = plan(POD, pod())
    assert marked is not None
    assert plan(POD, marked, grace_period_s=60) == marked
    shorter = plan(POD, marked, grace_period_s=3)
    assert shorter is not None
    assert shorter["metadata"]["deletionGracePeriodSeconds"] == 3
    assert plan(POD, shorter, grace_period_s=0) is None


@pytest.mark.parametrize(
    ("policy", "finalizers", "expected"),
    [
        pytest.param(None, [], None, id="default-is-background"),
        pytest.param("Background", [], None, id="background"),
        pytest.param("Foreground", [], ["foregroundDeletion"], id="foreground"),
        pytest.param("Orphan", [], ["orphan"], id="orphan"),
        pytest.param("Orphan", ["foregroundDeletion"], ["orphan"], id="one-policy-replaces-the-other"),
        pytest.param("Background", ["orphan"], None, id="back-to-background"),
        pytest.param("Background", ["mine/x"], ["mine/x"], id="foreign-finalizers-keep-it"),
        pytest.param(None, ["orphan"], ["orphan"], id="no-policy-changes-nothing"),
    ],
)
def test_policies(policy: str | None, finalizers: list[str], expected: list[str] | None) -> None:
    obj = {"metadata": {"name": "a", "finalizers": finalizers, "generation": 1}}
    marked = plan(DEPLOYMENT, obj, propagation=policy)
    if expected is None:
        assert marked is None
    else:
        assert marked is not None
        assert marked["metadata"]["finalizers"] == expected
        assert marked["metadata"]["deletionTimestamp"] == "now+0"
        assert marked["metadata"]["generation"] == 2


def test_a_namespace_goes_after_its_contents() -> None:
    marked = plan(NAMESPACE, {"metadata": {"name": "dev"}, "spec": {"finalizers": ["kubernetes"]}, "status": {}})
    assert marked is not None
    assert marked["status"]["phase"] == "Terminating"
    assert not is_gone(NAMESPACE, marked)
    marked["spec"]["finalizers"] = []
    assert is_gone(NAMESPACE, marked)


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
def test_some_namespaces_stay(name: str) -> None:
    with pytest.raises(Forbidden, match="may not be deleted"):
        plan(NAMESPACE, {"metadata": {"name": name}})


@pytest.mark.parametrize(
    ("kind", "meta", "gone"),
    [
        pytest.param(DEPLOYMENT, {}, False, id="not-marked"),
        pytest.param(DEPLOYMENT, {"deletionTimestamp": "t", "finalizers": ["x"]}, False, id="kept"),
        pytest.param(DEPLOYMENT, {"deletionTimestamp": "t"}, True, id="free"),
        pytest.param(POD, {"deletionTimestamp": "t", "deletionGracePeriodSeconds": 5}, False, id="pod-still-stopping"),
        pytest.param(POD, {"deletionTimestamp": "t", "deletionGracePeriodSeconds": 0}, True, id="pod-stopped"),
    ],
)
def test_is_gone(kind: Any, meta: dict[str, Any], gone: bool) -> None:
    assert is_gone(kind, {"metadata": {"name": "a", **meta}}) is gone


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param({}, DeleteOptions(), id="empty"),
        pytest.param({"propagationPolicy": "Orphan"}, DeleteOptions(propagation="Orphan"), id="policy"),
        pytest.param({"orphanDependents": True}, DeleteOptions(propagation="Orphan"), id="old-form"),
        pytest.param({"orphanDependents": False}, DeleteOptions(propagation="Background"), id="old-form-false"),
        pytest.param({"gracePeriodSeconds": 5}, DeleteOptions(grace_period_s=5), id="grace"),
        pytest.param({"gracePeriodSeconds": -1}, DeleteOptions(grace_period_s=0), id="negative-grace"),
        pytest.param(
            {"preconditions": {"uid": "u", "resourceVersion": "5"}},
            DeleteOptions(uid="u", resource_version="5"),
            id="preconditions",
        ),
        pytest.param({"dryRun": ["All"]}, DeleteOptions(dry_run=True), id="dry-run"),
    ],
)
def test_options(body: dict[str, Any], expected: DeleteOptions) -> None:
    assert options_from(body) == expected


@pytest.mark.parametrize(
    "body", [{"propagationPolicy": "Sideways"}, {"gracePeriodSeconds": "5"}, {"gracePeriodSeconds": True},
             {"preconditions": "u"}], ids=str
)  # fmt: skip
def test_wrong_options(body: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        options_from(body)
