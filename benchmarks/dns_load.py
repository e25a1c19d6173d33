"""How is a DNS server asked so many times a second, and how long does each answer take?

Open loop: questions leave when they are due, whatever has come back, so a server that falls behind shows in the
figures. One thread, one socket, loopback only; about a tenth of a processor at 5,000 questions a second.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

ROOM_BYTES = 4 << 20
LAST_ANSWERS_S = 0.5
WINDOW = 64
MOST_IDS = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of one run. took_ms: of every answer, ascending."""

    asked: int
    took_ms: list[float]
    wrong: int
    took_s: float

    @property
    def lost(self) -> int:
        return self.asked - len(self.took_ms)

    def percentile(self, share: float) -> float:
        """The time in ms that this share of all questions took at most; a lost one took for ever."""
        at = int(share * self.asked)
        return self.took_ms[at] if at < len(self.took_ms) else float("inf")


def _socket(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM_BYTES)
    return sock


def ask(address: tuple[str, int], questions: Iterator[bytes], a_second: float, seconds: float) -> Run:
    """Ask at this rate. questions: packets without an id."""
    total = int(a_second * seconds)
    sent: dict[int, float] = {}
    took_ms: list[float] = []
    wrong = asked = 0
    with _socket(address[1]) as sock:
        sock.connect(address)
        sock.setblocking(False)
        began = time.perf_counter()
        last = began + seconds + LAST_ANSWERS_S
        while (now := time.perf_counter()) < last and (asked < total or sent):
            due = min(total, int((now - began) * a_second) + 1)
            while asked < due:
                ident = asked % MOST_IDS
                sent[ident] = time.perf_counter()
                try:
                    sock.send(ident.to_bytes(2) + next(questions))
                except OSError:
                    del sent[ident]  # counts as lost
                asked += 1
            wait = began + asked / a_second - time.perf_counter() if asked < total else 0.01
            if select.select([sock], [], [], max(0.0, wait))[0]:
                wrong += _take(sock, sent, took_ms)
        took_s = time.perf_counter() - began
    return Run(asked=asked, took_ms=sorted(took_ms), wrong=wrong, took_s=took_s)


def _take(sock: socket.socket, sent: dict[int, float], took_ms: list[float]) -> int:
    """Take what has arrived; how many of it are no good answers."""
    wrong = 0
    try:
        while True:
            answer = sock.recv(4096)
            begun = sent.pop(int.from_bytes(answer[:2]), None)
            if begun is not None:
                took_ms.append((time.perf_counter() - begun) * 1000)
            # NOERROR and NXDOMAIN are answers; anything else, and an answer that was cut, is none.
            wrong += begun is None or answer[3] & 0xF not in (0, 3) or bool(answer[2] & 2)
    except BlockingIOError:
        return wrong


def flood(address: tuple[str, int], questions: Iterator[bytes], seconds: float) -> Run:
    """Ask as fast as answers come: so many questions under way that the server never waits."""
    sent: dict[int, float] = {}
    took_ms: list[float] = []
    asked = wrong = 0
    with _socket(address[1]) as sock:
        sock.connect(address)
        sock.setblocking(False)
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            while len(sent) < WINDOW:
                ident = asked % MOST_IDS
                sent[ident] = time.perf_counter()
                sock.send(ident.to_bytes(2) + next(questions))
                asked += 1
            if not select.select([sock], [], [], LAST_ANSWERS_S)[0]:
                sent.clear()
                continue
            wrong += _take(sock, sent, took_ms)
        took_s = time.perf_counter() - began
    return Run(asked=asked - len(sent), took_ms=sorted(took_ms), wrong=wrong, took_s=took_s)


def again(packets: Sequence[bytes]) -> Iterator[bytes]:
    while True:
        yield from packets
