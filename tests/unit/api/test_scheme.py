"""Every kind is found by its names and survives a round trip."""

from typing import Any

import pytest

from mesh.api import scheme
from mesh.api.core import Pod
from mesh.api.workloads import Deployment


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("po", "Pod"), ("pod", "Pod"), ("pods", "Pod"), ("Pod", "Pod"), ("deploy", "Deployment"),
        ("deployments.apps", "Deployment"), ("svc", "Service"), ("ing", "Ingress"), ("routerule", "RouteRule"),
        ("ns", "Namespace"), ("sts", "StatefulSet"),
    ],
)  # fmt: skip
def test_find(word: str, kind: str) -> None:
    found = scheme.find(word)
    assert found is not None
    assert found.kind == kind


def test_find_says_nothing_for_strangers() -> None:
    assert scheme.find("podlet") is None


@pytest.mark.parametrize("kind", scheme.KINDS, ids=lambda kind: kind.kind)
def test_each_kind_has_one_row_everywhere(kind: scheme.Kind) -> None:
    assert scheme.kind_of(kind.model) is kind
    assert scheme.BY_NAME[kind.resource] is kind
    assert scheme.BY_RESOURCE[(kind.group, kind.version, kind.plural)] is kind
    assert scheme.BY_GVK[(kind.api_version, kind.kind)] is kind
    for group, version in kind.other_versions:
        assert scheme.BY_GVK[(f"{group}/{version}", kind.kind)] is kind


def test_encode_fills_in_what_the_class_says() -> None:
    assert scheme.encode(Deployment())["apiVersion"] == "apps/v1"
    assert scheme.encode(Pod())["kind"] == "Pod"


POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "a", "annotations": {"x": "1"}, "unheardOf": {"deep": [1]}},
    "spec": {
        "containers": [{"name": "c", "image": "i", "readinessProbe": {"httpGet": {"port": "http"}}, "odd": 1}],
        "hostUsers": False,
    },
    "status": {"podIP": "127.244.0.1", "hostIP": "127.18.0.1"},
}


def test_decode_then_encode_keeps_what_a_user_wrote() -> None:
    back = scheme.encode(scheme.decode(Pod, POD))

    def contains(whole: Any, part: Any) -> bool:
        if isinstance(part, dict):
            return all(key in whole and contains(whole[key], value) for key, value in part.items())
        if isinstance(part, list):
            return len(whole) == len(part) and all(map(contains, whole, part))
        return bool(whole == part)

    assert contains(back, POD)
    assert scheme.encode(scheme.decode(Pod, back)) == back
