"""Ten bad inputs: one clear line each, the right exit code, and a running mesh that keeps its rules."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from mesh.testing.load import Load, run
from tests.scenarios.support import ROUTES, Finished, Up, cli

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

RULE = """apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata:
  name: my-app-default
spec:
"""
TO_V2 = "  route: [{labels: {version: v2.0.0}}]\n"
APPLIED = [
    pytest.param("a: [b\n", ["bad.yaml", "line"], id="malformed YAML"),
    pytest.param("apiVersion: v1\nkind: Gizmo\nmetadata: {name: g}", ["bad.yaml", "Gizmo", "kind"], id="unknown kind"),
    pytest.param(
        RULE + TO_V2, ["bad.yaml", "RouteRule my-app-default", "spec.destination", "Required"], id="missing field"
    ),
    pytest.param(
        RULE + "  destination: {name: my-app}\n  route:\n    - {labels: {version: v1.0.0}, weight: 90}\n"
        "    - {labels: {version: v2.0.0}, weight: 9}\n",
        ["bad.yaml", "RouteRule my-app-default", "spec.route", "100"],
        id="weights sum to 99",
    ),
    pytest.param(
        RULE + "  destination: {name: my-app}\n  match: {request: {headers: {X-Api-Version: {exact: v2}}}}\n" + TO_V2,
        ["bad.yaml", "RouteRule my-app-default", "spec.match.request.headers[X-Api-Version]", "x-api-version"],
        id="upper-case header key",
    ),
    pytest.param(
        RULE + "  destination: {name: my-app}\n  match: {request: {headers: {cookie: {regex: '(jason'}}}}\n" + TO_V2,
        ["bad.yaml", "RouteRule my-app-default", "spec.match.request.headers[cookie].regex", "(jason"],
        id="bad regex",
    ),
]


def one_clear_line(done: Finished, says: list[str], codes: tuple[int, ...] = (1, 2)) -> None:
    assert done.code in codes, done
    assert "Traceback" not in done.out + done.err
    lines = [line for line in done.err.splitlines() if line.startswith("mesh: ")]
    assert len(lines) == 1, done.err
    assert all(word in lines[0] for word in says), lines[0]


async def test_a_running_mesh_keeps_its_rules(up: Up, tmp_path: Path) -> None:
    """All that a file may get wrong, one after the other, against one mesh."""
    mesh = up("-f", str(ROUTES / "ab-test"))
    for case in APPLIED:
        text, says = case.values
        bad = tmp_path / "bad.yaml"
        bad.write_text(str(text))
        one_clear_line(mesh.cli("apply", "-f", str(bad)), list(says))  # type: ignore[call-overload]
        answers = await run(Load(address=mesh.people, port=mesh.gateway_port, requests=50))
        assert (answers.versions, answers.errors) == ({"v1.0.0": 50}, 0), case.id


@pytest.mark.parametrize(("text", "says"), APPLIED)
def test_bad_files_stop_a_start(tmp_path: Path, text: str, says: list[str]) -> None:
    """`mesh up` says the same of the same file, and leaves nothing running."""
    bad = tmp_path / "bad.yaml"
    bad.write_text(text)
    done = cli(tmp_path, "up", "--detach", "-f", str(ROUTES / "ab-test" / "apps.yaml"), "-f", str(bad))
    one_clear_line(done, says)
    assert not list(tmp_path.glob("*/running.json"))


@contextmanager
def taken_port() -> Iterator[int]:
    """A port that another program holds on every address where a gateway may be."""
    with ExitStack() as held:
        first = held.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = first.getsockname()[1]
        for block in range(1, 8):
            held.enter_context(socket.create_server((f"127.0.{block}.1", port)))
        yield port


def test_port_in_use(tmp_path: Path) -> None:
    with taken_port() as port:
        done = cli(tmp_path, "up", "--detach", "--gateway-port", str(port))
    one_clear_line(done, [f":{port}", "in use"], (1,))
    assert not list(tmp_path.glob("*/running.json"))


def test_unreadable_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    if os.geteuid() == 0:  # nothing is forbidden to root; this file cannot be read by anybody
        secret.symlink_to("/proc/self/mem")
    else:
        secret.touch(mode=0)
    one_clear_line(cli(tmp_path, "up", "--detach", "-f", str(secret)), ["secret.yaml", "cannot be read"], (2,))


def test_unknown_image_command(tmp_path: Path) -> None:
    done = cli(tmp_path, "up", "--detach", "--image", "web=/no/such/program --port 80")
    one_clear_line(done, ["--image web", "/no/such/program"], (2,))


def test_empty_directory(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    one_clear_line(cli(tmp_path, "up", "--detach", "-f", str(empty)), ["empty", "no manifests"], (2,))
