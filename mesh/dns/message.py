"""How does a question on the wire become an answer on the wire?

Decides, like `zone`: bytes in, bytes out. `question` reads, `packet` writes; this module knows the manners: what is
ignored, what is an error, what is remembered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mesh.dns import packet, zone
from mesh.dns.packet import Packet
from mesh.dns.question import ANY_CLASS, HEADER_BYTES, IN, QUERY, Question, Unreadable, core, read
from mesh.dns.view import View

MOST_REMEMBERED = 4096
"""Answers kept for questions over UDP, and as many over TCP. All are forgotten when that is reached."""
MOST_REMEMBERED_BYTES = 4096
"""Larger answers are made anew: they are rare, and 64 KB of each of 4,096 would be much."""
_RESPONSE_BIT = 0x80
_TRANSFERS = (packet.TYPES["AXFR"], packet.TYPES["IXFR"])


@dataclass(slots=True)
class Reply:
    """What one question gets."""

    packet: Packet
    question: Question | None = None
    """None where none could be made out."""
    answer: zone.Answer | None = None
    """None where it is only a code."""
    view: View | None = None
    """The latest one from which the answer is known to follow."""
    asked: int = 0
    """How often, which turns the addresses."""

    def wire(self, ident: bytes, serial: int) -> bytes:
        self.asked += 1
        return self.packet.wire(ident, self.asked - 1, serial)

    @property
    def outside(self) -> bool:
        """Whether somebody else knows more: the name, or the end of its chain of CNAMEs, is not ours."""
        return self.answer is not None and (self.answer.rcode == "REFUSED" or bool(self.answer.outside))


class Answers:
    """Answers to packets, remembered for as long as what they follow from does not change.

    view: gives the latest view; asked for every packet.  recursion: whether names of others are followed, which
    answers say in their flags.
    """

    def __init__(self, view: Callable[[], View], *, recursion: bool = False) -> None:
        self.view = view
        self.recursion = recursion
        self._udp: dict[bytes, Reply] = {}
        self._tcp: dict[bytes, Reply] = {}

    def find(self, wire: bytes, *, udp: bool) -> Reply | None:
        """What a packet gets; None when it deserves nothing: too short to have an id, or itself an answer."""
        known = self._udp if udp else self._tcp
        view = self.view()
        key = wire[2:]
        reply = known.get(key)
        if reply is None:
            if len(wire) < HEADER_BYTES or wire[2] & _RESPONSE_BIT:
                return None
            key = core(wire)
            reply = known.get(key)
        if reply is not None:
            if reply.view is view:
                return reply
            if reply.answer is not None and zone.holds(view, reply.answer.basis):
                reply.view = view
                return reply
        reply = decide(wire, view, udp=udp, recursion=self.recursion)
        if reply.answer is not None and len(reply.packet.block) <= MOST_REMEMBERED_BYTES >= len(reply.packet.tail):
            if len(known) >= MOST_REMEMBERED:
                known.clear()
            known[key] = reply
        return reply

    def __call__(self, wire: bytes, *, udp: bool) -> bytes | None:
        """The answer to one packet, or None."""
        reply = self.find(wire, udp=udp)
        return None if reply is None else reply.wire(wire[:2], self.view().serial)


def respond(wire: bytes, view: View, *, udp: bool) -> bytes | None:
    """The answer to one packet by itself."""
    return Answers(lambda: view)(wire, udp=udp)


def decide(wire: bytes, view: View, *, udp: bool, recursion: bool = False) -> Reply:
    """What a packet gets that is at least a header and no answer."""
    try:
        question = read(wire)
    except Unreadable:
        return Reply(packet.formerr(wire))
    code = _fault(question)
    if code is not None:
        return Reply(packet.error(question, code, recursion=recursion), question)
    found = zone.answer(view, question.name, packet.TYPE_NAMES.get(question.qtype, "another type"))
    return Reply(packet.render(question, found, udp=udp, recursion=recursion), question, found, view)


def _fault(question: Question) -> int | None:
    """The code for a question that is not answered, whatever its name."""
    if question.edns_version > 0:
        return packet.BADVERS
    if question.opcode != QUERY:
        return packet.NOTIMP
    if question.count != 1:
        return packet.FORMERR
    if question.qclass not in (IN, ANY_CLASS) or question.qtype in _TRANSFERS:
        return packet.REFUSED
    return None
