"""The three-way merge: what apply changes, and what it leaves alone."""

import pytest

from mesh.api.errors import Cause, Invalid
from mesh.api.scheme import find
from mesh.cli.apply import refusal, three_way
from mesh.cli.manifests import Manifest


@pytest.mark.parametrize(
    ("last", "wanted", "live", "patch"),
    [
        pytest.param({}, {"a": 1}, {"a": 1, "server": 2}, {}, id="nothing to do"),
        pytest.param({"a": 1}, {"a": 2}, {"a": 1}, {"a": 2}, id="changed"),
        pytest.param({"a": 1, "b": 1}, {"a": 1}, {"a": 1, "b": 1}, {"b": None}, id="removed from the file"),
        pytest.param({}, {"a": 1}, {"a": 1, "b": 1}, {}, id="set by others"),
        pytest.param({"b": 1}, {}, {}, {}, id="removed and gone already"),
        pytest.param({}, {"s": {"x": 1}}, {"s": {"y": 2}}, {"s": {"x": 1}}, id="inside"),
        pytest.param({}, {"l": [{"p": 80}]}, {"l": [{"p": 80, "protocol": "TCP"}]}, {}, id="defaults in a list"),
        pytest.param({}, {"l": [1, 2]}, {"l": [1]}, {"l": [1, 2]}, id="lists are replaced whole"),
        pytest.param({"s": {"x": 1}}, {"s": {}}, {"s": {"x": 1}}, {"s": {"x": None}}, id="removed inside"),
    ],
)
def test_three_way(last: dict, wanted: dict, live: dict, patch: dict) -> None:
    assert three_way(last, wanted, live) == patch


def test_a_refusal_names_file_object_and_every_field() -> None:
    kind = find("routerule")
    assert kind is not None
    manifest = Manifest("rules.yaml", kind, {"metadata": {"name": "r"}})
    error = Invalid("RouteRule", "config.istio.io", "r", [Cause("spec.a", "wrong"), Cause("spec.b", "worse")])
    assert refusal(manifest, error) == "rules.yaml: RouteRule r: spec.a: wrong; spec.b: worse"
