"""Names, labels, annotations and owners of any object."""

from typing import Any

import pytest

from mesh.api.scheme import BY_NAME
from mesh.api.validation_meta import label_causes, meta_causes, selector_causes


@pytest.mark.parametrize(
    ("resource", "meta", "fields"),
    [
        pytest.param("pods", {"name": "web.0"}, [], id="pod-subdomain"),
        pytest.param("pods", {"name": "Web"}, ["metadata.name"], id="upper-case"),
        pytest.param("pods", {"name": "../etc"}, ["metadata.name"], id="path-tricks"),
        pytest.param("services", {"name": "1web"}, ["metadata.name"], id="service-begins-with-a-letter"),
        pytest.param("services", {"name": "a.b"}, ["metadata.name"], id="service-has-no-dots"),
        pytest.param("namespaces", {"name": "1dev"}, [], id="namespace-may-begin-with-a-digit"),
        pytest.param("pods", {"generateName": "web-"}, [], id="base-may-end-in-a-dash"),
        pytest.param("pods", {"generateName": "Web-"}, ["metadata.generateName"], id="base-upper-case"),
        pytest.param("pods", {"labels": {"bad key": "x"}}, ["metadata.labels"], id="label-key"),
        pytest.param("pods", {"labels": {"a": "bad value"}}, ["metadata.labels.a"], id="label-value"),
        pytest.param("pods", {"annotations": {"Any.Case/Key": "any value"}}, [], id="annotations-are-free"),
        pytest.param("pods", {"annotations": {"a": "x" * 262145}}, ["metadata.annotations"], id="annotations-too-long"),
        pytest.param(
            "pods",
            {"ownerReferences": [{"kind": "X"}]},
            [f"metadata.ownerReferences[0].{f}" for f in ("apiVersion", "name", "uid")],
            id="owner",
        ),
        pytest.param("pods", {"finalizers": ["fine/x", "not fine"]}, ["metadata.finalizers[1]"], id="finalizer"),
    ],
)
def test_meta(resource: str, meta: dict[str, Any], fields: list[str]) -> None:
    assert [cause.field for cause in meta_causes(BY_NAME[resource], meta)] == fields


@pytest.mark.parametrize(
    ("selector", "fields"),
    [
        pytest.param({"matchLabels": {"a": "b"}}, [], id="labels"),
        pytest.param({"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}, [], id="in"),
        pytest.param(
            {"matchExpressions": [{"key": "a", "operator": "In"}]},
            ["s.matchExpressions[0].values"],
            id="in-needs-values",
        ),
        pytest.param(
            {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]},
            ["s.matchExpressions[0].values"],
            id="exists-has-none",
        ),
        pytest.param(
            {"matchExpressions": [{"key": "a", "operator": "Near"}]}, ["s.matchExpressions[0].operator"], id="operator"
        ),
        pytest.param(
            {"matchExpressions": [{"key": "a b", "operator": "Exists"}]}, ["s.matchExpressions[0].key"], id="key"
        ),
        pytest.param({"matchLabels": {"a": "b c"}}, ["s.matchLabels.a"], id="value"),
        pytest.param("text", [], id="wrong-shape"),
    ],
)
def test_selector(selector: Any, fields: list[str]) -> None:
    assert [cause.field for cause in selector_causes(selector, "s")] == fields


def test_keys_with_dots_are_shown_in_brackets() -> None:
    assert label_causes({"example.com/x": "no way"}, "l")[0].field == "l[example.com/x]"
