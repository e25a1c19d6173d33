"""Three patch languages, one kind of change."""

from typing import Any

import pytest

from mesh.api.errors import ApiError, BadRequest, TooLarge, UnsupportedMediaType
from mesh.api.scheme import BY_NAME
from mesh.apiserver.patch import apply_patch
from mesh.client.base import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH

POD, RULE = BY_NAME["pods"], BY_NAME["routerules.config.istio.io"]


@pytest.mark.parametrize(
    ("old", "patch", "new"),
    [
        pytest.param({"a": 1}, {"b": 2}, {"a": 1, "b": 2}, id="adds"),
        pytest.param({"a": 1}, {"a": None}, {}, id="removes"),
        pytest.param({}, {"a": None}, {}, id="removes-nothing"),
        pytest.param({"a": {"b": 1, "c": 2}}, {"a": {"b": None, "d": 3}}, {"a": {"c": 2, "d": 3}}, id="merges-deep"),
        pytest.param({"a": [1, 2]}, {"a": [3]}, {"a": [3]}, id="replaces-lists"),
        pytest.param({"a": "text"}, {"a": {"b": 1}}, {"a": {"b": 1}}, id="object-over-text"),
        pytest.param({}, {"a": {"b": None, "c": 1}}, {"a": {"c": 1}}, id="nulls-in-a-new-object"),
    ],
)
def test_merge_patch(old: Any, patch: Any, new: Any) -> None:
    assert apply_patch(POD, MERGE_PATCH, patch)(old) == new


@pytest.mark.parametrize(
    ("patch", "new"),
    [
        pytest.param([{"op": "replace", "path": "/a", "value": 2}], {"a": 2, "l": [1, 2]}, id="replace"),
        pytest.param([{"op": "add", "path": "/l/-", "value": 3}], {"a": 1, "l": [1, 2, 3]}, id="append"),
        pytest.param([{"op": "add", "path": "/b~1c", "value": 3}], {"a": 1, "l": [1, 2], "b/c": 3}, id="escaped"),
        pytest.param([{"op": "remove", "path": "/l/0"}], {"a": 1, "l": [2]}, id="remove"),
        pytest.param([{"op": "move", "from": "/a", "path": "/b"}], {"b": 1, "l": [1, 2]}, id="move"),
        pytest.param([{"op": "copy", "from": "/a", "path": "/b"}], {"a": 1, "b": 1, "l": [1, 2]}, id="copy"),
        pytest.param([{"op": "test", "path": "/a", "value": 1}], {"a": 1, "l": [1, 2]}, id="test-holds"),
        pytest.param([], {"a": 1, "l": [1, 2]}, id="nothing"),
    ],
)
def test_json_patch(patch: list[dict[str, Any]], new: dict[str, Any]) -> None:
    old = {"a": 1, "l": [1, 2]}
    assert apply_patch(POD, JSON_PATCH, patch)(old) == new
    assert old == {"a": 1, "l": [1, 2]}


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param([{"op": "test", "path": "/a", "value": 2}], id="test-fails"),
        pytest.param([{"op": "replace", "path": "/no/where", "value": 2}], id="no-such-place"),
        pytest.param([{"op": "remove", "path": "/l/9"}], id="no-such-index"),
        pytest.param([{"op": "add", "path": "/a/b", "value": 2}], id="into-a-number"),
    ],
)
def test_a_json_patch_that_does_not_fit_is_422(patch: list[dict[str, Any]]) -> None:
    with pytest.raises(ApiError) as caught:
        apply_patch(POD, JSON_PATCH, patch)({"a": 1, "l": [1]})
    assert caught.value.code == 422


@pytest.mark.parametrize(
    ("content_type", "patch", "error"),
    [
        pytest.param(JSON_PATCH, {"op": "add"}, BadRequest, id="an-object-for-a-list"),
        pytest.param(JSON_PATCH, ["text"], BadRequest, id="a-list-of-texts"),
        pytest.param(JSON_PATCH, [{"op": "jump", "path": "/a"}], BadRequest, id="unknown-operation"),
        pytest.param(JSON_PATCH, [{"op": "add", "path": "/a", "value": 1}] * 10001, TooLarge, id="too-many"),
        pytest.param(MERGE_PATCH, [], BadRequest, id="a-list-for-an-object"),
        pytest.param(STRATEGIC_PATCH, "text", BadRequest, id="a-text-for-an-object"),
        pytest.param("", {}, UnsupportedMediaType, id="no-type"),
        pytest.param("application/json", {}, UnsupportedMediaType, id="plain-json"),
    ],
)
def test_refusals(content_type: str, patch: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        apply_patch(POD, content_type, patch)


def test_a_json_patch_may_not_turn_the_object_into_something_else() -> None:
    with pytest.raises(BadRequest, match="not an object"):
        apply_patch(POD, JSON_PATCH, [{"op": "replace", "path": "", "value": [1]}])({"a": 1})


def test_custom_kinds_take_no_strategic_patch() -> None:
    with pytest.raises(UnsupportedMediaType, match="accepted media types include: application/json-patch"):
        apply_patch(RULE, STRATEGIC_PATCH, {})
    assert apply_patch(POD, STRATEGIC_PATCH, {"spec": {"a": 1}})({}) == {"spec": {"a": 1}}


def test_copies_of_copies_are_bounded() -> None:
    patch = [{"op": "copy", "from": "/spec", "path": f"/spec/x{number}"} for number in range(60)]
    with pytest.raises(TooLarge, match="the patch copies more than"):
        apply_patch(POD, "application/json-patch+json", patch)({"spec": {"a": "b" * 100}})


def test_a_patch_builds_no_tower() -> None:
    patch = [{"op": "add", "path": "/spec" + "/a" * depth, "value": {}} for depth in range(1, 300)]
    with pytest.raises(BadRequest, match="nested deeper"):
        apply_patch(POD, "application/json-patch+json", patch)({"spec": {}})
