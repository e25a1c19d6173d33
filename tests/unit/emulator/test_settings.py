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
    [({"nodes": 0}, "--nodes 0: 1 to 60"), ({"nodes": 61}, "1 to 60"), ({"node_grace_s": 0.1}, "--node-grace")],
)
def test_what_cannot_be(changes: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Settings(**changes)
