"""The scale of a workload."""

from typing import Any

import pytest

from mesh.api.errors import BadRequest, Invalid
from mesh.api.scheme import BY_NAME
from mesh.apiserver.scale import scale_of, selector_text, with_replicas

KIND = BY_NAME["deployments.apps"]
OBJ = {
    "metadata": {"name": "web", "namespace": "d", "uid": "u", "resourceVersion": "5", "labels": {"a": "b"}},
    "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "paused": True},
    "status": {"replicas": 2},
}


def test_scale_of() -> None:
    assert scale_of(OBJ) == {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {"name": "web", "namespace": "d", "uid": "u", "resourceVersion": "5"},
        "spec": {"replicas": 3},
        "status": {"replicas": 2, "selector": "app=web"},
    }


def test_only_the_count_changes() -> None:
    new = with_replicas(KIND, OBJ, {"spec": {"replicas": 7}})
    assert new == {**OBJ, "spec": {**OBJ["spec"], "replicas": 7}}
    assert OBJ["spec"]["replicas"] == 3


def test_a_version_in_the_scale_is_a_precondition() -> None:
    new = with_replicas(KIND, OBJ, {"metadata": {"resourceVersion": "4"}, "spec": {"replicas": 7}})
    assert new["metadata"]["resourceVersion"] == "4"


@pytest.mark.parametrize(
    ("scale", "error"),
    [
        pytest.param({"spec": {"replicas": -1}}, Invalid, id="negative"),
        pytest.param({"spec": {"replicas": "3"}}, Invalid, id="text"),
        pytest.param({"spec": [1]}, BadRequest, id="list"),
        pytest.param("3", BadRequest, id="no-object"),
    ],
)
def test_refusals(scale: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        with_replicas(KIND, OBJ, scale)


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        ({"matchLabels": {"b": "2", "a": "1"}}, "a=1,b=2"),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["y", "x"]}]}, "a in (x,y)"),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["x"]}]}, "a notin (x)"),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, "a"),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, "!a"),
    ],
)
def test_selector_text(selector: dict[str, Any], text: str) -> None:
    assert selector_text(selector) == text
