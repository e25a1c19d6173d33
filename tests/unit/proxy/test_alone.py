import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from mesh.proxy.alone import BadConfig, load, read

_MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def bootstrap(port: int, **direct: Any) -> dict[str, Any]:
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 200, **direct}}
    manager = {
        "@type": _MANAGER,
        "stat_prefix": "x",
        "route_config": {"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": [route]}]},
        "http_filters": [{"name": "router", "typed_config": {"@type": _ROUTER}}],
    }
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    chain = {"filters": [{"name": "hcm", "typed_config": manager}]}
    return {"static_resources": {"listeners": [{"name": "l", "address": address, "filter_chains": [chain]}]}}


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("a: [", "is not valid YAML", id="yaml"),
        pytest.param("{", "is not valid JSON", id="json"),
        pytest.param("[]", "holds no bootstrap", id="no mapping"),
        pytest.param('{"static_resources": {"listenerz": []}}', "listenerz", id="unknown field"),
        pytest.param(
            json.dumps({"static_resources": {"listeners": [{"name": "l", "address": {}}]}}),
            "static_resources.listeners[0]",
            id="no address",
        ),
    ],
)
def test_a_bad_file_is_told_in_one_line_with_file_and_field(tmp_path: Path, text: str, words: str) -> None:
    path = write(tmp_path / "envoy.yaml", text)
    with pytest.raises(BadConfig) as error:
        load(path)
    assert str(error.value).startswith(path + ": ")
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file() -> None:
    with pytest.raises(BadConfig, match=r"cannot read the file: No such file"):
        read("/nowhere/envoy.yaml")


def test_yaml_and_json_say_the_same(tmp_path: Path) -> None:
    import yaml

    document = bootstrap(1234)
    first = load(write(tmp_path / "a.json", json.dumps(document)))[1]
    second = load(write(tmp_path / "a.yaml", yaml.safe_dump(document)))[1]
    assert first.listeners[0].port == second.listeners[0].port == 1234


def start(path: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "mesh.proxy", "-c", path], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.live
def test_it_serves_and_ends_on_sigterm(tmp_path: Path) -> None:
    port = free_port()
    path = write(tmp_path / "envoy.json", json.dumps(bootstrap(port, body={"inline_string": "hello"})))
    process = start(path)
    try:
        assert _get(port) == b"hello"
        second = start(path)
        _, complaint = second.communicate(timeout=20)
        assert second.returncode == 1
        assert complaint == f"mesh: cannot listen on 127.0.0.1:{port}: the port is in use by another program\n"
        process.send_signal(signal.SIGTERM)
        _, complaint = process.communicate(timeout=20)
        assert (process.returncode, complaint) == (0, "")
    finally:
        process.kill()
        process.communicate()


@pytest.mark.live
def test_a_bad_configuration_ends_with_2(tmp_path: Path) -> None:
    process = start(write(tmp_path / "envoy.yaml", "a: ["))
    _, complaint = process.communicate(timeout=20)
    assert process.returncode == 2
    assert complaint.count("\n") == 1


def _get(port: int) -> bytes:
    deadline = time.monotonic() + 15
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as answer:
                body: bytes = answer.read()
                return body
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
