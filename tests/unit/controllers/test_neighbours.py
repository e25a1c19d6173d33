"""What do placed pods have against a node?"""

from typing import Any

import pytest

from mesh.api.core import Node, Pod
from mesh.controllers.neighbours import AFFINITY, ANTI_AFFINITY, EXISTING_ANTI_AFFINITY, SPREAD, SPREAD_LABEL, obstacles

NODES = [
    Node.model_validate({"metadata": {"name": name, "labels": labels}})
    for name, labels in (("a1", {"zone": "a"}), ("a2", {"zone": "a"}), ("b1", {"zone": "b"}), ("x", {}))
]


def pod(app: str, namespace: str = "default", **spec: Any) -> Pod:
    metadata = {"name": app, "namespace": namespace, "labels": {"app": app}}
    return Pod.model_validate({"metadata": metadata, "spec": {"containers": [], **spec}})


def rule(kind: str, app: str, **more: Any) -> dict[str, Any]:
    term = {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": "zone", **more}
    return {"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


def spread(app: str, skew: int) -> dict[str, Any]:
    selector = {"matchLabels": {"app": app}}
    return {"topologySpreadConstraints": [{"topologyKey": "zone", "maxSkew": skew, "labelSelector": selector}]}


@pytest.mark.parametrize(
    ("which", "placed", "expected"),
    [
        pytest.param(pod("w"), {"a1": [pod("w")]}, {}, id="no-rules"),
        pytest.param(pod("w", **rule("podAntiAffinity", "w")), {"a1": [pod("w")]},
                     {"a1": ANTI_AFFINITY, "a2": ANTI_AFFINITY}, id="apart-by-zone"),
        pytest.param(pod("w", **rule("podAntiAffinity", "w")), {"a1": [pod("w", "elsewhere")]}, {},
                     id="another-namespace-does-not-count"),
        pytest.param(pod("w", **rule("podAntiAffinity", "w", namespaces=["elsewhere"])),
                     {"a1": [pod("w", "elsewhere")]}, {"a1": ANTI_AFFINITY, "a2": ANTI_AFFINITY}, id="named-namespace"),
        pytest.param(pod("w", **rule("podAffinity", "db")), {"b1": [pod("db")]},
                     {"a1": AFFINITY, "a2": AFFINITY, "x": AFFINITY}, id="together"),
        pytest.param(pod("w", **rule("podAffinity", "db")), {},
                     {"a1": AFFINITY, "a2": AFFINITY, "b1": AFFINITY, "x": AFFINITY}, id="nobody-to-join"),
        pytest.param(pod("w", **rule("podAffinity", "w")), {}, {"x": AFFINITY}, id="first-of-its-kind"),
        pytest.param(pod("w", **spread("w", 1)), {"a1": [pod("w")]},
                     {"a1": SPREAD, "a2": SPREAD, "x": SPREAD_LABEL}, id="skew"),
        pytest.param(pod("w", **spread("w", 2)), {"a1": [pod("w")]}, {"x": SPREAD_LABEL}, id="skew-allowed"),
    ],
)  # fmt: skip
def test_own_rules(which: Pod, placed: dict[str, list[Pod]], expected: dict[str, str]) -> None:
    assert obstacles(which, NODES, placed, ()) == expected


def test_others_keep_a_pod_away() -> None:
    guard = pod("guard", **rule("podAntiAffinity", "w"))
    assert obstacles(pod("w"), NODES, {}, [(guard, "b1")]) == {"b1": EXISTING_ANTI_AFFINITY}
    assert obstacles(pod("other"), NODES, {}, [(guard, "b1")]) == {}
