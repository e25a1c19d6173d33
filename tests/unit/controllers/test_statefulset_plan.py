"""Which stateful pod comes or goes next?"""

from typing import Any

import pytest

from mesh.api.core import Pod, PodTemplateSpec
from mesh.api.workloads import StatefulSet
from mesh.controllers.actions import Create, Delete
from mesh.controllers.statefulset_plan import Observed, plan_stateful_set
from mesh.controllers.statefulset_pods import ordinal_of


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
    ],
)
def test_order(owner: StatefulSet, pods: list[Pod], expected: list[str]) -> None:
    assert steps(owner, *pods) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("db-0", 0, id="zero"),
        pytest.param("db-12", 12, id="two-digits"),
        pytest.param("db-01", None, id="leading-zero"),
        pytest.param("db-x", None, id="no-number"),
        pytest.param("other-1", None, id="another-set"),
        pytest.param("db-1-2", None, id="longer"),
    ],
)
def test_ordinals(name: str, expected: int | None) -> None:
    assert ordinal_of("db", name) == expected


def test_below_the_partition_the_current_template_is_used() -> None:
    old = PodTemplateSpec.model_validate({"spec": {"containers": [{"name": "c", "image": "old"}]}})
    owner = stateful(1, updateStrategy={"rollingUpdate": {"partition": 1}}, status={"currentRevision": "old"})
    seen = Observed(stateful_set=owner, pods=[], revision="new", templates={"old": old})
    (create, *_) = plan_stateful_set(seen).actions
    assert isinstance(create, Create)
    assert isinstance(create.obj, Pod)
    assert create.obj.spec.containers[0].image == "old"
    assert create.obj.metadata.label_map["controller-revision-hash"] == "old"
