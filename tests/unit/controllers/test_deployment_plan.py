"""What is the next step of a Deployment?"""

from typing import Any

import pytest

from mesh.api.core import Pod
from mesh.api.workloads import Deployment, ReplicaSet
from mesh.controllers.actions import Create, Delete, Note, Patch
from mesh.controllers.deployment_plan import Observed, Revision, new_replica_set, plan_deployment
from mesh.controllers.templates import canonical
from tests.unit.controllers.world import deployment

WALL = 1_780_000_000.0


def make(image: str = "v1", *, status: dict[str, Any] | None = None, **spec: Any) -> Deployment:
    data = deployment(image=image, **spec)
    data["metadata"] |= {"uid": "d", "generation": 1}
    return Deployment.model_validate({**data, "status": status or {}})


def made(owner: Deployment, size: int, *, available: int | None = None, revision: int = 1, **more: Any) -> Revision:
    """A ReplicaSet that exists, with its pods."""
    template = canonical(owner.spec.template)
    rs = new_replica_set(owner, template, size)
    rs.metadata.uid, rs.metadata.generation, rs.metadata.resource_version = f"uid-{rs.name}", 1, "7"
    rs.metadata.annotations = {
        "deployment.kubernetes.io/revision": str(revision),
        "deployment.kubernetes.io/desired-replicas": "3",
        "deployment.kubernetes.io/max-replicas": "4",
        **more,
    }
    ready = size if available is None else available
    rs.status.replicas, rs.status.available_replicas, rs.status.observed_generation = size, ready, 1
    rs.status.ready_replicas = ready
    return Revision(rs=rs, template=template)


def plan(owner: Deployment, *sets: Revision, pods: dict[str, list[Pod]] | None = None) -> list[Any]:
    seen = Observed(deployment=owner, template=canonical(owner.spec.template), sets=sets, pods=pods or {}, wall=WALL)
    return list(plan_deployment(seen).actions)


def resizes(actions: list[Any]) -> dict[str, int]:
    return {
        a.key[1]: a.patch["spec"]["replicas"]
        for a in actions
        if isinstance(a, Patch) and a.cls is ReplicaSet and "replicas" in a.patch.get("spec", {})
    }


def status_of(actions: list[Any]) -> dict[str, Any]:
    (written,) = [a for a in actions if isinstance(a, Patch) and a.subresource == "status"]
    return written.patch["status"]  # type: ignore[no-any-return]


def test_the_first_set_is_made_at_full_size() -> None:
    actions = plan(make())
    (create,) = [a for a in actions if isinstance(a, Create)]
    rs = create.obj
    assert isinstance(rs, ReplicaSet)
    digest = rs.metadata.label_map["pod-template-hash"]
    assert rs.name == f"web-{digest}"
    assert len(digest) <= 10
    assert rs.spec.replicas == 3
    assert rs.spec.selector is not None
    assert rs.spec.selector.match_labels == {"app": "web", "pod-template-hash": digest}
    assert rs.spec.template.metadata.labels == {"app": "web", "pod-template-hash": digest}
    assert rs.metadata.annotation_map["deployment.kubernetes.io/max-replicas"] == "4"
    assert [a.message for a in actions if isinstance(a, Note)] == [f"Scaled up replica set {rs.name} from 0 to 3"]
    conditions = {c["type"]: c["reason"] for c in status_of(actions)["conditions"]}
    assert conditions == {"Available": "MinimumReplicasUnavailable", "Progressing": "NewReplicaSetCreated"}


def test_a_new_template_makes_a_new_set_of_the_surge() -> None:
    old = made(make(), 3)
    (create,) = [a for a in plan(make("v2"), old) if isinstance(a, Create)]
    assert create.obj.spec.replicas == 1  # type: ignore[attr-defined]
    assert create.obj.metadata.annotation_map["deployment.kubernetes.io/revision"] == "2"


def test_the_same_template_finds_its_old_set_again() -> None:
    first, second = made(make(), 0, revision=1), made(make("v2"), 3, revision=2)
    actions = plan(make(), first, second)
    assert resizes(actions) == {first.rs.name: 1}
    (marked,) = [a for a in actions if isinstance(a, Patch) and "deployment.kubernetes.io/revision" in
                 a.patch.get("metadata", {}).get("annotations", {}) and a.cls is ReplicaSet]  # fmt: skip
    assert marked.patch["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
    assert marked.patch["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"] == "1"


def test_change_cause_reaches_the_set() -> None:
    owner = make()
    applied = "kubectl.kubernetes.io/last-applied-configuration"
    owner.metadata.annotations = {"kubernetes.io/change-cause": "first", applied: "{}"}
    (create,) = [a for a in plan(owner) if isinstance(a, Create)]
    assert create.obj.metadata.annotation_map["kubernetes.io/change-cause"] == "first"
    assert applied not in create.obj.metadata.annotation_map


def test_recreate_waits_for_the_last_old_pod() -> None:
    recreate = {"strategy": {"type": "Recreate"}}
    old = made(make(**recreate), 3)
    assert resizes(plan(make("v2", **recreate), old)) == {old.rs.name: 0}
    old.rs.spec.replicas, old.rs.status.replicas = 0, 0
    leaving = Pod.model_validate({"metadata": {"name": "p", "deletionTimestamp": "2026-01-01T00:00:00Z"}})
    actions = plan(make("v2", **recreate), old, pods={old.rs.metadata.uid or "": [leaving]})
    assert not [a for a in actions if isinstance(a, Create)]
    (create,) = [a for a in plan(make("v2", **recreate), old) if isinstance(a, Create)]
    assert create.obj.spec.replicas == 3  # type: ignore[attr-defined]


def test_paused_makes_no_set_and_still_scales() -> None:
    old = made(make(), 3)
    assert resizes(plan(make("v2", paused=True, replicas=5), old)) == {old.rs.name: 5}
    assert not [a for a in plan(make("v2", paused=True), old) if isinstance(a, Create)]
    paused = status_of(plan(make("v2", paused=True), old))["conditions"]
    assert ("Progressing", "Unknown", "DeploymentPaused") in [(c["type"], c["status"], c["reason"]) for c in paused]


def test_history_is_cut_from_the_lowest_revision() -> None:
    owner = make("v9", revisionHistoryLimit=1)
    old = [made(make(f"v{n}"), 0, revision=n) for n in range(1, 4)]
    actions = plan(owner, *old, made(owner, 3, revision=4))
    assert [a.key[1] for a in actions if isinstance(a, Delete)] == [old[0].rs.name, old[1].rs.name]


@pytest.mark.parametrize("again", [1, 2])
def test_a_finished_rollout_plans_nothing(again: int) -> None:
    owner = make()
    owner.metadata.annotations = {"deployment.kubernetes.io/revision": "1"}
    rs = made(owner, 3)
    for _ in range(again):
        actions = plan(owner, rs)
        for action in actions:
            assert isinstance(action, Patch)
            owner = Deployment.model_validate(
                {**owner.model_dump(by_alias=True, exclude_none=True), "status": action.patch["status"]}
            )
    assert plan(owner, rs) == []


def test_a_deployment_that_goes_changes_no_set() -> None:
    owner = make(replicas=9)
    owner.metadata.deletion_timestamp = "2026-01-01T00:00:00Z"
    assert resizes(plan(owner, made(make(), 3))) == {}
