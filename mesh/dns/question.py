"""What does a packet ask?

Decides. Questions of the usual form (one question, at most EDNS behind it) are read here, in a few microseconds,
because every packet comes this way; dnspython reads all others and says what is wrong with them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import dns.exception
import dns.message
import dns.name

HEADER_BYTES = 12
PLAIN_UDP_BYTES = 512
"""What an answer over UDP may have when the client says nothing of EDNS. Source: RFC 1035, 2.3.4."""
MOST_NAME_BYTES = 255
MOST_LABEL_BYTES = 63
QUERY, IN, ANY_CLASS = 0, 1, 255
RD, CD = 0x0100, 0x0010

_ONE_QUESTION = b"\x00\x01\x00\x00\x00\x00"
_OPT_OWNER_AND_TYPE = b"\x00\x00\x29"
_OPT_BYTES = 11
_OPT = struct.Struct("!HBBHH")
_TWO = struct.Struct("!HH")


class Unreadable(Exception):
    """No question can be made out; its sender hears FORMERR."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question and the manners in which it was asked."""

    name: tuple[str, ...]
    """Labels from left to right, lower case (ASCII alone: other bytes have no case)."""
    qtype: int
    qclass: int
    section: bytes
    """The question section to send back: its letters are the client's own."""
    opcode: int = QUERY
    count: int = 1
    """Questions in the packet."""
    flags: int = 0
    """RD and CD, which an answer repeats."""
    payload: int | None = None
    """The largest answer over UDP that the client takes; None without EDNS."""
    edns_version: int = 0


def read(wire: bytes) -> Question:
    """The question in a packet that is at least a header and no answer. Raises Unreadable."""
    return _usual(wire) or _unusual(wire)


def core(wire: bytes) -> bytes:
    """All that an answer follows from: the packet without its id and without the options of EDNS.

    Options differ from packet to packet (cookies) and change no answer here. Anything but the usual form comes back
    whole.
    """
    if wire[10:12] != b"\x00\x01" or wire[4:10] != _ONE_QUESTION:
        return wire[2:]
    at = _end_of_name(wire, HEADER_BYTES)
    if at < 0 or wire[at + 4 : at + 7] != _OPT_OWNER_AND_TYPE or not _options_fit(wire, at + 4):
        return wire[2:]
    return wire[2 : at + 4 + _OPT_BYTES - 2] + b"\x00\x00"


def _end_of_name(wire: bytes, at: int) -> int:
    """Where a name without pointers ends; -1 when it is none."""
    try:
        while size := wire[at]:
            if size > MOST_LABEL_BYTES:
                return -1
            at += size + 1
    except IndexError:
        return -1
    return at + 1 if at < HEADER_BYTES + MOST_NAME_BYTES else -1


def _options_fit(wire: bytes, opt: int) -> bool:
    """Whether the record of EDNS at `opt` ends with the packet, and its options with it."""
    at = opt + _OPT_BYTES
    if len(wire) < at or at + _TWO.unpack_from(wire, at - 4)[1] != len(wire):
        return False
    while at + 4 <= len(wire):
        at += 4 + _TWO.unpack_from(wire, at)[1]
    return at == len(wire)


def _usual(wire: bytes) -> Question | None:
    if wire[4:10] != _ONE_QUESTION or wire[2] & 0x78:
        return None
    end = _end_of_name(wire, HEADER_BYTES)
    if end < 0 or len(wire) < end + 4:
        return None
    payload, version = None, 0
    if wire[10:12] == b"\x00\x01":
        if wire[end + 4 : end + 7] != _OPT_OWNER_AND_TYPE or not _options_fit(wire, end + 4):
            return None
        payload, _, version, _, _ = _OPT.unpack_from(wire, end + 7)
    elif wire[10:12] != b"\x00\x00" or len(wire) != end + 4:
        return None
    qtype, qclass = _TWO.unpack_from(wire, end)
    return Question(
        name=_labels(wire[HEADER_BYTES : end - 1]),
        qtype=qtype,
        qclass=qclass,
        section=wire[HEADER_BYTES : end + 4],
        flags=_flags(wire),
        payload=payload,
        edns_version=version,
    )


def _labels(name: bytes) -> tuple[str, ...]:
    lower, at, labels = name.lower(), 0, []
    while at < len(name):
        end = at + 1 + name[at]
        labels.append(lower[at + 1 : end].decode("latin-1"))
        at = end
    return tuple(labels)


def _flags(wire: bytes) -> int:
    return int.from_bytes(wire[2:4]) & (RD | CD)


def _unusual(wire: bytes) -> Question:
    try:
        message = dns.message.from_wire(wire)
    except (dns.exception.DNSException, ValueError, IndexError, NotImplementedError) as error:
        # Whatever of these the parser finds, the packet is at fault.
        raise Unreadable(str(error)) from error
    one = len(message.question) == 1
    asked = message.question[0] if one else None
    name = asked.name if asked is not None else dns.name.root
    kinds = (int(asked.rdtype), int(asked.rdclass)) if asked is not None else (0, IN)
    return Question(
        name=tuple(label.lower().decode("latin-1") for label in name.labels[:-1]),
        qtype=kinds[0],
        qclass=kinds[1],
        section=(name.to_wire() or b"") + _TWO.pack(*kinds) if one else b"",
        opcode=int(message.opcode()),
        count=len(message.question),
        flags=_flags(wire),
        payload=message.payload if message.edns >= 0 else None,
        edns_version=max(0, message.edns),
    )
