"""Each word of a RouteRule, seen from outside with curl."""

import json
import time
from pathlib import Path

import pytest

from tests.scenarios.support import ROUTES, Mesh, Up

pytestmark = [pytest.mark.live, pytest.mark.timeout(60)]

VOCABULARY = Path(__file__).parents[1] / "data" / "scenarios" / "vocabulary.yaml"
V1, V2, OTHER = "Version: v1.0.0", "Version: v2.0.0", "Version: other"


@pytest.fixture(scope="module")
def mesh(up_once: Up) -> Mesh:
    shadow = ROUTES / "shadow"
    return up_once("-f", str(shadow / "apps.yaml"), "-f", str(shadow / "service.yaml"), "-f", str(VOCABULARY))


@pytest.mark.parametrize(
    ("words", "path", "says"),
    [
        pytest.param([], "/", [V1], id="a tie goes to the first name"),
        pytest.param(["-i"], "/old?x=1", ["301 Moved", "location: http://elsewhere.test/new/place\n"], id="redirect"),
        pytest.param([], "/old/er", [V1], id="exact is exact"),
        pytest.param(["-X", "POST", "-d", "x"], "/", [V2], id="method, and a weight of zero is never chosen"),
        pytest.param(["-i", "-H", "x-case: nobody"], "/", ["503 ", "no healthy upstream"], id="labels that no pod has"),
        pytest.param(["-H", "x-case: elsewhere"], "/", [OTHER], id="prefix, and another service"),
        pytest.param(["-H", "x-case: el"], "/", [V1], id="not the prefix"),
        pytest.param(["-H", "Host: far.test"], "/", [V2], id="authority, by a rule of another namespace"),
        pytest.param(["-i", "-H", "x-hurry: 1"], "/delay/2", ["504 ", "upstream request timeout"], id="timeout"),
        pytest.param([], "/delay/0.3", [V1], id="no timeout without the header"),
        pytest.param(["-i", "-H", "x-fault: 1"], "/", ["418 ", "fault filter abort"], id="fault"),
        pytest.param(
            ["-i", "-H", "Origin: http://a.example"],
            "/shared",
            [V1, "access-control-allow-origin: http://a.example\n"],
            id="cors",
        ),
        pytest.param(
            ["-i", "-X", "OPTIONS", "-H", "Origin: http://a.example", "-H", "Access-Control-Request-Method: GET"],
            "/shared",
            ["200 ", "access-control-allow-methods: GET\n", "access-control-max-age: 3600\n"],
            id="preflight",
        ),
    ],
)
def test_word(mesh: Mesh, words: list[str], path: str, says: list[str]) -> None:
    begin = time.monotonic()
    done = mesh.curl(*words, mesh.gateway + path)
    assert done.code == 0, done.err
    out = done.out.replace("\r", "") + "\n"
    assert all(text in out for text in says), out
    assert time.monotonic() - begin < 2


def test_rewrite_and_added_headers(mesh: Mesh) -> None:
    seen = json.loads(mesh.curl(f"{mesh.gateway}/echo/prefix?q=1").out)
    headers = dict(seen["headers"])
    assert (seen["path"], seen["version"]) == ("/echo/postfix?q=1", "v2.0.0")
    assert headers["host"] == "rewritten.test"
    assert headers["x-added"] == "yes"
    assert headers["x-envoy-original-path"] == "/echo/prefix?q=1"


def test_retries(mesh: Mesh) -> None:
    """A request that fails for good was tried four times."""
    before = retries(mesh)
    done = mesh.curl("-i", "-H", "x-again: 1", f"{mesh.gateway}/status/503")
    assert "503 " in done.out
    assert retries(mesh) - before == 3


def retries(mesh: Mesh) -> int:
    """How often the gateway has tried again."""
    page = mesh.curl(f"http://{mesh.people}:15000/stats/prometheus").out
    lines = [line for line in page.splitlines() if line.startswith("envoy_cluster_upstream_rq_retry{")]
    return sum(round(float(line.rsplit(" ", 1)[1])) for line in lines)
