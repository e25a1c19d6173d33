"""What may be chosen about a mesh."""

import pytest

from mesh.emulator.settings import Settings


def test_settings_travel_as_json() -> None:
    chosen = Settings(name="a", nodes=3, block=1, images={"x": "y"}, state_dir="/s")
    assert Settings.from_json(chosen.to_json()) == chosen
    assert chosen.gateway_url == "http://127.0.1.1:8080"
    assert chosen.node_name(0) == "node-1"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"nodes": 0}, "--nodes 0: 1 to 60", id="no node"),
        pytest.param({"nodes": 61}, "1 to 60", id="too many nodes"),
        pytest.param({"node_grace_s": 0.1}, "--node-grace", id="grace"),
        pytest.param({"gateway_port": 0}, "--gateway-port 0: 1 to 65535", id="no port"),
        pytest.param({"dns_port": 65536}, "--dns-port 65536: 1 to 65535", id="beyond the ports"),
        pytest.param({"gateway_port": 15000}, "--gateway-port 15000: the port of the gateway's admin", id="admin"),
        pytest.param({"api_port": 15090}, "--api-port 15090: the port of the gateway's metrics", id="metrics"),
        pytest.param({"gateway_port": 9, "dns_port": 9}, "--dns-port 9: the port of --gateway-port", id="twice"),
    ],
)
def test_what_cannot_be(changes: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Settings(**changes)
