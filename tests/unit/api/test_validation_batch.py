"""What is refused of Jobs and DaemonSets, by field."""

from copy import deepcopy
from typing import Any

import pytest

from mesh.api.validation_batch import (
    daemon_set_causes,
    daemon_set_update_causes,
    job_causes,
    job_update_causes,
)

TEMPLATE = {
    "metadata": {"labels": {"app": "x"}},
    "spec": {"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Never"},
}
SELECTOR = {"matchLabels": {"app": "x"}}


def job(name: str = "x", **more: Any) -> dict[str, Any]:
    spec = {"selector": SELECTOR, "template": deepcopy(TEMPLATE), "completionMode": "NonIndexed", "completions": 1}
    return {"metadata": {"name": name}, "spec": {**spec, **more}}


def template(**more: Any) -> dict[str, Any]:
    return {**TEMPLATE, "spec": {**TEMPLATE["spec"], **more}}


def daemons(**rolling: Any) -> dict[str, Any]:
    spec = {"selector": SELECTOR, "template": template(restartPolicy="Always")}
    return {
        "metadata": {"name": "x"},
        "spec": {**spec, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling}},
    }


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        pytest.param(job(), [], id="good"),
        pytest.param(job(template=template(restartPolicy="OnFailure")), [], id="on-failure"),
        pytest.param(job(template=template(restartPolicy="Always")), ["spec.template.spec.restartPolicy"], id="always"),
        pytest.param(job(completions=-1), ["spec.completions"], id="negative"),
        pytest.param(job(completionMode="Some"), ["spec.completionMode"], id="mode"),
        pytest.param(job(completionMode="Indexed", completions=None), ["spec.completions"], id="indexed-without-end"),
        pytest.param(job("n" * 62, completionMode="Indexed", completions=100), ["metadata.name"], id="long-name"),
        pytest.param(job(selector={"matchLabels": {"app": "y"}}), ["spec.template.metadata.labels"], id="selector"),
        pytest.param(job(podFailurePolicy={"rules": []}), ["spec.podFailurePolicy"], id="not-executed"),
        pytest.param(job(podReplacementPolicy="Failed"), ["spec.podReplacementPolicy"], id="replacement"),
        pytest.param(job(template=template(containers=[])), ["spec.template.spec.containers"], id="no-containers"),
    ],
)
def test_job(given: dict[str, Any], fields: list[str]) -> None:
    assert [cause.field for cause in job_causes(given)] == fields


@pytest.mark.parametrize(
    ("before", "after", "fields"),
    [
        pytest.param({}, {"parallelism": 3, "suspend": True, "backoffLimit": 1}, [], id="pace"),
        pytest.param({}, {"completions": 2}, ["spec.completions"], id="completions"),
        pytest.param(
            {"completionMode": "Indexed"}, {"completionMode": "Indexed", "completions": 2, "parallelism": 2}, [],
            id="elastic",
        ),
        pytest.param({}, {"selector": {"matchLabels": {"app": "y"}}}, ["spec.selector"], id="selector"),
        pytest.param({}, {"template": template(hostname="h")}, ["spec.template"], id="template"),
        pytest.param({"suspend": True}, {"template": template(nodeSelector={"a": "b"})}, [], id="where-while-suspended"),
        pytest.param({"suspend": True}, {"template": template(hostname="h")}, ["spec.template"], id="what-while-suspended"),
    ],
)  # fmt: skip
def test_job_update(before: dict[str, Any], after: dict[str, Any], fields: list[str]) -> None:
    assert [cause.field for cause in job_update_causes(job(**after), job(**before))] == fields


@pytest.mark.parametrize(
    ("rolling", "fields"),
    [
        pytest.param({"maxUnavailable": 1, "maxSurge": 0}, [], id="good"),
        pytest.param({"maxUnavailable": "30%"}, [], id="share"),
        pytest.param({"maxUnavailable": 0}, ["spec.updateStrategy.rollingUpdate.maxUnavailable"], id="standstill"),
        pytest.param({"maxUnavailable": "x"}, ["spec.updateStrategy.rollingUpdate.maxUnavailable"], id="no-number"),
        pytest.param({"maxUnavailable": 1, "maxSurge": 1}, ["spec.updateStrategy.rollingUpdate.maxSurge"], id="surge"),
    ],
)
def test_daemon_set(rolling: dict[str, Any], fields: list[str]) -> None:
    assert [cause.field for cause in daemon_set_causes(daemons(**rolling))] == fields


def test_daemons_restart_always_and_keep_their_selector() -> None:
    wrong = daemons(maxUnavailable=1)
    wrong["spec"]["template"] = TEMPLATE
    assert [cause.field for cause in daemon_set_causes(wrong)] == ["spec.template.spec.restartPolicy"]
    other = daemons(maxUnavailable=1)
    other["spec"]["selector"] = {"matchLabels": {"app": "y"}}
    assert [cause.field for cause in daemon_set_update_causes(other, daemons())] == ["spec.selector"]
    assert daemon_set_update_causes(daemons(maxUnavailable=2), daemons()) == []
