"""Real kubectls and the Python client read logs, run commands, copy files and forward ports of a mesh's pods."""

import asyncio
import os
import pty
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from mesh.emulator.settings import Settings
from mesh.emulator.world import Emulator
from tests import tools
from tests.live.programs import newest_only

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]
LABELS = {"app": "web"}
PROGRAM = "import sys, time; print('start'); print('problem', file=sys.stderr); time.sleep(2); sys.exit(3)"
TALKER = "import time\nfor i in range(600): print('line', i, flush=True); time.sleep(0.3)"
CLIENT = r"""
import sys
from kubernetes import client
from kubernetes.stream import portforward, stream

core = client.CoreV1Api(client.ApiClient(client.Configuration(host=sys.argv[1])))
print(core.read_namespaced_pod_log("two", "default", container="a")[:12])
call = core.connect_get_namespaced_pod_exec
where = dict(name="two", namespace="default", container="a", stderr=True, stdout=True, tty=False)
print(stream(call, **where, stdin=False, command=["echo", "hi"]), end="")
talk = stream(call, **where, stdin=True, command=["cat"], _preload_content=False)
talk.write_stdin("typed\n")
print(talk.readline_stdout(timeout=10))
talk.close()
ended = stream(call, **where, stdin=False, command=["sh", "-c", "exit 7"], _preload_content=False)
ended.run_forever(timeout=10)
print(ended.returncode)
forward = portforward(core.connect_get_namespaced_pod_portforward, "two", "default", ports="80")
sock = forward.socket(80)
sock.settimeout(10)
sock.sendall(b"GET / HTTP/1.1\r\nHost: two\r\nConnection: close\r\n\r\n")
answer = b""
while data := sock.recv(4096):
    answer += data
print(answer.splitlines()[0].decode())
print(forward.error(80))
"""
Kubectl = Callable[..., "subprocess.CompletedProcess[bytes]"]


def pod(name: str, image: str, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **metadata},
        "spec": {"containers": [{"name": "main", "image": image, "ports": [{"containerPort": 80}]}]},
    }  # fmt: skip


DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": LABELS},
        "template": {
            "metadata": {"labels": LABELS},
            "spec": {"containers": [{"name": "httpd", "image": "httpd:2.4", "ports": [{"containerPort": 80}]}]},
        },
    },
}
TWO = {
    "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "two"},
    "spec": {"containers": [{"name": "a", "image": "httpd", "ports": [{"containerPort": 80}]},
                            {"name": "b", "image": "nginx", "ports": [{"containerPort": 81}]}]},
}  # fmt: skip


@pytest.fixture(scope="module", params=newest_only())
def program(request: pytest.FixtureRequest) -> str:
    return str(request.param) if request.param else tools.missing("no kubectl on this machine")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A mesh in a thread of its own, so that kubectl can be waited for here."""
    ports = random.sample(range(20000, 30000), 3)
    images = {"once": f'{sys.executable} -uc "{PROGRAM}"', "talker": f'{sys.executable} -c "{TALKER}"'}
    settings = Settings.for_test(
        tmp_path_factory.mktemp("mesh"), block=6, gateway_port=ports[0], api_port=ports[1], dns_port=ports[2],
        images=images,
    )  # fmt: skip
    started, stop = threading.Event(), []

    async def serve() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(ended.set))
        async with Emulator(settings) as mesh:
            await mesh.apply([DEPLOYMENT, TWO, pod("once", "once"), pod("talker", "talker")])
            started.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: uvloop.run(serve()), daemon=True)
    thread.start()
    assert started.wait(30)
    yield settings.api_url
    stop[0]()
    thread.join(30)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def kubectl(program: str, url: str, home: Path) -> Kubectl:
    def run(*arguments: str, stdin: bytes | None = None, code: int = 0) -> "subprocess.CompletedProcess[bytes]":
        given: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        done = subprocess.run(
            [program, "-s", url, *arguments], capture_output=True, timeout=40, **given,
            env={"HOME": str(home), "PATH": os.environ["PATH"]},
        )  # fmt: skip
        assert done.returncode == code, f"{arguments}: {done.stdout[:2000]!r} {done.stderr[:2000]!r}"
        return done

    run("wait", "--for=condition=Ready", "pod", "-l", "app=web", "--timeout=30s")
    run("wait", "--for=condition=Ready", "pod/two", "pod/talker", "--timeout=30s")
    return run


@pytest.fixture
def start(program: str, url: str, home: Path) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """A kubectl that goes on; ended after the test."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(*arguments: str, **given: Any) -> "subprocess.Popen[bytes]":
        env = {"HOME": str(home), "PATH": os.environ["PATH"]}
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL, **given}
        running.append(subprocess.Popen([program, "-s", url, *arguments], env=env, **given))
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def web_pod(kubectl: Kubectl) -> str:
    return kubectl("get", "pods", "-l", "app=web", "-o", "name").stdout.decode().split()[0]


def test_logs_of_a_built_in_application(kubectl: Kubectl) -> None:
    said = kubectl("logs", "deploy/web").stdout.decode()
    assert said.startswith("listening on 127.")
    assert kubectl("logs", web_pod(kubectl), "-c", "httpd", "--tail=1", "--timestamps").stdout.startswith(b"20")
    refused = kubectl("logs", web_pod(kubectl), "--previous", code=1).stderr
    assert b'previous terminated container "httpd"' in refused
    assert b"is not valid for pod" in kubectl("logs", "two", "-c", "nope", code=1).stderr
    assert kubectl("logs", "two", "-c", "b").stdout.startswith(b"listening on")


def test_logs_of_a_program_now_before_and_since(kubectl: Kubectl) -> None:
    deadline = time.monotonic() + 30
    path = "jsonpath={.status.containerStatuses[0].restartCount}"
    while kubectl("get", "pod", "once", "-o", path).stdout == b"0":
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert sorted(kubectl("logs", "once", "--previous").stdout.splitlines()) == [b"problem", b"start"]
    lines = kubectl("logs", "talker", "--since=2s").stdout.splitlines()
    assert 0 < len(lines) < 14
    assert len(kubectl("logs", "talker", "--tail=3").stdout.splitlines()) == 3


@pytest.mark.alone
def test_following_sees_new_lines_within_a_second(
    kubectl: Kubectl, start: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    following = start("logs", "-f", "talker", "--tail=1")
    assert following.stdout is not None
    first = int(following.stdout.readline().split()[1])
    began = time.monotonic()
    assert [int(following.stdout.readline().split()[1]) for _ in range(5)] == list(range(first + 1, first + 6))
    assert time.monotonic() - began < 5 * 0.3 + 1
    attached = start("attach", "talker")
    assert attached.stdout is not None
    words = [attached.stdout.readline() for _ in range(5)]  # some say first how to get a prompt
    assert words[-1].startswith(b"line ")


def test_exec_runs_beside_the_pod(kubectl: Kubectl) -> None:
    name = web_pod(kubectl)
    assert kubectl("exec", name, "--", "echo", "a b").stdout == b"a b\n"
    words = kubectl("exec", name, "--", "sh", "-c", "echo $POD_NAME $http_proxy; echo bad >&2; exit 3", code=3)
    assert words.stdout.decode().split()[0] == name.removeprefix("pod/")
    assert words.stdout.decode().split()[1].endswith(":15001")
    assert words.stderr.startswith(b"bad\n")
    assert b"exit code 127" in kubectl("exec", name, "--", "no-such-program", code=127).stderr
    answer = kubectl("exec", name, "--", "sh", "-c", 'curl -s --noproxy "*" http://$HOST:$PORT/').stdout
    assert b"It works" in answer


def test_a_megabyte_goes_through_byte_for_byte(kubectl: Kubectl) -> None:
    sent = random.Random(1).randbytes(1_000_000)
    assert kubectl("exec", "-i", "two", "-c", "a", "--", "cat", stdin=sent).stdout == sent
    # A command that reads nothing of its input still ends.
    assert kubectl("exec", "-i", "two", "-c", "a", "--", "true", stdin=sent).stdout == b""


def test_a_terminal_has_a_size(kubectl: Kubectl, start: Callable[..., "subprocess.Popen[bytes]"]) -> None:
    ours, theirs = pty.openpty()
    import fcntl
    import struct
    import termios

    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 91, 0, 0))
    words = [
        "exec",
        "-it",
        "two",
        "-c",
        "a",
        "--",
        "sh",
        "-c",
        "sleep 0.5; tty && stty size; read x; echo =$x=; exit 4",
    ]
    process = start(*words, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    said = b""
    try:
        while b"33 91" not in said:
            said += os.read(ours, 4096)
        os.write(ours, b"typed\n")
        while b"=typed=" not in said:
            said += os.read(ours, 4096)
    finally:
        code = process.wait(10)
        os.close(ours)
    assert (b"/dev/pts/" in said, code) == (True, 4)


def test_cp_there_and_back(kubectl: Kubectl, tmp_path: Path) -> None:
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(random.Random(2).randbytes(300_000))
    there = tmp_path / "there"
    there.mkdir()
    kubectl("cp", str(source), f"two:{there}/copy", "-c", "a")
    assert (there / "copy").read_bytes() == source.read_bytes()
    kubectl("cp", f"two:{there}/copy", str(back), "-c", "a")
    assert back.read_bytes() == source.read_bytes()


def test_port_forward_carries_requests(kubectl: Kubectl, start: Callable[..., "subprocess.Popen[bytes]"]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    forwarding = start("port-forward", "deploy/web", f"{port}:80", "--address=127.0.0.1")
    assert forwarding.stdout is not None
    assert b"Forwarding from" in forwarding.stdout.readline()
    answers: list[bytes] = []

    def ask() -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
            answers.append(answer.read())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(15)
    assert len(answers) == 8
    assert all(b"It works" in answer for answer in answers)


def test_the_python_client(url: str, kubectl: Kubectl) -> None:
    pytest.importorskip("kubernetes")
    # In a process of its own: the client leaves the sockets of its streams to the garbage collector.
    done = subprocess.run([sys.executable, "-c", CLIENT, url], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["listening on", "hi", "typed", "7", "HTTP/1.1 200 OK", "None"]
