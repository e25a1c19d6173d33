"""One connection, one request at a time: answers are whole or they are failures with a cause."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from mesh.testing.wire import KEPT_BODY_BYTES, Answer, Connection, Failed

GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def connected(talk: Talk) -> AsyncIterator[Connection]:
    """A connection to a server that says what `talk` says."""
    talks: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.current_task())
        try:
            await talk(reader, writer)
        finally:
            writer.close()
            await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        connection = await Connection.open(*server.sockets[0].getsockname()[:2], None, 2)
        try:
            yield connection
        finally:
            connection.close()
            await asyncio.gather(*(task for task in talks if task), return_exceptions=True)


def says(*answers: bytes, close: bool = False) -> Talk:
    """A server that gives these answers, one per request."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        if not close:
            await reader.read()

    return talk


@pytest.mark.parametrize(
    ("method", "text", "answer"),
    [
        pytest.param("GET", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", Answer(200, b"hi", True), id="a length"),
        pytest.param(
            "GET",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n",
            Answer(200, b"hi", True),
            id="chunks",
        ),
        pytest.param("GET", b"HTTP/1.1 204 No Content\r\n\r\n", Answer(204, b"", True), id="no body by its status"),
        pytest.param(
            "HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n", Answer(200, b"", True), id="no body by its method"
        ),
        pytest.param(
            "GET",
            b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            Answer(200, b"", False),
            id="the last answer",
        ),
        pytest.param(
            "GET",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
            Answer(200, b"hi", True),
            id="an interim answer first",
        ),
    ],
)
async def test_whole_answers(method: str, text: bytes, answer: Answer) -> None:
    async with connected(says(text)) as connection:
        assert await connection.ask(GET, method, 2) == answer


async def test_the_end_of_the_connection_ends_an_answer_without_length() -> None:
    async with connected(says(b"HTTP/1.1 200 OK\r\n\r\nhi", close=True)) as connection:
        assert await connection.ask(GET, "GET", 2) == Answer(200, b"hi", False)


async def test_one_request_after_the_other() -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n"
    async with connected(says(answer + b"a", answer + b"b")) as connection:
        assert (await connection.ask(GET, "GET", 2)).body == b"a"
        assert (await connection.ask(GET, "GET", 2)).body == b"b"


async def test_only_the_beginning_of_a_body_is_kept() -> None:
    size = 20 * KEPT_BODY_BYTES
    text = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size
    async with connected(says(text)) as connection:
        assert len((await connection.ask(GET, "GET", 2)).body) == KEPT_BODY_BYTES


@pytest.mark.parametrize(
    ("text", "close", "cause"),
    [
        pytest.param(b"", True, "reset", id="closed without a word"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi", True, "reset", id="closed in the middle"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi", False, "timeout", id="stalled in the middle"),
        pytest.param(b"no http at all\r\n\r\n", False, "garbled", id="no HTTP"),
    ],
)
async def test_failures(text: bytes, close: bool, cause: str) -> None:
    async with connected(says(text, close=close)) as connection:
        with pytest.raises(Failed) as caught:
            await connection.ask(GET, "GET", 0.2)
    assert caught.value.cause == cause


async def test_a_connection_that_the_server_closed_meanwhile() -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
    async with connected(says(answer, close=True)) as connection:
        await connection.ask(GET, "GET", 2)
        await asyncio.sleep(0.05)
        with pytest.raises(Failed, match="reset"):
            await connection.ask(GET, "GET", 2)


async def test_nobody_listens(unused_tcp_port: int) -> None:
    with pytest.raises(Failed, match=f"refused: nobody listens on 127.0.0.1:{unused_tcp_port}"):
        await Connection.open("127.0.0.1", unused_tcp_port, None, 1)


async def test_nobody_accepts() -> None:
    """A full backlog: the kernel does not answer, and the wait is bounded."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        try:
            for each in waiting:
                each.setblocking(False)
                each.connect_ex(server.getsockname())
            with pytest.raises(Failed, match="timeout"):
                await Connection.open(*server.getsockname(), None, 0.2)
        finally:
            for each in waiting:
                each.close()
