"""A record is one version of an object, ready for a socket and for selectors."""

from typing import Any

import pytest

from mesh.store.record import make


@pytest.mark.parametrize(
    ("meta", "key", "labels"),
    [
        pytest.param({"name": "a", "namespace": "n", "labels": {"x": "y"}}, ("n", "a"), {"x": "y"}, id="namespaced"),
        pytest.param({"name": "a"}, ("", "a"), {}, id="cluster-scoped"),
        pytest.param({"name": "a", "namespace": None, "labels": None}, ("", "a"), {}, id="nulls"),
    ],
)
def test_make(meta: dict[str, Any], key: tuple[str, str], labels: dict[str, str]) -> None:
    record = make("pods", {"metadata": meta}, 7, lambda resource, obj: {"r": resource})
    assert (record.key, record.labels, record.version, record.fields) == (key, labels, 7, {"r": "pods"})
    assert record.load()["metadata"]["resourceVersion"] == "7"
