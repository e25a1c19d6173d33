"""What was left out is filled in."""

from typing import Any

from mesh.api.defaults_other import default_autoscaler, default_definition, default_secret


def test_string_data_is_folded_in_and_wins() -> None:
    secret: dict[str, Any] = {"data": {"a": "eA==", "b": "eQ=="}, "stringData": {"a": "new"}}
    default_secret(secret, "v1")
    assert secret == {"type": "Opaque", "data": {"a": "bmV3", "b": "eQ=="}}


def test_string_data_of_a_wrong_shape_is_left_to_be_judged() -> None:
    secret: dict[str, Any] = {"stringData": {"a": 1}}
    default_secret(secret, "v1")
    assert secret["stringData"] == {"a": 1}


def test_an_autoscaler_looks_at_cpu() -> None:
    scaler: dict[str, Any] = {"spec": {"behavior": {"scaleUp": {"selectPolicy": "Min"}}}}
    default_autoscaler(scaler, "autoscaling/v2")
    assert scaler["spec"]["minReplicas"] == 1
    assert scaler["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 80
    assert scaler["spec"]["behavior"]["scaleUp"]["selectPolicy"] == "Min"
    assert scaler["spec"]["behavior"]["scaleDown"]["policies"][0]["type"] == "Percent"


def test_names_follow_from_the_kind() -> None:
    crd: dict[str, Any] = {"spec": {"names": {"kind": "Widget", "plural": "widgets"}}}
    default_definition(crd, "apiextensions.k8s.io/v1")
    assert crd["spec"]["names"]["singular"] == "widget"
    assert crd["spec"]["names"]["listKind"] == "WidgetList"
