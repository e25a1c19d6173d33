"""What a Deployment, ReplicaSet or StatefulSet may not say."""

from typing import Any

import pytest

from mesh.api.validation_workloads import (
    revision_causes,
    revision_update_causes,
    workload_causes,
    workload_update_causes,
)

TEMPLATE = {"metadata": {"labels": {"app": "x", "v": "1"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}


def workload(kind: str = "Deployment", **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "spec": {"selector": {"matchLabels": {"app": "x"}}, "template": TEMPLATE, **spec}}


def rolling(**values: Any) -> dict[str, Any]:
    return workload(strategy={"type": "RollingUpdate", "rollingUpdate": values})


R = "spec.strategy.rollingUpdate"


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        pytest.param(workload(), [], id="good"),
        pytest.param(workload(selector=None), ["spec.selector"], id="no-selector"),
        pytest.param(
            workload(selector={"matchLabels": {"app": "y"}}), ["spec.template.metadata.labels"], id="selects-others"
        ),
        pytest.param(
            workload(selector={"matchExpressions": [{"key": "app", "operator": "In", "values": ["x"]}]}),
            [],
            id="expression",
        ),
        pytest.param(
            workload(selector={"matchLabels": {"a": "b c"}}), ["spec.selector.matchLabels.a"], id="selector-wrong"
        ),
        pytest.param(
            workload(replicas=-1, minReadySeconds=-1), ["spec.replicas", "spec.minReadySeconds"], id="negative"
        ),
        pytest.param(
            workload(template={**TEMPLATE, "spec": {"containers": []}}),
            ["spec.template.spec.containers"],
            id="no-containers",
        ),
        pytest.param(
            workload(progressDeadlineSeconds=5, minReadySeconds=5), ["spec.progressDeadlineSeconds"], id="deadline"
        ),
        pytest.param(workload(strategy={"type": "Blue"}), ["spec.strategy.type"], id="strategy"),
        pytest.param(workload(strategy={"type": "Recreate", "rollingUpdate": {}}), [R], id="recreate-has-no-steps"),
        pytest.param(rolling(maxSurge="25%", maxUnavailable=0), [], id="steps"),
        pytest.param(rolling(maxSurge=0, maxUnavailable=0), [f"{R}.maxUnavailable"], id="no-step-at-all"),
        pytest.param(rolling(maxSurge="0%", maxUnavailable=0), [f"{R}.maxUnavailable"], id="no-step-in-percent"),
        pytest.param(
            rolling(maxSurge="x", maxUnavailable=-1), [f"{R}.maxUnavailable", f"{R}.maxSurge"], id="steps-wrong"
        ),
        pytest.param(rolling(maxSurge="200%", maxUnavailable="101%"), [f"{R}.maxUnavailable"], id="more-than-all"),
        pytest.param(workload("StatefulSet", podManagementPolicy="Any"), ["spec.podManagementPolicy"], id="set-policy"),
        pytest.param(
            workload("StatefulSet", updateStrategy={"type": "Any"}), ["spec.updateStrategy.type"], id="set-strategy"
        ),
        pytest.param(
            workload("StatefulSet", updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": -1}}),
            ["spec.updateStrategy.rollingUpdate.partition"],
            id="set-partition",
        ),
        pytest.param(
            workload("StatefulSet", updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}}),
            ["spec.updateStrategy.rollingUpdate.maxUnavailable"],
            id="set-stands-still",
        ),
        pytest.param(
            workload("StatefulSet", persistentVolumeClaimRetentionPolicy={"whenScaled": "Keep"}),
            ["spec.persistentVolumeClaimRetentionPolicy.whenScaled"],
            id="set-retention",
        ),
        pytest.param(
            workload("StatefulSet", volumeClaimTemplates=[{"metadata": {"name": "My_Data"}, "spec": {}}]),
            [
                "spec.volumeClaimTemplates[0].metadata.name",
                "spec.volumeClaimTemplates[0].spec.accessModes",
                "spec.volumeClaimTemplates[0].spec.resources[storage]",
            ],
            id="set-claims",
        ),
        pytest.param(workload("ReplicaSet"), [], id="replica-set"),
        pytest.param({"kind": "Deployment", "spec": "text"}, [], id="wrong-shape"),
    ],
)
def test_workloads(given: dict[str, Any], fields: list[str]) -> None:
    assert [cause.field for cause in workload_causes(given)] == fields


def test_a_claim_is_a_volume_of_the_pods() -> None:
    pod = {"containers": [{"name": "c", "image": "i", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]}
    template = {**TEMPLATE, "spec": pod}
    claims = [{"metadata": {"name": "data"}}]
    assert workload_causes(workload("StatefulSet", template=template, volumeClaimTemplates=claims)) == []
    found = workload_causes(workload("StatefulSet", template=template, volumeClaimTemplates=[]))
    assert [cause.field for cause in found] == ["spec.template.spec.containers[0].volumeMounts[0].name"]


def test_what_a_revision_recorded_stays() -> None:
    old = {"data": {"a": 1}, "revision": 1}
    assert revision_causes(old) == []
    assert [cause.field for cause in revision_causes({"revision": -1})] == ["revision"]
    assert revision_update_causes({**old, "revision": 2}, old) == []
    assert [cause.field for cause in revision_update_causes({**old, "data": {}}, old)] == ["data"]


@pytest.mark.parametrize(
    ("kind", "change", "fields"),
    [
        pytest.param("Deployment", {"replicas": 5}, [], id="replicas"),
        pytest.param("Deployment", {"selector": {"matchLabels": {"v": "1"}}}, ["spec.selector"], id="selector"),
        pytest.param("ReplicaSet", {"selector": {"matchLabels": {"v": "1"}}}, ["spec.selector"], id="rs-selector"),
        pytest.param("StatefulSet", {"replicas": 5, "template": {}}, [], id="set-may"),
        pytest.param("StatefulSet", {"serviceName": "other"}, ["spec"], id="set-may-not"),
        pytest.param("StatefulSet", {"selector": {"matchLabels": {"v": "1"}}}, ["spec"], id="set-selector"),
    ],
)
def test_updates(kind: str, change: dict[str, Any], fields: list[str]) -> None:
    causes = workload_update_causes(workload(kind, **change), workload(kind))
    assert [cause.field for cause in causes] == fields
