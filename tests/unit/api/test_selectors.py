"""Selectors say yes and no as kubectl expects."""

from typing import Any

import pytest

from mesh.api import selectors
from mesh.api.errors import BadRequest
from mesh.api.meta import LabelSelector

LABELS = {"app": "web", "tier": "front", "example.com/x": "1"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        pytest.param("", True, id="empty"),
        pytest.param("app=web", True, id="equals"),
        pytest.param("app==web", True, id="double-equals"),
        pytest.param("app=other", False, id="other-value"),
        pytest.param("app!=other", True, id="not-equals"),
        pytest.param("absent!=x", True, id="not-equals-is-true-when-absent"),
        pytest.param("app in (web,api)", True, id="in"),
        pytest.param("app in ( api , web )", True, id="in-with-spaces"),
        pytest.param("app notin (web)", False, id="notin"),
        pytest.param("absent notin (web)", True, id="notin-absent"),
        pytest.param("app", True, id="exists"),
        pytest.param("absent", False, id="exists-not"),
        pytest.param("!absent", True, id="absent"),
        pytest.param("!app", False, id="absent-not"),
        pytest.param("app=web,tier=front", True, id="and"),
        pytest.param("app=web,tier=back", False, id="and-one-fails"),
        pytest.param("app=web,tier in (a,front),!no", True, id="mixed"),
        pytest.param("example.com/x=1", True, id="prefixed-key"),
        pytest.param("app=", False, id="empty-value"),
    ],
)
def test_label_selectors(text: str, matches: bool) -> None:
    assert selectors.parse(text).matches(LABELS) is matches


@pytest.mark.parametrize("text", ["=x", "a=b c=d", "a in b", "a in (b", "!", "a=b,,", "(a)"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        selectors.parse(text)


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        pytest.param(None, True, id="none"),
        pytest.param({"matchLabels": {"app": "web"}}, True, id="labels"),
        pytest.param({"matchLabels": {"app": "x"}}, False, id="labels-differ"),
        pytest.param({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}, True, id="in"),
        pytest.param({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, False, id="notin"),
        pytest.param({"matchExpressions": [{"key": "no", "operator": "DoesNotExist"}]}, True, id="absent"),
        pytest.param({"matchExpressions": [{"key": "no", "operator": "Exists"}]}, False, id="exists"),
    ],
)
def test_selector_fields(selector: dict[str, Any] | None, matches: bool) -> None:
    model = None if selector is None else LabelSelector.model_validate(selector)
    assert selectors.from_model(model).matches(LABELS) is matches


POD = {"metadata": {"name": "a", "namespace": "n"}, "spec": {"nodeName": "n1", "flag": True}, "status": {}}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        pytest.param("metadata.name=a", True, id="name"),
        pytest.param("metadata.name==a,spec.nodeName=n1", True, id="two"),
        pytest.param("spec.nodeName!=n1", False, id="not"),
        pytest.param("status.phase!=Failed,status.phase!=Succeeded", True, id="absent-is-not-equal"),
        pytest.param("status.phase=", True, id="empty-value"),
        pytest.param("spec.flag=true", True, id="booleans-in-lower-case"),
        pytest.param("", True, id="empty"),
    ],
)
def test_field_selectors(text: str, matches: bool) -> None:
    parsed = selectors.parse_fields(text)
    assert parsed.matches(POD) is matches
    flat = selectors.selectable_values(POD, ("spec.nodeName", "spec.flag", "status.phase"))
    assert parsed.matches_flat(flat) is matches


def test_a_field_selector_knows_the_name_it_pins() -> None:
    assert selectors.parse_fields("a.b=1,metadata.name=x").name == "x"
    assert selectors.parse_fields("metadata.name!=x").name is None


def test_unsupported_fields_are_refused_naming_those_that_are_not() -> None:
    with pytest.raises(BadRequest, match=r"field label not supported: spec.foo; .*spec.nodeName"):
        selectors.check_fields(selectors.parse_fields("spec.foo=1"), "pods", ("spec.nodeName",))
    selectors.check_fields(selectors.parse_fields("metadata.namespace=x,spec.nodeName=1"), "pods", ("spec.nodeName",))


@pytest.mark.parametrize("text", ["nonsense", "=x", "1a=b"])
def test_broken_field_selectors_are_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        selectors.parse_fields(text)
