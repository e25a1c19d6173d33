"""A real Prometheus with our configuration: it sees every proxy, and its counts are the requests that were sent."""

import json
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mesh.cli import ending, launch, state
from mesh.cli.prometheus import config
from tests.tools import program

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(120)]
CANARY = Path(__file__).parents[2] / "routes" / "canary"
SENT = 400
FOLLOW_S = 15.0


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def until(what: Callable[[], bool], limit_s: float, said: str) -> float:
    """Seconds until `what` holds."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < limit_s, said
        time.sleep(0.2)
    return time.monotonic() - began


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[state.State]:
    monkeypatch.setenv("MESH_HOME", str(tmp_path / "home"))
    mesh = launch.start(launch.UpOptions(files=(str(CANARY),), name="prom"), lambda text: None)
    try:
        yield mesh
    finally:
        ending.stop(mesh)


@pytest.fixture
def prometheus(running: state.State, tmp_path: Path) -> Iterator[str]:
    """The URL of a Prometheus that runs with `mesh prometheus-config`."""
    path = tmp_path / "prometheus.yml"
    path.write_text(yaml.safe_dump(config(running.api, 1)))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    words = [f"--config.file={path}", f"--storage.tsdb.path={tmp_path / 'data'}", f"--web.listen-address={address}"]
    with open(tmp_path / "prometheus.log", "wb") as log:
        process = subprocess.Popen([program("prometheus", "apt install prometheus"), *words], stdout=log, stderr=log)
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(20)


def query(url: str, text: str) -> list[dict[str, Any]]:
    try:
        return list(get(f"{url}/api/v1/query?{urllib.parse.urlencode({'query': text})}")["data"]["result"])
    except OSError:
        return []  # not up yet


def up_targets(url: str) -> set[str]:
    return {row["metric"]["pod"] for row in query(url, 'up{job="envoy-stats"} == 1')}


def test_prometheus_sees_every_proxy_and_counts_what_was_sent(running: state.State, prometheus: str) -> None:
    until(lambda: len(up_targets(prometheus)) == 11, 20, "ten sidecars and the gateway")
    assert "istio-ingressgateway" in up_targets(prometheus)
    for _ in range(SENT):
        with urllib.request.urlopen(running.gateway, timeout=5) as answer:
            answer.read()

    def counted() -> float:
        rows = query(prometheus, 'sum by (destination_version) (istio_requests_total{reporter="source"})')
        return sum(float(row["value"][1]) for row in rows)

    until(lambda: counted() == SENT, 15, "every request that was sent, and no other")
    # The pods' own metrics come by their annotations, if the manifests carry them.
    patch = json.dumps({"spec": {"replicas": 3}}).encode()
    scale = urllib.request.Request(
        f"{running.api}/apis/apps/v1/namespaces/default/deployments/my-app-v2",
        patch,
        {"content-type": "application/merge-patch+json"},
        method="PATCH",
    )
    urllib.request.urlopen(scale, timeout=5).close()
    took_s = until(lambda: len(up_targets(prometheus)) == 13, FOLLOW_S, "the scale-up is followed")
    assert took_s < FOLLOW_S
