import asyncio
import socket
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from mesh.node.apps.serving import KILLED, STOPPED, Listening, port_of
from mesh.runtime.net import BindError

ADDRESS = "127.101.80.1"
PORTS = (18201, 18202)


async def slow(request: web.BaseRequest) -> web.StreamResponse:
    if request.path == "/slow":
        await asyncio.sleep(0.3)
    return web.Response(text=str(port_of(request)))


async def ask(path: str = "/", port: int = PORTS[0]) -> str:
    """The body; `refused` or `cut` when there is none."""
    try:
        reader, writer = await asyncio.open_connection(ADDRESS, port)
    except ConnectionRefusedError:
        return "refused"
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), 5)
    except ConnectionResetError:
        return "cut"
    finally:
        writer.close()
    return answer.partition(b"\r\n\r\n")[2].decode() or "cut"


@pytest.fixture
async def listening() -> AsyncIterator[Listening]:
    made = await Listening.open(slow, ADDRESS, PORTS)
    yield made
    await made.stop(0.0)


async def test_one_handler_on_every_port(listening: Listening) -> None:
    assert [await ask(port=port) for port in PORTS] == [str(port) for port in PORTS]


async def test_a_whole_application_serves_as_well() -> None:
    app = web.Application()
    app.router.add_get("/x", slow)
    made = await Listening.open(app, ADDRESS, PORTS[:1])
    assert await ask("/x") == str(PORTS[0])
    await made.stop(1.0)
    assert await ask("/x") == "refused"


async def test_stopping_lets_requests_finish_and_takes_no_new_ones(listening: Listening) -> None:
    asking = asyncio.ensure_future(ask("/slow"))
    await asyncio.sleep(0.1)
    before = time.monotonic()
    stopping = asyncio.ensure_future(listening.stop(5.0))
    await asyncio.sleep(0.05)
    assert await ask() == "refused"
    assert await asking == str(PORTS[0])
    await asyncio.wait_for(stopping, 1.0)
    assert time.monotonic() - before < 1.0
    assert await listening.wait() == STOPPED


@pytest.mark.parametrize(("grace_s", "code"), [(0.0, KILLED), (0.05, STOPPED)])
async def test_the_end_of_the_grace_period_cuts_requests(listening: Listening, grace_s: float, code: int) -> None:
    asking = asyncio.ensure_future(ask("/slow"))
    await asyncio.sleep(0.1)
    before = time.monotonic()
    await listening.stop(grace_s)
    assert time.monotonic() - before < 0.25
    assert await asking == "cut"
    assert await listening.wait() == code


async def test_an_idle_connection_does_not_hold_up_the_end(listening: Listening) -> None:
    reader, writer = await asyncio.open_connection(ADDRESS, PORTS[0])
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    before = time.monotonic()
    await listening.stop(5.0)
    assert time.monotonic() - before < 0.5
    writer.close()


async def test_a_crash_is_seen_by_whoever_waits(listening: Listening) -> None:
    waiting = asyncio.ensure_future(listening.wait())
    await asyncio.sleep(0)
    listening.crash(1)
    assert await asyncio.wait_for(waiting, 1) == 1


async def test_a_port_in_use_leaves_nothing_bound() -> None:
    with socket.create_server((ADDRESS, PORTS[1])):
        with pytest.raises(BindError, match=f"{ADDRESS}:{PORTS[1]}: the port is in use"):
            await Listening.open(slow, ADDRESS, PORTS)
        assert await ask() == "refused"
