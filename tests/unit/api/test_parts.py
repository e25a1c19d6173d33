"""Parts that models keep as plain JSON have a shape all the same."""

from copy import deepcopy
from typing import Any

import pytest

from mesh.api.parts import part_causes
from mesh.api.scheme import BY_NAME

MUST = "requiredDuringSchedulingIgnoredDuringExecution"
POD, SET, SERVICE, RULE = (
    BY_NAME[name] for name in ("pods", "statefulsets.apps", "services", "routerules.config.istio.io")
)


def pod(container: Any = None, **spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": [container or {}], **spec}}


@pytest.mark.parametrize(
    ("obj", "fields"),
    [
        pytest.param(pod(affinity={"podAntiAffinity": {MUST: [{"topologyKey": "zone"}]}}), [], id="good"),
        pytest.param(pod(affinity="x"), ["spec.affinity"], id="affinity"),
        pytest.param(pod(affinity={"podAffinity": {MUST: {}}}), [f"spec.affinity.podAffinity.{MUST}"], id="pod-terms"),
        pytest.param(
            pod(affinity={"podAffinity": {MUST: [{"labelSelector": {"matchLabels": []}}]}}),
            [
                f"spec.affinity.podAffinity.{MUST}[0].topologyKey",
                f"spec.affinity.podAffinity.{MUST}[0].labelSelector.matchLabels",
            ],
            id="pod-term",
        ),
        pytest.param(
            pod(affinity={"nodeAffinity": {MUST: {"nodeSelectorTerms": [{"matchExpressions": [{"key": 1}]}]}}}),
            [
                f"spec.affinity.nodeAffinity.{MUST}.nodeSelectorTerms[0].matchExpressions[0].{f}"
                for f in ("key", "operator")
            ],
            id="node-term",
        ),
        pytest.param(
            pod(topologySpreadConstraints=[{"maxSkew": "1"}]),
            [f"spec.topologySpreadConstraints[0].{f}" for f in ("maxSkew", "topologyKey", "whenUnsatisfiable")],
            id="spread",
        ),
        pytest.param(
            pod({"env": [{"name": "A", "valueFrom": {"fieldRef": {}}}]}),
            ["spec.containers[0].env[0].valueFrom.fieldRef.fieldPath"],
            id="field-ref",
        ),
        pytest.param(
            pod(volumes=[{"name": "v", "hostPath": {}}, {"name": "w", "persistentVolumeClaim": {"claimName": 5}}]),
            ["spec.volumes[0].hostPath.path", "spec.volumes[1].persistentVolumeClaim.claimName"],
            id="volumes",
        ),
        pytest.param(
            pod({"livenessProbe": {"httpGet": {"httpHeaders": [{"name": "x"}]}}}),
            ["spec.containers[0].livenessProbe.httpGet.httpHeaders[0].value"],
            id="header",
        ),
        pytest.param(pod({"resources": {"limits": []}}), ["spec.containers[0].resources.limits"], id="resources"),
        pytest.param(pod({"lifecycle": {"preStop": "x"}}), ["spec.containers[0].lifecycle.preStop"], id="lifecycle"),
        pytest.param({"spec": "text"}, [], id="the-frame-is-judged-elsewhere"),
    ],
)
def test_pods(obj: dict[str, Any], fields: list[str]) -> None:
    before = deepcopy(obj)
    assert [cause.field for cause in part_causes(POD, obj)] == fields
    assert obj == before


@pytest.mark.parametrize(
    ("kind", "spec", "fields"),
    [
        pytest.param(
            SET,
            {"updateStrategy": {"rollingUpdate": {"partition": "1"}}},
            ["spec.updateStrategy.rollingUpdate.partition"],
            id="partition",
        ),
        pytest.param(SET, {"ordinals": {"start": "1"}}, ["spec.ordinals.start"], id="ordinals"),
        pytest.param(SET, {"volumeClaimTemplates": [{}]}, ["spec.volumeClaimTemplates[0].metadata"], id="claims"),
        pytest.param(SET, {"template": {"spec": {"affinity": 5}}}, ["spec.template.spec.affinity"], id="template"),
        pytest.param(
            SERVICE,
            {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": "x"}}},
            ["spec.sessionAffinityConfig.clientIP.timeoutSeconds"],
            id="affinity-config",
        ),
        pytest.param(RULE, {"match": 5}, [], id="rules-judge-themselves"),
    ],
)
def test_other_kinds(kind: Any, spec: dict[str, Any], fields: list[str]) -> None:
    assert [cause.field for cause in part_causes(kind, {"spec": spec})] == fields
