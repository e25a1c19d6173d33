"""What do clients see who send these requests now?

A bounded number of clients, each with one connection at a time, either as fast as answers come (a closed loop) or at a
steady rate. At a steady rate a request's time counts from the moment it was due, so that a stall is seen by all the
requests it held up. Nothing is ever sent again: what a client of the mesh would see as a failure is one here.
Only loopback addresses are reached; this is no tool against other people's machines.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mesh.runtime.net import is_loopback
from mesh.testing.answers import Answers
from mesh.testing.wire import Connection, Failed

MAX_CONCURRENCY = 1000
MAX_REQUESTS = 5_000_000


class LoadError(ValueError):
    """A load that will not be sent; `str()` is one line for a user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What to send, and how.

    requests: how many; None sends until `stop` is set or `duration_s` has passed.  rate: requests per second; None
    sends as fast as answers come.  concurrency: clients at most.  keep_alive: False opens a connection per request.
    every_other_fresh: every second client does so even if keep_alive is True.
    authority: the Host header; None takes the address.  via_proxy: write the target as `http://AUTHORITY/PATH`, as
    a client does that was told `http_proxy`.  source: the client's own address; None leaves it to the system.
    timeout_s: for one request, connection included.
    """

    address: str
    port: int
    method: str = "GET"
    path: str = "/"
    authority: str | None = None
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    requests: int | None = None
    duration_s: float | None = None
    rate: float | None = None
    concurrency: int = 16
    keep_alive: bool = True
    every_other_fresh: bool = False
    via_proxy: bool = False
    source: str | None = None
    timeout_s: float = 5.0

    def __post_init__(self) -> None:
        for name, address in (("address", self.address), ("source", self.source)):
            if address is not None and not is_loopback(address):
                raise LoadError(f"{name} {address}: load is sent within this machine only (127.0.0.0/8)")
        if not 1 <= self.concurrency <= MAX_CONCURRENCY:
            raise LoadError(f"concurrency {self.concurrency}: must be 1 to {MAX_CONCURRENCY}")
        if self.requests is not None and not 0 <= self.requests <= MAX_REQUESTS:
            raise LoadError(f"requests {self.requests}: must be 0 to {MAX_REQUESTS}")
        if self.rate is not None and not self.rate > 0:
            raise LoadError(f"rate {self.rate}: must be more than 0 requests per second")
        for text in (self.method, self.path, self.authority or "", *(part for pair in self.headers for part in pair)):
            if "\r" in text or "\n" in text:
                raise LoadError(f"{text!r}: a request line or header cannot hold a line break")

    def head(self) -> bytes:
        """The bytes of each request."""
        authority = self.authority or (self.address if self.port == 80 else f"{self.address}:{self.port}")
        target = f"http://{authority}{self.path}" if self.via_proxy else self.path
        lines = [f"{self.method} {target} HTTP/1.1", f"host: {authority}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.body or self.method in ("POST", "PUT", "PATCH"):
            lines.append(f"content-length: {len(self.body)}")
        if not self.keep_alive:
            lines.append("connection: close")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


@dataclass(slots=True)
class _Turns:
    """Hands out turns to the clients: how many are left, and when each is due."""

    load: Load
    begin: float
    stop: asyncio.Event
    taken: int = 0
    end: float = field(init=False)

    def __post_init__(self) -> None:
        self.end = self.begin + self.load.duration_s if self.load.duration_s is not None else float("inf")

    async def next(self) -> float | None:
        """The moment (monotonic) from which the next request counts; None when there are no more."""
        if self._over():
            return None
        index, self.taken = self.taken, self.taken + 1
        if self.load.rate is None:
            return time.monotonic()
        due = self.begin + index / self.load.rate
        if due >= self.end:
            return None
        delay = due - time.monotonic()
        if delay > 0:
            await asyncio.sleep(delay)
            if self.stop.is_set():
                return None
        return due

    def _over(self) -> bool:
        if self.stop.is_set() or (self.load.requests is not None and self.taken >= self.load.requests):
            return True
        return time.monotonic() >= self.end


async def run(load: Load, stop: asyncio.Event | None = None, answers: Answers | None = None) -> Answers:
    """Send `load` and return what came back.

    stop: ends the sending early; requests under way are still awaited.  answers: where to write, for somebody who
    watches meanwhile.
    """
    if load.requests is None and load.duration_s is None and stop is None:
        raise LoadError("give requests, duration_s or a stop event: this load would never end")
    begin = time.monotonic()
    answers = answers if answers is not None else Answers()
    answers.begin = begin
    turns = _Turns(load, begin, stop or asyncio.Event())
    clients = load.concurrency if load.requests is None else min(load.concurrency, max(1, load.requests))
    other = replace(load, keep_alive=False) if load.every_other_fresh else load
    async with asyncio.TaskGroup() as group:
        for index in range(clients):
            group.create_task(_client(other if index % 2 else load, turns, answers), name=f"load/{index}")
    answers.elapsed_s = time.monotonic() - begin
    return answers


async def _client(load: Load, turns: _Turns, answers: Answers) -> None:
    """One client: a request at a time over one connection, until there are no more turns."""
    head = load.head()
    connection: Connection | None = None
    try:
        while (since := await turns.next()) is not None:
            sent = time.monotonic()
            try:
                if connection is None:
                    connection = await Connection.open(load.address, load.port, load.source, load.timeout_s)
                left = load.timeout_s - (time.monotonic() - sent)
                answer = await connection.ask(head, load.method, left)
            except Failed as failure:
                answers.failed(since, time.monotonic(), failure.cause, failure.detail)
                if connection is not None:
                    connection.close()
                    connection = None
                continue
            answers.answered(since, time.monotonic(), answer.status, answer.body)
            if not answer.keep_alive or not load.keep_alive:
                connection.close()
                connection = None
    finally:
        if connection is not None:
            connection.close()
