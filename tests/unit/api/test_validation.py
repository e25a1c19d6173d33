"""One answer names every field that has to change."""

from typing import Any

import pytest

from mesh.api import defaults, validation
from mesh.api.errors import Invalid
from mesh.api.scheme import BY_NAME, Kind

POD, DEPLOYMENT, SERVICE = (BY_NAME[name] for name in ("pods", "deployments.apps", "services"))


def whole(kind: Kind, spec: Any, **meta: Any) -> dict[str, Any]:
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "x", **meta}, "spec": spec}


@pytest.mark.parametrize(
    ("kind", "spec", "field", "message"),
    [
        pytest.param(
            DEPLOYMENT,
            {"replicas": "three"},
            "spec.replicas",
            'Invalid value: "three": a whole number is needed here',
            id="text-for-a-number",
        ),
        pytest.param(
            DEPLOYMENT,
            {"replicas": "3"},
            "spec.replicas",
            'Invalid value: "3": a whole number is needed here',
            id="quoted-number",
        ),
        pytest.param(
            DEPLOYMENT,
            {"replicas": 1.5},
            "spec.replicas",
            "Invalid value: 1.5: a whole number is needed here",
            id="fraction",
        ),
        pytest.param(
            DEPLOYMENT,
            {"paused": "yes"},
            "spec.paused",
            'Invalid value: "yes": true or false is needed here',
            id="text-for-a-bool",
        ),
        pytest.param(
            DEPLOYMENT, [], "spec", 'Invalid value: "list": an object is needed here', id="list-for-an-object"
        ),
        pytest.param(
            POD,
            {"containers": {"name": "c"}},
            "spec.containers",
            'Invalid value: "dict": a list is needed here',
            id="object-for-a-list",
        ),
        pytest.param(POD, {"containers": [{}]}, "spec.containers[0].name", "Required value", id="missing"),
        pytest.param(
            POD,
            {"containers": [{"name": "c", "env": [{"name": "A", "value": 1}]}]},
            "spec.containers[0].env[0].value",
            "Invalid value: 1: text is needed here",
            id="number-for-text",
        ),
        pytest.param(
            SERVICE,
            {"ports": [{"port": 80, "targetPort": []}]},
            "spec.ports[0].targetPort",
            'Invalid value: "list": a whole number is needed here',
            id="union",
        ),
    ],
)
def test_shape(kind: Kind, spec: Any, field: str, message: str) -> None:
    causes = validation.shape_causes(kind, whole(kind, spec))
    assert [(cause.field, cause.message) for cause in causes] == [(field, message)]


def test_shape_names_every_field_at_once() -> None:
    spec = {"replicas": "x", "minReadySeconds": "y", "template": {"spec": {"containers": [{"name": 1, "image": 2}]}}}
    causes = validation.shape_causes(DEPLOYMENT, whole(DEPLOYMENT, spec))
    assert [cause.field for cause in causes] == [
        "spec.replicas", "spec.template.spec.containers[0].name", "spec.template.spec.containers[0].image",
        "spec.minReadySeconds",
    ]  # fmt: skip


def test_rules_are_asked_beside_a_wrong_shape() -> None:
    obj = whole(SERVICE, {"type": "Nonsense", "ports": [{"port": "eighty"}, {"port": 99999}]})
    defaults.apply(SERVICE, obj, "v1")
    causes = [*validation.shape_causes(SERVICE, obj), *validation.create_causes(SERVICE, obj)]
    assert {"spec.ports[0].port", "spec.type", "spec.ports[1].port", "spec.ports[0].name"} <= {c.field for c in causes}


def test_a_good_object_has_no_cause() -> None:
    obj = whole(POD, {"containers": [{"name": "c", "image": "i"}]})
    assert validation.shape_causes(POD, obj) == []
    assert validation.create_causes(POD, obj) == []


def test_refusal_names_the_object_and_repeats_nothing() -> None:
    cause = validation.shape_causes(DEPLOYMENT, whole(DEPLOYMENT, {"replicas": "x"}))[0]
    with pytest.raises(Invalid) as caught:
        validation.refuse_if(DEPLOYMENT, whole(DEPLOYMENT, {}), [cause, cause])
    assert caught.value.causes == [cause]
    assert caught.value.message.startswith('Deployment.apps "x" is invalid: spec.replicas: Invalid value')
    validation.refuse_if(DEPLOYMENT, {}, [])


@pytest.mark.parametrize(
    ("obj", "at_once"),
    [
        pytest.param(whole(POD, "text"), True, id="spec-is-no-object"),
        pytest.param({**whole(POD, {}), "metadata": {"name": 5}}, True, id="a-name-that-is-no-text"),
        pytest.param(whole(POD, {"hostname": 5}), False, id="deeper"),
    ],
)
def test_only_a_wrong_frame_stops_the_rules(obj: dict[str, Any], at_once: bool) -> None:
    assert validation.needs_shape(validation.shape_causes(POD, obj)) is at_once


def test_route_rules_are_judged_by_their_own_rules() -> None:
    kind = BY_NAME["routerules.config.istio.io"]
    obj = whole(kind, {"destination": {"name": "s"}, "route": [{"labels": {"v": "1"}, "weight": 99}]})
    assert validation.shape_causes(kind, whole(kind, {"precedence": "high"})) == []
    assert any("100" in cause.message for cause in validation.create_causes(kind, obj))
