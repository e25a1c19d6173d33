"""Who is asked for names that are not the cluster's?

Nobody, unless the user names a server. Then a question goes there as it came, over UDP or TCP as it came, and its
answer goes back under the question's id. Where an external name leads out of the cluster, its target is asked for and
the two answers become one.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdatatype

from mesh.dns.packet import MAX_TCP_BYTES, SERVFAIL, error, limit
from mesh.dns.question import HEADER_BYTES, Question
from mesh.dns.upstream import DNS_PORT
from mesh.dns.zone import Labels

log = logging.getLogger("mesh.dns")

UDP_TRY_S = 1.5
UDP_TRIES = 2
TCP_TRY_S = 5.0
MOST_UNDER_WAY = 256
"""Questions that wait for the other server; further ones are told SERVFAIL at once."""
MAX_UDP_PAYLOAD = 1232
"""What we take over UDP from elsewhere: fits every path. Source: DNS flag day 2020."""


class Unanswered(Exception):
    """The other server did not answer; `str()` says why."""


class Forwarder:
    """Asks one other server."""

    def __init__(self, address: str, port: int = DNS_PORT) -> None:
        self.address, self.port = address, port
        self._under_way = 0

    async def answer(self, wire: bytes, question: Question, ours: bytes, outside: Labels, *, udp: bool) -> bytes:
        """The answer of the other server. ours: what we know; outside: where our chain left the cluster, if it did."""
        if self._under_way >= MOST_UNDER_WAY:
            return self._failure(wire, question, "too many names are being asked for elsewhere")
        self._under_way += 1
        try:
            if outside:
                return await self._continued(wire, question, ours, outside, udp=udp)
            return wire[:2] + (await self._ask(wire, udp=udp))[2:]
        except (Unanswered, dns.exception.DNSException, OSError) as reason:
            log.debug("no answer from server=%s:%d reason=%r", self.address, self.port, reason)
            return self._failure(wire, question, f"{self.address}:{self.port} does not answer")
        finally:
            self._under_way -= 1

    def _failure(self, wire: bytes, question: Question, why: str) -> bytes:
        return error(question, SERVFAIL, recursion=True, remark=why).wire(wire[:2], 0, 0)

    async def _continued(self, wire: bytes, question: Question, ours: bytes, outside: Labels, *, udp: bool) -> bytes:
        name = dns.name.Name([*(label.encode("latin-1") for label in outside), b""])
        kind = dns.rdatatype.RdataType(question.qtype)
        query = dns.message.make_query(name, kind, use_edns=0, payload=MAX_UDP_PAYLOAD)
        found = dns.message.from_wire(await self._ask(query.to_wire(), udp=True))
        if found.flags & dns.flags.TC:
            found = dns.message.from_wire(await self._ask(query.to_wire(), udp=False))
        whole = dns.message.from_wire(ours)
        whole.answer += found.answer
        whole.authority = found.authority
        whole.set_rcode(found.rcode())
        whole.id = int.from_bytes(wire[:2])
        return whole.to_wire(max_size=limit(question) if udp else MAX_TCP_BYTES, prefer_truncation=True)

    async def _ask(self, wire: bytes, *, udp: bool) -> bytes:
        """One question under an id of its own, so that nobody can guess it. Raises Unanswered, OSError."""
        asked = secrets.token_bytes(2) + wire[2:]
        for _ in range(UDP_TRIES if udp else 1):
            try:
                async with asyncio.timeout(UDP_TRY_S if udp else TCP_TRY_S):
                    return await (self._over_udp(asked) if udp else self._over_tcp(asked))
            except TimeoutError:
                continue
        raise Unanswered("no answer in time")

    async def _over_udp(self, wire: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[bytes] = loop.create_future()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Once(wire, waiting), remote_addr=(self.address, self.port)
        )
        try:
            transport.sendto(wire)
            return await waiting
        finally:
            transport.close()

    async def _over_tcp(self, wire: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self.address, self.port)
        try:
            writer.write(len(wire).to_bytes(2) + wire)
            size = int.from_bytes(await reader.readexactly(2))
            answer = await reader.readexactly(size)
        except asyncio.IncompleteReadError:
            raise Unanswered("closed before it answered") from None
        finally:
            writer.close()
        if not _fits(wire, answer):
            raise Unanswered("answered something else")
        return answer


def _fits(wire: bytes, answer: bytes) -> bool:
    """Whether this is an answer to that question."""
    return len(answer) >= HEADER_BYTES and answer[:2] == wire[:2] and bool(answer[2] & 0x80)


class _Once(asyncio.DatagramProtocol):
    """Waits for the one answer; anything else that arrives is left aside."""

    def __init__(self, wire: bytes, waiting: asyncio.Future[bytes]) -> None:
        self._wire, self._waiting = wire, waiting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        if not self._waiting.done() and _fits(self._wire, data):
            self._waiting.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._waiting.done():
            self._waiting.set_exception(Unanswered(str(exc)))  # nothing listens there
