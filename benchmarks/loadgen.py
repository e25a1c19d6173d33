"""Where there is no wrk: a small generator of our own.

`python -m benchmarks.loadgen CASE PORT SECONDS CONNECTIONS` prints the same RESULT line as the wrk script does.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from typing import cast

import httptools
import uvloop

from benchmarks.cases import UNIQUE, Case, cases


class Connection(asyncio.Protocol):
    """Sends the next request when the answer to the last one is whole."""

    transport: asyncio.Transport

    def __init__(self, load: Load) -> None:
        self.load = load
        self.parser = httptools.HttpResponseParser(self)
        self.began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.next()

    def next(self) -> None:
        self.began = time.perf_counter()
        self.transport.write(self.load.request())

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.load.errors += 1
            self.transport.abort()

    def on_message_complete(self) -> None:
        if self.parser.get_status_code() >= 400:
            self.load.errors += 1
        self.load.times_s.append(time.perf_counter() - self.began)
        if not self.load.over:
            self.next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.load.over:
            self.load.errors += 1


class Load:
    def __init__(self, case: Case) -> None:
        self.requests = itertools.cycle([request.split(UNIQUE) for request in case.requests])
        self.numbers = itertools.count(1)
        self.times_s: list[float] = []
        self.errors = 0
        self.over = False

    def request(self) -> bytes:
        return str(next(self.numbers)).encode().join(next(self.requests))


async def run(case: Case, port: int, seconds: float, connections: int) -> None:
    load = Load(case)
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    transports = [
        (await loop.create_connection(lambda: Connection(load), "127.0.0.1", port))[0] for _ in range(connections)
    ]
    await asyncio.sleep(seconds)
    load.over = True
    took = time.perf_counter() - began
    for transport in transports:
        transport.abort()
    times = sorted(load.times_s) or [0.0]
    result = {
        "requests": len(load.times_s),
        "seconds": took,
        "errors": load.errors,
        "p50_ms": times[len(times) // 2] * 1e3,
        "p99_ms": times[len(times) * 99 // 100] * 1e3,
    }
    print("RESULT", json.dumps(result))


def main() -> None:
    name, port, seconds, connections = sys.argv[1:5]
    (case,) = [each for each in cases() if each.name == name]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(case, int(port), float(seconds), int(connections)))


if __name__ == "__main__":
    main()
