"""Starting, awaiting and taking back a rollout."""

from typing import Any

import pytest

from mesh.api import scheme
from mesh.api.workloads import Deployment
from mesh.testing.rollout import RolloutError, earlier_template, progress, template_change
from mesh.testing.scenario import Rollout

TEMPLATES = {
    number: {"metadata": {"labels": {"app": "a", "pod-template-hash": f"h{number}"}}, "spec": {"number": number}}
    for number in (2, 10, 9)
}


def test_the_patch_names_only_what_changes() -> None:
    assert template_change(Rollout(name="a")) == {}
    change = template_change(
        Rollout(name="a", image={"web": "httpd:2"}, env={"web": {"A": "1"}}, labels={"version": "v2"})
    )
    container = {"name": "web", "image": "httpd:2", "env": [{"name": "A", "value": "1"}]}
    template = {"spec": {"containers": [container]}, "metadata": {"labels": {"version": "v2"}}}
    assert change == {"spec": {"template": template}}


@pytest.mark.parametrize(
    ("wanted", "number"), [pytest.param(None, 9, id="the one before"), pytest.param(2, 2, id="a certain one")]
)
def test_undo_takes_the_template_without_the_hash(wanted: int | None, number: int) -> None:
    template = earlier_template(TEMPLATES, wanted, "a")
    assert template == {"metadata": {"labels": {"app": "a"}}, "spec": {"number": number}}
    assert "pod-template-hash" in TEMPLATES[number]["metadata"]["labels"], "what was read is left alone"


def test_undo_says_what_it_lacks() -> None:
    with pytest.raises(RolloutError, match="deployment a has no revision 5; there are 2, 9, 10"):
        earlier_template(TEMPLATES, 5, "a")
    with pytest.raises(RolloutError, match="no earlier revision"):
        earlier_template({1: {}}, None, "a")


@pytest.mark.parametrize(
    ("status", "over"),
    [
        pytest.param({}, False, id="not observed"),
        pytest.param(
            {"observedGeneration": 1, "replicas": 3, "availableReplicas": 3}, False, id="of the former template"
        ),
        pytest.param(
            {"observedGeneration": 2, "replicas": 4, "updatedReplicas": 3, "availableReplicas": 4},
            False,
            id="an old pod",
        ),
        pytest.param(
            {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 2}, False, id="not yet"
        ),
        pytest.param(
            {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}, True, id="over"
        ),
    ],
)
def test_progress(status: dict[str, Any], over: bool) -> None:
    data = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a", "namespace": "default", "generation": 2},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "a"}}, "template": {"spec": {"containers": []}}},
        "status": status,
    }
    assert progress(scheme.decode(Deployment, data))[0] is over
