"""Which stateful pod comes or goes next?"""

from typing import Any

import pytest

from mesh.api.core import Pod, PodTemplateSpec
from mesh.api.workloads import StatefulSet
from mesh.controllers.actions import Create, Delete, Patch
from mesh.controllers.statefulset_plan import Observed, missing_service, most_unavailable, plan_stateful_set


def stateful(replicas: int = 3, *, status: dict[str, Any] | None = None, **spec: Any) -> StatefulSet:
    metadata = {"name": "db", "namespace": "default", "uid": "db", "generation": 1}
    template = {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "c", "image": "new"}]}}
    base = {"replicas": replicas, "serviceName": "db", "template": template}
    return StatefulSet.model_validate({"metadata": metadata, "spec": {**base, **spec}, "status": status or {}})


def pod(ordinal: int, *, ready: bool = True, going: bool = False, revision: str = "new", phase: str = "Running") -> Pod:
    metadata: dict[str, Any] = {"name": f"db-{ordinal}", "namespace": "default", "uid": f"u{ordinal}"}
    metadata["labels"] = {"controller-revision-hash": revision}
    if going:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return Pod.model_validate({"metadata": metadata, "status": {"phase": phase, "conditions": conditions}})


def steps(owner: StatefulSet, *pods: Pod, templates: dict[str, PodTemplateSpec] | None = None) -> list[str]:
    seen = Observed(stateful_set=owner, pods=pods, revision="new", templates=templates or {}, wall=1_780_000_000.0)
    told = []
    for action in plan_stateful_set(seen).actions:
        if isinstance(action, Create):
            told.append(f"+{action.obj.name}")
        elif isinstance(action, Delete):
            told.append(f"-{action.key[1]}")
    return told


PARALLEL = {"podManagementPolicy": "Parallel"}
ON_DELETE = {"updateStrategy": {"type": "OnDelete"}}


def at_once(limit: int | str, partition: int = 0) -> dict[str, Any]:
    return {"updateStrategy": {"rollingUpdate": {"maxUnavailable": limit, "partition": partition}}}


@pytest.mark.parametrize(
    ("owner", "pods", "expected"),
    [
        pytest.param(stateful(), [], ["+db-0"], id="the-first"),
        pytest.param(stateful(), [pod(0, ready=False)], [], id="waits-for-readiness"),
        pytest.param(stateful(), [pod(0)], ["+db-1"], id="the-next"),
        pytest.param(stateful(), [pod(0), pod(2)], ["+db-1"], id="a-gap"),
        pytest.param(stateful(), [pod(0), pod(1, going=True)], [], id="waits-for-a-leaving-namesake"),
        pytest.param(stateful(**PARALLEL), [], ["+db-0", "+db-1", "+db-2"], id="parallel"),
        pytest.param(stateful(1), [pod(0), pod(1), pod(2)], ["-db-2"], id="down-from-the-top"),
        pytest.param(stateful(1), [pod(0), pod(1), pod(2, going=True)], [], id="one-at-a-time"),
        pytest.param(stateful(1, **PARALLEL), [pod(0), pod(1), pod(2)], ["-db-2", "-db-1"], id="parallel-down"),
        pytest.param(stateful(1), [pod(0, ready=False), pod(1)], [], id="no-shrinking-while-unwell"),
        pytest.param(
            stateful(2), [pod(0, revision="old"), pod(1, revision="old")], ["-db-1"], id="update-from-the-top"
        ),
        pytest.param(stateful(2), [pod(0, revision="old"), pod(1, ready=False)], [], id="update-waits"),
        pytest.param(stateful(2), [pod(0, revision="old"), pod(1)], ["-db-0"], id="update-goes-on"),
        pytest.param(stateful(1), [pod(0, phase="Failed", ready=False)], ["-db-0"], id="ended"),
        pytest.param(stateful(1, ordinals={"start": 5}), [], ["+db-5"], id="ordinals-start"),
        pytest.param(stateful(0), [pod(0), pod(1, ready=False)], ["-db-1"], id="down-to-nothing"),
        pytest.param(
            stateful(0), [pod(0, ready=False), pod(1, ready=False)], [], id="an-unwell-pod-waits-for-those-below"
        ),
        pytest.param(stateful(0, **PARALLEL), [pod(0, ready=False), pod(1)], ["-db-1", "-db-0"], id="all-down"),
        pytest.param(stateful(2), [pod(0, ready=False), pod(1, revision="old")], [], id="unwell-below-blocks"),
        pytest.param(
            stateful(2, **PARALLEL), [pod(0, ready=False), pod(1, revision="old")], ["-db-1"], id="parallel-updates-on"
        ),
        pytest.param(stateful(2, **ON_DELETE), [pod(0, revision="old"), pod(1)], [], id="on-delete"),
        pytest.param(
            stateful(3, **at_once(2)), [pod(i, revision="old") for i in range(3)], ["-db-2", "-db-1"], id="two-at-once"
        ),
        pytest.param(
            stateful(3, **at_once("50%", partition=2)),
            [pod(i, revision="old") for i in range(3)],
            ["-db-2"],
            id="half-of-them-above-the-partition",
        ),
        pytest.param(
            stateful(3, **at_once(2), **PARALLEL),
            [pod(0, revision="old"), pod(1, revision="old"), pod(2, ready=False)],
            ["-db-1"],
            id="one-is-away-already",
        ),
    ],
)
def test_order(owner: StatefulSet, pods: list[Pod], expected: list[str]) -> None:
    assert steps(owner, *pods) == expected


def test_below_the_partition_the_current_template_is_used() -> None:
    old = PodTemplateSpec.model_validate({"spec": {"containers": [{"name": "c", "image": "old"}]}})
    owner = stateful(1, updateStrategy={"rollingUpdate": {"partition": 1}}, status={"currentRevision": "old"})
    seen = Observed(stateful_set=owner, pods=[], revision="new", templates={"old": old})
    (create, *_) = plan_stateful_set(seen).actions
    assert isinstance(create, Create)
    assert isinstance(create.obj, Pod)
    assert create.obj.spec.containers[0].image == "old"
    assert create.obj.metadata.label_map["controller-revision-hash"] == "old"


@pytest.mark.parametrize(
    ("said", "replicas", "expected"),
    [
        pytest.param(2, 5, 2, id="a-number"),
        pytest.param("40%", 5, 2, id="a-share"),
        pytest.param("10%", 5, 1, id="never-nothing"),
        pytest.param(None, 5, None, id="unsaid"),
    ],
)
def test_most_unavailable(said: int | str | None, replicas: int, expected: int | None) -> None:
    strategy = {"rollingUpdate": {"maxUnavailable": said} if said is not None else None}
    assert most_unavailable(stateful(updateStrategy=strategy), replicas) == expected


@pytest.mark.parametrize(
    ("name", "headless", "told"),
    [
        pytest.param("db", True, None, id="headless"),
        pytest.param("", None, None, id="none-wanted"),
        pytest.param("db", None, "there is no Service", id="missing"),
        pytest.param("db", False, "it needs clusterIP: None", id="with-an-address"),
    ],
)
def test_missing_service(name: str, headless: bool | None, told: str | None) -> None:
    said = missing_service(stateful(serviceName=name), headless)
    assert (said is None) if told is None else (said is not None and told in said)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [pytest.param({}, [], id="ordered"), pytest.param(PARALLEL, ["+db-1"], id="parallel")],
)
def test_a_name_rests_before_it_is_used_again(spec: dict[str, Any], expected: list[str]) -> None:
    seen = Observed(stateful_set=stateful(2, **spec), pods=[], revision="new", resting={"db-0": 0.15})
    plan = plan_stateful_set(seen)
    assert [f"+{action.obj.name}" for action in plan.actions if isinstance(action, Create)] == expected
    assert plan.requeue_after_s == 0.15


def test_a_pod_that_lost_its_labels_gets_them_back() -> None:
    (patch, *_) = plan_stateful_set(Observed(stateful_set=stateful(1), pods=[pod(0)], revision="new")).actions
    assert isinstance(patch, Patch)
    assert patch.patch["metadata"]["labels"] == {
        "statefulset.kubernetes.io/pod-name": "db-0",
        "apps.kubernetes.io/pod-index": "0",
    }
