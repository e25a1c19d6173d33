"""A node's own server: who may ask, what hostile upgrades get, and that it lives on."""

import asyncio
import contextlib
import json
import os
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio

from mesh.api.core import Pod
from mesh.node import sources
from mesh.node.images import ImageTable
from mesh.node.kubelet import server as servers
from mesh.node.kubelet.journal import Journal
from mesh.node.kubelet.server import KubeletServer
from mesh.node.kubelet.spdy import Data, Frame, GoAway, Opened, Reader, Reset, Writer
from mesh.node.volumes import Volumes
from mesh.runtime.clock import SystemClock

UPGRADE = "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n"
FORWARD = UPGRADE.replace("v4.channel.k8s.io", "portforward.k8s.io")
WEBSOCKET = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n"
)
EXEC = "/exec/default/web/main?command=cat&stdin=true&stdout=true"


@pytest_asyncio.fixture
async def kubelet(tmp_path: Path) -> AsyncIterator[KubeletServer]:
    """A node with one pod, `web`, whose container `main` runs and whose container `slow` waits."""
    spec = {"containers": [{"name": "main", "image": "httpd"}, {"name": "slow", "image": "httpd"}]}
    pod = Pod.model_validate({"metadata": {"name": "web", "namespace": "default", "uid": "u"}, "spec": spec})
    clock = SystemClock()
    place = SimpleNamespace(
        address="127.0.0.1", pod_ip="127.0.0.1", host_ip="127.0.0.1", proxy="http://127.0.0.1:15001",
        volumes=Volumes(tmp_path, tmp_path), dns="127.0.0.1:1053", nameserver="127.96.0.10",
    )  # fmt: skip
    states: list[dict[str, Any]] = [{"running": {}}, {"waiting": {"reason": "ContainerCreating"}}]
    containers = [
        SimpleNamespace(
            container=container, pod=pod, place=place, image=ImageTable().find("httpd"), sources=sources.NO_SOURCES, links={},
            journal=Journal(tmp_path / f"{container.name}.log", clock), facts=SimpleNamespace(state=state),
        )
        for container, state in zip(pod.spec.containers, states, strict=True)
    ]  # fmt: skip
    containers[0].journal.begin_memory().say("listening")
    worker: Any = SimpleNamespace(pod=pod, all=containers, pod_ip="127.0.0.1", app_ip="127.0.0.1")
    made = KubeletServer("127.0.0.1", lambda: [worker], clock, port=0)
    await made.start()
    yield made
    await made.close()


class Raw:
    """One connection, spoken to in bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.frames, self.out = Reader(), Writer()

    @classmethod
    async def ask(cls, kubelet: KubeletServer, path: str, headers: str = "", method: str = "GET") -> "Raw":
        made = cls(*await asyncio.open_connection("127.0.0.1", kubelet.port))
        made.send(f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{kubelet.port}\r\n{headers}\r\n".encode())
        return made

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> str:
        return (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)).decode()

    async def until_closed(self) -> list[Frame]:
        data = await asyncio.wait_for(self.reader.read(-1), 10)
        self.writer.close()
        return self.frames.feed(data)

    def open(self, *names: str) -> None:
        for position, name in enumerate(names):
            self.send(self.out.open(2 * position + 1, {"streamtype": name}))


async def get(kubelet: KubeletServer, path: str, **headers: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{kubelet.port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        return answer.status, await answer.text()


def pipes() -> set[str]:
    """The pipes that this process has open."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(os.readlink(entry))
    return {link for link in found if link.startswith("pipe:")}


async def lives(kubelet: KubeletServer) -> bool:
    return (await get(kubelet, "/containerLogs/default/web/main"))[1].startswith("listening")


@pytest.mark.parametrize(
    ("path", "code", "says"),
    [
        ("/containerLogs/default/web/main?tailLines=x", 400, "tailLines"),
        ("/containerLogs/default/web/nope", 400, "container nope is not valid for pod web"),
        ("/containerLogs/default/web/main?previous=true", 400, "previous terminated container"),
        ("/containerLogs/default/web/slow", 400, "is waiting to start: ContainerCreating"),
        ("/containerLogs/default/other/main", 404, "does not run on this node"),
        ("/exec/default/web/slow?command=ls&stdout=true", 400, "is not running"),
        ("/exec/default/web/main?stdout=true", 400, "must specify a command"),
        ("/exec/default/web/main?command=ls", 400, "at least 1 of stdin, stdout, stderr"),
        ("/exec/default/web/main?command=ls&stdout=true", 400, "SPDY/3.1 and websocket"),
        ("/exec/default/web/main?stdout=true&" + "command=a&" * 1100, 400, "too long"),
        ("/exec/default/web/main?stdout=true&command=a%00b", 400, "NUL"),
        ("/portForward/default/web", 400, "SPDY/3.1 and websocket"),
    ],
)
async def test_refusals_are_statuses(kubelet: KubeletServer, path: str, code: int, says: str) -> None:
    status, text = await get(kubelet, path)
    assert (status, json.loads(text)["kind"]) == (code, "Status")
    assert says in json.loads(text)["message"]


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://127.0.0.1:8001"}, {"Host": "evil.example:80"}], ids=["page", "rebinding"]
)
async def test_web_pages_may_not_ask(kubelet: KubeletServer, headers: dict[str, str]) -> None:
    assert (await get(kubelet, "/containerLogs/default/web/main", **headers))[0] == 403


async def test_sessions_are_not_without_number(kubelet: KubeletServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "MAX_SESSIONS", 1)
    first = await Raw.ask(kubelet, EXEC, UPGRADE, "POST")
    assert "101" in await first.head()
    assert (await get(kubelet, "/containerLogs/default/web/main"))[0] == 429
    first.writer.transport.abort()
    for _ in range(100):
        if await lives(kubelet):
            return
        await asyncio.sleep(0.02)
    pytest.fail("the session of a client that left still counts")


async def test_spdy_exec_carries_input_and_says_how_it_ended(kubelet: KubeletServer) -> None:
    raw = await Raw.ask(kubelet, EXEC + "&stderr=true", UPGRADE, "POST")
    head = await raw.head()
    assert "X-Stream-Protocol-Version: v4.channel.k8s.io" in head
    raw.open("error", "stdin", "stdout", "stderr")
    raw.send(Writer.data(3, b"typed", fin=True))
    frames = [frame for frame in await raw.until_closed() if isinstance(frame, Data)]
    assert b"".join(frame.data for frame in frames if frame.stream == 5) == b"typed"
    assert [json.loads(frame.data)["status"] for frame in frames if frame.stream == 1] == ["Success"]
    assert {frame.stream for frame in frames if frame.fin} == {1, 5, 7}


async def test_a_command_ends_with_its_stream(kubelet: KubeletServer, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    script = f"echo $$ > {note}; sleep 60 & wait"
    path = f"/exec/default/web/main?command=sh&command=-c&command={script.replace(' ', '%20').replace('&', '%26')}"
    raw = await Raw.ask(kubelet, path.replace(";", "%3B") + "&stdout=true", UPGRADE, "POST")
    await raw.head()
    raw.open("error", "stdout")
    for _ in range(200):
        if note.exists() and note.read_text().strip():
            break
        await asyncio.sleep(0.02)
    pid = int(note.read_text())
    raw.writer.transport.abort()
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"the command {pid} outlived its stream")


async def test_pipes_are_closed_though_somebody_else_holds_them(kubelet: KubeletServer, tmp_path: Path) -> None:
    """A grandchild with a session of its own outlives the command for a moment, and has its output open."""
    before = pipes()
    note = tmp_path / "pid"
    script = f"setsid sleep 2 & echo $$ > {note}; wait"
    path = f"/exec/default/web/main?command=sh&command=-c&command={quote(script)}&stdout=true"
    raw = await Raw.ask(kubelet, path, UPGRADE, "POST")
    await raw.head()
    raw.open("error", "stdout")
    async with asyncio.timeout(10):
        while not (note.exists() and note.read_text().strip()):
            await asyncio.sleep(0.02)
    raw.writer.transport.abort()
    await kubelet.close()
    assert pipes() <= before


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"\xff" * 4096, id="noise"),
        pytest.param(struct.pack(">II", 1, 0xFFFFFF), id="huge-frame"),
        pytest.param(struct.pack(">HHI", 0x8003, 1, 0xFFFFFF), id="huge-control-frame"),
        pytest.param(Writer.data(99, b"x"), id="unknown-stream"),
        pytest.param(Writer().open(2, {"streamtype": "stdin"}), id="even-stream"),
    ],
)
@pytest.mark.parametrize(("path", "headers"), [(EXEC, UPGRADE), ("/portForward/default/web", FORWARD)])
async def test_hostile_spdy_is_closed_and_the_server_lives(
    kubelet: KubeletServer, path: str, headers: str, sent: bytes
) -> None:
    raw = await Raw.ask(kubelet, path, headers, "POST")
    assert "101" in await raw.head()
    raw.send(sent)
    assert GoAway() in await raw.until_closed()
    assert await lives(kubelet)


async def test_streams_that_nobody_asked_for_are_refused(kubelet: KubeletServer) -> None:
    raw = await Raw.ask(kubelet, EXEC, UPGRADE, "POST")
    await raw.head()
    raw.open("error", "error", "gopher", "stdin", "stdout")
    raw.send(Writer.data(7, b"", fin=True))
    frames = await raw.until_closed()
    assert [frame for frame in frames if isinstance(frame, Reset)] == [Reset(3), Reset(5)]
    assert any(isinstance(frame, Data) and b"Success" in frame.data for frame in frames)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"\xff" * 64, id="noise"),
        pytest.param(b"\x82\xff" + struct.pack(">Q", 1 << 40) + b"\0\0\0\0", id="huge-message"),
        pytest.param(b"\x82\x01\x09", id="not-masked"),
        pytest.param(b"\x83\x80\0\0\0\0", id="unknown-kind"),
    ],
)
async def test_hostile_websockets_are_closed_and_the_server_lives(kubelet: KubeletServer, sent: bytes) -> None:
    raw = await Raw.ask(kubelet, EXEC, WEBSOCKET)
    assert "101" in await raw.head()
    raw.send(sent)
    raw.writer.write_eof()
    await asyncio.wait_for(raw.reader.read(-1), 10)
    raw.writer.close()
    assert await lives(kubelet)


async def test_a_websocket_runs_a_command(kubelet: KubeletServer) -> None:
    async with aiohttp.ClientSession() as session:
        path = f"http://127.0.0.1:{kubelet.port}{EXEC}"
        async with session.ws_connect(path, protocols=("v5.channel.k8s.io", "v4.channel.k8s.io")) as socket:
            assert socket.protocol == "v5.channel.k8s.io"
            await socket.send_bytes(b"\x09what is this")
            await socket.send_bytes(b"\x04not a size")
            await socket.send_bytes(b"\0typed")
            await socket.send_bytes(b"\xff\0")
            said = [message.data async for message in socket]
    assert said[0] == b"\1typed"
    assert json.loads(said[-1][1:])["status"] == "Success"


async def test_another_protocol_is_refused_before_the_upgrade(kubelet: KubeletServer) -> None:
    raw = await Raw.ask(kubelet, EXEC, WEBSOCKET.replace("v4.channel.k8s.io", "chat"))
    assert "400" in (await raw.head()).splitlines()[0]
    raw.writer.close()
    raw = await Raw.ask(kubelet, EXEC, UPGRADE.replace("v4.", "v9."), "POST")
    assert "400" in (await raw.head()).splitlines()[0]
    raw.writer.close()


async def test_a_port_that_nobody_listens_on_is_told_on_the_error_stream(kubelet: KubeletServer) -> None:
    raw = await Raw.ask(kubelet, "/portForward/default/web", FORWARD, "POST")
    await raw.head()
    for number, kind in ((1, "error"), (3, "data")):
        raw.send(raw.out.open(number, {"streamtype": kind, "port": "9", "requestid": "0"}))
    raw.send(raw.out.open(5, {"streamtype": "data", "port": "99999", "requestid": "1"}))
    said: list[Frame] = []
    while not any(isinstance(frame, Data) and frame.stream == 1 for frame in said):
        said += raw.frames.feed(await asyncio.wait_for(raw.reader.read(4096), 5))
    assert b"cannot connect to port 9" in next(frame.data for frame in said if isinstance(frame, Data) and frame.data)
    assert Reset(5) in said
    assert not any(isinstance(frame, Opened) for frame in said)
    raw.writer.transport.abort()
    assert await lives(kubelet)
