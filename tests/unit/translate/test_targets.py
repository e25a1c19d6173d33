from collections.abc import Callable

import pytest

from mesh.translate.snapshot import Snapshot
from mesh.translate.targets import Target, service_target, targets
from mesh.translate.views import PortView

OTHER = """
kind: Service
metadata: {name: other}
spec: {ports: [{name: http, port: 9000}, {name: admin, port: 81}]}
---
"""
HOST = "other.default.svc.cluster.local"


def port(name: str, number: int) -> PortView:
    return PortView(name=name, number=number, http=True, target=number)


@pytest.mark.parametrize(
    ("called", "number"),
    [
        pytest.param(port("http", 80), 9000, id="by-name"),
        pytest.param(port("admin", 9000), 81, id="the-name-goes-before-the-number"),
        pytest.param(port("x", 9000), 9000, id="by-number"),
        pytest.param(port("x", 80), 80, id="neither"),
    ],
)
def test_port_of_another_service(world: Callable[..., Snapshot], called: PortView, number: int) -> None:
    assert service_target(world(OTHER), HOST, called, {}) == Target(HOST, number)


def test_a_service_that_does_not_exist_keeps_the_called_port(world: Callable[..., Snapshot]) -> None:
    assert service_target(world(), "x.y.z", port("http", 80), {"b": "2", "a": "1"}) == Target(
        "x.y.z", 80, (("a", "1"), ("b", "2"))
    )


def test_every_target_is_listed_once_and_in_a_stable_order(world: Callable[..., Snapshot]) -> None:
    rules = "".join(
        f"kind: RouteRule\nmetadata: {{name: r{i}}}\nspec: {{destination: {{name: shop}}, "
        f"match: {{request: {{headers: {{x: {{exact: '{i}'}}}}}}}}, route: [{{labels: {{version: v1}}}}], "
        "mirror: {name: other}}\n---\n"
        for i in range(3)
    )
    names = [target.name for target in targets(world(OTHER + rules))]
    assert names == [
        f"outbound|9000||{HOST}",
        f"outbound|81||{HOST}",
        "outbound|80||shop.default.svc.cluster.local",
        "outbound|80|version=v1|shop.default.svc.cluster.local",
    ]
