"""How does an HTTP request become a stream with both directions: SPDY/3.1 or WebSocket?"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, Protocol

from aiohttp import WSMsgType, web

from mesh.api.errors import BadRequest
from mesh.node.container import RunningContainer
from mesh.node.kubelet import logs
from mesh.node.kubelet.beside import address_of, surroundings
from mesh.node.kubelet.channels import Channels, NotOpened, SpdyChannels, Wants, WebSocketChannels
from mesh.node.kubelet.command import execute
from mesh.node.kubelet.forward import MAX_PORTS, SpdyForward, WebSocketForward, port_number
from mesh.node.pod import PodWorker
from mesh.runtime import handover
from mesh.runtime.tasks import Tasks

log = logging.getLogger("mesh.node")
CHANNEL_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
FORWARD_PROTOCOL = "portforward.k8s.io"
TUNNEL_PROTOCOL = f"SPDY/3.1+{FORWARD_PROTOCOL}"
LARGEST_MESSAGE = 1 << 20
GOODBYE_S = 2.0
MAX_WORDS, LARGEST_WORD = 1024, 1 << 17
SUCCESS: dict[str, Any] = {"metadata": {}, "status": "Success"}
Work = Callable[[Channels], Coroutine[Any, Any, Mapping[str, Any]]]


class Session(Protocol):
    async def run(self) -> None: ...


def exit_status(code: int) -> dict[str, Any]:
    """What a client is told about how a command ended."""
    if code == 0:
        return SUCCESS
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


class Streams:
    """The three kinds of streams of a node."""

    async def execute(self, request: web.Request, running: RunningContainer) -> web.StreamResponse:
        """Run a command beside the container. Raises BadRequest, BadSetting."""
        words = request.query.getall("command", [])
        if not words or not words[0]:
            raise BadRequest("you must specify a command")
        if len(words) > MAX_WORDS or any(len(word) > LARGEST_WORD or "\0" in word for word in words):
            raise BadRequest(f"the command is too long, or holds a NUL: at most {MAX_WORDS} words are taken")
        command, env, directory, guard = surroundings(running, words)
        wants = Wants.of(request.query)

        async def work(channels: Channels) -> Mapping[str, Any]:
            return exit_status(await execute(command, env, directory, wants, channels, guard))

        return await _converse(request, wants, work)

    async def attach(self, request: web.Request, running: RunningContainer) -> web.StreamResponse:
        """What the container says from now on. It has no input to be typed into. Raises BadRequest."""
        journal = running.journal
        run = journal.run
        if run is None:
            raise BadRequest(f"container {running.container.name} has not started")
        options = logs.LogOptions(follow=True, tail=0)

        async def work(channels: Channels) -> Mapping[str, Any]:
            channels.stdin.discard()
            async for data in logs.stream(journal, run, options):
                await channels.write("stdout", data)
            return SUCCESS

        return await _converse(request, Wants.of(request.query), work)

    async def forward(self, request: web.Request, worker: PodWorker) -> web.StreamResponse:
        """Connections to ports of the pod. Raises BadRequest."""
        where = partial(address_of, worker)
        tasks = Tasks(f"forward-{worker.pod.name}")
        try:
            if _wants_websocket(request):
                ports = [port_number(text) for word in request.query.getall("ports", []) for text in word.split(",")]
                socket = await _websocket(request, (TUNNEL_PROTOCOL, *CHANNEL_PROTOCOLS))
                if socket.ws_protocol == TUNNEL_PROTOCOL:
                    await SpdyForward(*_tunnel(socket), where, tasks).run()
                elif None in ports or not 0 < len(ports) <= MAX_PORTS:
                    await socket.close(code=1008, message=b"ports: 1 to 64 port numbers are needed")
                else:
                    await WebSocketForward(socket, [port for port in ports if port], where, tasks).run()
                return socket
            reader, writer = await _upgrade(request, (FORWARD_PROTOCOL,))
            try:
                await SpdyForward(
                    partial(reader.read, handover.LIMIT_BYTES), partial(_send, writer), where, tasks
                ).run()
            finally:
                await handover.leave(writer)
            return await handover.end_of_request()
        finally:
            await tasks.close()


async def _converse(request: web.Request, wants: Wants, work: Work) -> web.StreamResponse:
    """Carry the channels of one piece of work; whichever ends first, it or the connection, ends the other."""
    if _wants_websocket(request):
        socket = await _websocket(request, CHANNEL_PROTOCOLS)
        await _both(WebSocketChannels(socket, wants), work)
        return socket
    reader, writer = await _upgrade(request, ("v4.channel.k8s.io",))
    try:
        receive = partial(reader.read, handover.LIMIT_BYTES)
        await _both(SpdyChannels(receive, partial(_send, writer), wants), work)
    finally:
        await handover.leave(writer)
    return await handover.end_of_request()


async def _both(channels: Channels, work: Work) -> None:
    async def worked() -> None:
        await channels.opened()
        try:
            status = await work(channels)
        except Exception as error:
            # After the upgrade there is no other way to say it.
            log.exception("stream failed")
            status = {"metadata": {}, "status": "Failure", "message": str(error), "reason": "InternalError"}
        await channels.finish(status)

    carrying, working = asyncio.ensure_future(channels.run()), asyncio.ensure_future(worked())
    try:
        await asyncio.wait({carrying, working}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            # The client has the last words and leaves by itself.
            await asyncio.wait({carrying}, timeout=GOODBYE_S)
    finally:
        await _ended(working, carrying)


async def _ended(*tasks: "asyncio.Task[None]") -> None:
    """Cancel tasks, once, and wait for them even when we are cancelled meanwhile: no command outlives its stream."""
    for task in tasks:
        task.cancel()
    again = False
    while not all(task.done() for task in tasks):
        try:
            await asyncio.wait(tasks)
        except asyncio.CancelledError:
            again = True
    for task in tasks:
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, NotOpened | ConnectionError):
            log.error("stream ended error=%r", error)
    if again:
        raise asyncio.CancelledError


def _wants_websocket(request: web.Request) -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"


async def _websocket(request: web.Request, protocols: tuple[str, ...]) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(protocols=protocols, max_msg_size=LARGEST_MESSAGE, compress=False, timeout=GOODBYE_S)
    if not socket.can_prepare(request).ok:
        raise BadRequest("the WebSocket handshake is not complete")
    if socket.can_prepare(request).protocol is None:
        raise BadRequest(f"unable to upgrade: none of the subprotocols {', '.join(protocols)} is offered")
    await socket.prepare(request)
    return socket


def _tunnel(socket: web.WebSocketResponse) -> tuple[Callable[[], Any], Callable[[bytes], Any]]:
    """SPDY's bytes inside the binary messages of a WebSocket."""

    async def receive() -> bytes:
        while True:
            message = await socket.receive()
            if message.type is not WSMsgType.BINARY:
                return b""
            if message.data:
                return bytes(message.data)

    return receive, socket.send_bytes


async def _upgrade(
    request: web.Request, protocols: tuple[str, ...]
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Answer 101 and speak SPDY from here on. Raises BadRequest."""
    if request.headers.get("Upgrade", "").lower() != "spdy/3.1":
        raise BadRequest("unable to upgrade: missing or unknown upgrade header; SPDY/3.1 and websocket are spoken")
    lines = request.headers.getall("X-Stream-Protocol-Version", [])
    offered = [word.strip() for line in lines for word in line.split(",")]
    chosen = next((name for name in protocols if name in offered), None)
    if chosen is None:
        raise BadRequest(f"unable to upgrade: none of the protocols {', '.join(protocols)} is offered")
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the client has left")
    reader, writer = handover.take_over(transport)
    await _send(
        writer,
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
        b"X-Stream-Protocol-Version: " + chosen.encode() + b"\r\n\r\n",
    )
    return reader, writer


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()
