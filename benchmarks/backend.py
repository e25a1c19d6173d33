"""What answers behind the proxies? nginx where it is installed, else a loop of our own; both say 108 bytes.

`python -m benchmarks.backend V1 V2` (ports) is the loop: it answers every request head without looking into it.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from typing import cast

import uvloop

from benchmarks.peers import body, nginx_frame


def program() -> str:
    return "nginx" if shutil.which("nginx") else "our own loop"


def command(place: Path, v1: int, v2: int) -> list[str]:
    binary = shutil.which("nginx")
    if binary is None:
        return [sys.executable, "-m", "benchmarks.backend", str(v1), str(v2)]
    servers = "".join(
        f'  server {{ listen 127.0.0.1:{port} backlog=1024; return 200 "{body(version).strip()}\\n"; }}\n'
        for version, port in (("v1", v1), ("v2", v2))
    )
    path = place / "nginx.conf"
    path.write_text(nginx_frame(place, servers))
    return [binary, "-p", str(place), "-c", str(path), "-e", str(place / "error.log")]


class Answers(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, version: str) -> None:
        text = body(version)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n\r\n"
        self.answer = (head + text).encode()
        self.rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        *heads, self.rest = (self.rest + data).split(b"\r\n\r\n")
        self.transport.write(self.answer * len(heads))


async def serve(v1: int, v2: int) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Answers("v1"), "127.0.0.1", v1, backlog=1024)
    await loop.create_server(lambda: Answers("v2"), "127.0.0.1", v2, backlog=1024)
    await asyncio.Event().wait()


def main() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), int(sys.argv[2])))


if __name__ == "__main__":
    main()
