from typing import Any

import pytest

from mesh.api.services import Service
from mesh.dns import external
from mesh.dns.external import ExternalNames

HERE = "default.svc.cluster.local"


def pointing(name: str, target: str) -> Service:
    spec = {"type": "ExternalName", "externalName": target}
    return Service.model_validate({"metadata": {"name": name, "namespace": "default"}, "spec": spec})


class Told:
    def __init__(self, **more: Any) -> None:
        self.told: list[tuple[str, str, str]] = []
        self.names = ExternalNames(lambda service, *rest: self.told.append((service.name, *rest)), **more)

    def put(self, *services: Service, old: Service | None = None) -> list[tuple[str, str]]:
        """(service, reason) of what was told of these."""
        self.told.clear()
        for service in services:
            self.names.on_service(old, service)
        return [(name, reason) for name, reason, _ in self.told]


@pytest.mark.parametrize(
    ("services", "told"),
    [
        pytest.param({"self": f"self.{HERE}"}, [("self", external.CIRCLE)], id="to-itself"),
        pytest.param(
            {"ping": f"pong.{HERE}", "pong": f"ping.{HERE}"},
            [("pong", external.CIRCLE), ("ping", external.CIRCLE)],
            id="circle",
        ),
        pytest.param(
            {"ping": f"pong.{HERE}", "pong": f"ping.{HERE}", "into": f"ping.{HERE}"},
            [("pong", external.CIRCLE), ("ping", external.CIRCLE), ("into", external.CIRCLE)],
            id="into-a-circle",
        ),
        pytest.param({"out": "www.example.com"}, [("out", external.OUTSIDE)], id="outside"),
        pytest.param(
            {"far": f"out.{HERE}", "out": "example.com"}, [("out", external.OUTSIDE)], id="outside-in-the-end"
        ),
        pytest.param({"number": "192.0.2.7"}, [("number", external.ADDRESS)], id="an-address"),
        pytest.param({"web": f"real.{HERE}", "zone": "cluster.local"}, [], id="inside"),
        pytest.param(
            {f"hop-{i}": f"hop-{i - 1}.{HERE}" for i in range(1, 10)}, [("hop-9", external.LONG)], id="too-long"
        ),
    ],
)
def test_what_is_told(services: dict[str, str], told: list[tuple[str, str]]) -> None:
    assert Told().put(*(pointing(name, target) for name, target in services.items())) == told


def test_the_way_is_named() -> None:
    told = Told()
    told.put(pointing("ping", f"pong.{HERE}"), pointing("pong", f"ping.{HERE}"))
    assert told.told[0][2].endswith(": pong.default -> ping.default -> pong.default")


def test_with_forwarding_the_outside_is_no_trouble() -> None:
    assert Told(forwarding=True).put(pointing("out", "www.example.com")) == []


def test_nothing_is_told_twice_and_what_is_gone_no_more() -> None:
    told = Told()
    ping, pong = pointing("ping", f"pong.{HERE}"), pointing("pong", f"ping.{HERE}")
    told.put(ping, pong)
    assert told.put(ping, old=ping) == []
    told.names.on_service(pong, None)
    assert told.put(pointing("ping", f"pong.{HERE}."), old=ping) == []


def test_other_services_are_nobodys_business() -> None:
    plain = Service.model_validate({"metadata": {"name": "web", "namespace": "default"}, "spec": {}})
    assert Told().put(plain) == []
