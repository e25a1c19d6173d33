"""Unknown fields are found by path; known ones that nothing executes are named."""

from typing import Any

import pytest

from mesh.api import fields
from mesh.api.errors import BadRequest
from mesh.api.known_fields import TYPES, type_of
from mesh.api.scheme import BY_NAME, KINDS

POD, DEPLOYMENT, INGRESS, RULE = (
    BY_NAME[name] for name in ("pods", "deployments.apps", "ingresses.networking.k8s.io", "routerules.config.istio.io")
)


PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def container(**more: Any) -> dict[str, Any]:
    return {"kind": "Pod", "spec": {"containers": [{"name": "c", **more}]}}


@pytest.mark.parametrize(
    ("obj", "unknown", "not_executed"),
    [
        pytest.param({"spec": {"bogus": 1}}, ["spec.bogus"], [], id="in-spec"),
        pytest.param({"odd": {}}, ["odd"], [], id="at-the-top"),
        pytest.param({"metadata": {"label": {}}}, ["metadata.label"], [], id="in-metadata"),
        pytest.param(container(imagePullPolice="x"), ["spec.containers[0].imagePullPolice"], [], id="in-a-list"),
        pytest.param(
            container(securityContext={"runAsUser": 1}), [], ["spec.containers[0].securityContext"], id="known"
        ),
        pytest.param(container(securityContext={}, resources={}), [], [], id="empty-means-nothing"),
        pytest.param({"spec": {"hostNetwork": False}}, [], [], id="false-means-nothing"),
        pytest.param({"spec": {"hostNetwork": True}}, [], ["spec.hostNetwork"], id="true-means-something"),
        pytest.param(
            {"spec": {"affinity": {"podAffinity": {PREFERRED: [{}]}}}},
            [],
            [f"spec.affinity.podAffinity.{PREFERRED}"],
            id="preferred",
        ),
        pytest.param(
            {"spec": {"affinity": {"nodeAffinity": {"x": 1}}}}, ["spec.affinity.nodeAffinity.x"], [], id="deep"
        ),
        pytest.param({"metadata": {"labels": {"any": "x"}}, "status": {"any": 1}}, [], [], id="free-maps"),
        pytest.param({"spec": {"containers": "text"}}, [], [], id="wrong-shapes-are-judged-elsewhere"),
    ],
)
def test_findings_of_a_pod(obj: dict[str, Any], unknown: list[str], not_executed: list[str]) -> None:
    found = fields.findings(POD, obj, "v1")
    assert (list(found.unknown), list(found.not_executed)) == (unknown, not_executed)


@pytest.mark.parametrize(
    ("kind", "version", "spec", "unknown"),
    [
        pytest.param(DEPLOYMENT, "extensions/v1beta1", {"rollbackTo": {}}, [], id="old-field-in-the-old-version"),
        pytest.param(DEPLOYMENT, "apps/v1", {"rollbackTo": {}}, ["spec.rollbackTo"], id="old-field-in-the-new-version"),
        pytest.param(INGRESS, "extensions/v1beta1", {"backend": {"serviceName": "s"}}, [], id="beta-ingress"),
        pytest.param(INGRESS, "networking.k8s.io/v1", {"backend": {}}, ["spec.backend"], id="beta-field-in-v1"),
        pytest.param(RULE, "config.istio.io/v1alpha2", {"bogus": 1}, [], id="rules-judge-themselves"),
    ],
)
def test_versions_differ(kind: Any, version: str, spec: dict[str, Any], unknown: list[str]) -> None:
    assert list(fields.findings(kind, {"spec": spec}, version).unknown) == unknown


def test_strict_refuses_naming_every_field() -> None:
    found = fields.Findings(("spec.a", "spec.b"))
    with pytest.raises(BadRequest) as caught:
        fields.judge(DEPLOYMENT, found, "apps/v1", "Strict")
    assert caught.value.message == (
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
        'unknown field "spec.a", unknown field "spec.b"'
    )


@pytest.mark.parametrize(
    ("mode", "warnings"),
    [
        pytest.param(
            "", ['unknown field "spec.a"', "spec.b is stored, but nothing here acts on it"], id="default-warns"
        ),
        pytest.param("Warn", ['unknown field "spec.a"', "spec.b is stored, but nothing here acts on it"], id="warn"),
        pytest.param("Ignore", ["spec.b is stored, but nothing here acts on it"], id="ignore"),
    ],
)
def test_warnings(mode: str, warnings: list[str]) -> None:
    assert fields.judge(POD, fields.Findings(("spec.a",), ("spec.b",)), "v1", mode) == warnings


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(BadRequest, match="use Strict, Warn or Ignore"):
        fields.judge(POD, fields.Findings(), "v1", "Loose")


def test_warnings_are_bounded() -> None:
    found = fields.Findings(tuple(f"spec.f{number}" for number in range(50)))
    warnings = fields.judge(POD, found, "v1", "Warn")
    assert len(warnings) == 21
    assert warnings[-1] == "and 30 more fields that are unknown or not acted on"


def test_only_what_a_patch_adds_is_new() -> None:
    before, after = fields.Findings(("a",), ("b",)), fields.Findings(("a", "c"), ("b", "d"))
    assert after.without(before) == fields.Findings(("c",), ("d",))
    assert before.without(after) == fields.Findings()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.custom], ids=lambda kind: kind.kind)
def test_every_built_in_kind_is_known_with_all_fields_of_its_model(kind: Any) -> None:
    name = type_of(kind.kind, kind.api_version)
    assert name is not None
    aliases = {info.alias or field for field, info in kind.model.model_fields.items()}
    assert aliases <= set(TYPES[name])


def test_every_named_type_exists() -> None:
    named = {inner for found in TYPES.values() for inner, _ in found.values() if inner}
    assert named <= set(TYPES)
