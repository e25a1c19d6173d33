"""What may be chosen about a mesh."""

from typing import Any

import pytest

from mesh.emulator.settings import Settings


def test_settings_travel_as_json() -> None:
    chosen = Settings(name="a", nodes=3, block=1, images={"x": "y"}, state_dir="/s", zones=("a", "b"), nodes_in=("b",))
    assert Settings.from_json(chosen.to_json()) == chosen
    assert chosen.gateway_url == "http://127.0.1.1:8080"
    assert chosen.node_name(0) == "node-1"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"nodes": 0}, "--nodes 0: 1 to 60", id="no node"),
        pytest.param({"nodes": 61}, "1 to 60", id="too many nodes"),
        pytest.param({"node_grace_s": 0.1}, "--node-grace", id="grace"),
        pytest.param({"volume_grace_s": -1.0}, "--volume-grace", id="volume-grace"),
        pytest.param({"gateway_port": 0}, "--gateway-port 0: 1 to 65535", id="no port"),
        pytest.param({"dns_port": 65536}, "--dns-port 65536: 1 to 65535", id="beyond the ports"),
        pytest.param({"gateway_port": 15000}, "--gateway-port 15000: the port of the gateway's admin", id="admin"),
        pytest.param({"api_port": 15090}, "--api-port 15090: the port of the gateway's metrics", id="metrics"),
        pytest.param({"zones": ("a", "")}, "--zones '': a zone's name", id="nameless zone"),
        pytest.param({"zones": ("a b",)}, "--zones 'a b'", id="no name for a zone"),
        pytest.param({"zones": ("a", "a")}, "--zones a,a: a zone is named twice", id="zone twice"),
        pytest.param({"zones": ("a",), "nodes_in": ("b",)}, "--nodes-in b: not one of --zones a", id="no such zone"),
        pytest.param({"nodes_in": ("b",)}, r"--nodes-in b: not one of --zones \(none given\)", id="no zones"),
        pytest.param({"zones": tuple("abcdefghijklmnopq")}, "at most 16", id="too many zones"),
        pytest.param({"gateway_port": 9, "dns_port": 9}, "--dns-port 9: the port of --gateway-port", id="twice"),
    ],
)
def test_what_cannot_be(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Settings(**changes)


@pytest.mark.parametrize(
    ("zones", "nodes_in", "wanted"),
    [
        ((), (), ["", "", ""]),
        (("a", "b"), (), ["a", "a", "a"]),
        (("a", "b", "c"), ("a", "b"), ["a", "b", "a"]),
        (("a", "b"), ("b", "b", "a"), ["b", "b", "a"]),
    ],
)
def test_nodes_are_in_zones_in_turn(zones: tuple[str, ...], nodes_in: tuple[str, ...], wanted: list[str]) -> None:
    settings = Settings(zones=zones, nodes_in=nodes_in)
    assert [settings.zone_of(index) for index in range(3)] == wanted
