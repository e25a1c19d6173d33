"""How is an answer written on the wire?

Decides. A headless service has a record for every pod and its answer changes with every one of them, so records are
written here: dnspython takes 25 us for one, this 1 to 3 us. It still reads back every answer in the tests.

Addresses of one name stand in one block of 16 bytes each, which can be turned without writing it again.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from mesh.dns.question import CD, HEADER_BYTES, PLAIN_UDP_BYTES, RD, Question
from mesh.dns.zone import TTL_S, Answer, Labels, Record

MAX_UDP_BYTES = 4096
"""The most that a UDP answer may have, whatever the client offers: loopback has no smaller links."""
MAX_TCP_BYTES = 65535
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 3, 4, 5, 16
RCODES = {"NOERROR": NOERROR, "SERVFAIL": SERVFAIL, "NXDOMAIN": NXDOMAIN, "REFUSED": REFUSED}
TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "TXT": 16, "AAAA": 28, "SRV": 33, "IXFR": 251, "AXFR": 252}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
ADDRESS_BYTES = 16
"""One A record: pointer to its owner, type, class, TTL, length, address."""

_QR, _AA, _TC, _RA = 0x8000, 0x0400, 0x0200, 0x0080
_EDE = 15
_POINTERS_END = 0x4000
_RECORD = struct.Struct("!HHIH")
_SRV = struct.Struct("!HHH")
_SOA = struct.Struct("!5I")
_OPT = struct.Struct("!BHHBBHH")


@dataclass(frozen=True, slots=True)
class Packet:
    """One answer without its id. block: addresses that may be turned; empty, with less than two of them."""

    head: bytes
    block: bytes = b""
    tail: bytes = b""
    serial_at: int = -1
    """Where the zone's serial stands in `tail`; -1 when it is not told."""

    def wire(self, ident: bytes, turn: int, serial: int) -> bytes:
        """The packet to send. turn: how far the addresses are turned."""
        tail, at = self.tail, self.serial_at
        if at >= 0:
            tail = tail[:at] + serial.to_bytes(4) + tail[at + 4 :]
        if not self.block:
            return ident + self.head + tail
        cut = turn * ADDRESS_BYTES % len(self.block)
        return ident + self.head + self.block[cut:] + self.block[:cut] + tail


def error(question: Question, rcode: int, *, recursion: bool = False, remark: str = "") -> Packet:
    """An answer that is only a code, and for clients with EDNS a reason in words."""
    return _Writer(question, PLAIN_UDP_BYTES).finish(rcode, 0, recursion, remark)


def formerr(wire: bytes) -> Packet:
    """To a packet in which no question can be made out."""
    flags = _QR | FORMERR | int.from_bytes(wire[2:4]) & (0x7800 | RD)
    return Packet(flags.to_bytes(2) + bytes(8))


def render(question: Question, found: Answer, *, udp: bool, recursion: bool = False) -> Packet:
    """The answer, cut where the client's limit is: as many records as fit, and TC unless it is all of them."""
    writer = _Writer(question, limit(question) if udp else MAX_TCP_BYTES)
    flags = 0 if found.rcode == "REFUSED" else _AA
    whole = writer.answers(found.records) and writer.records(found.authority, 2)
    if not whole:
        flags |= _TC
    else:
        writer.records(found.additional, 3)  # what does not fit is not missed
    return writer.finish(RCODES[found.rcode], flags, recursion, found.remark)


def limit(question: Question) -> int:
    """Bytes that a UDP answer may have."""
    if question.payload is None:
        return PLAIN_UDP_BYTES
    return max(PLAIN_UDP_BYTES, min(question.payload, MAX_UDP_BYTES))


class _Writer:
    """A packet on its way. Offsets count from the id that is put in front at the end."""

    def __init__(self, question: Question, most: int) -> None:
        self._question = question
        self._out = bytearray(HEADER_BYTES) + question.section
        self._most = most - (_OPT.size if question.payload is not None else 0)
        self._names: dict[Labels, int] = {}
        self._counts = [1 if question.section else 0, 0, 0, 0]
        self._block = (0, 0)
        self._serial_at = -1
        at = HEADER_BYTES
        for index, label in enumerate(question.name):
            self._names[question.name[index:]] = at
            at += 1 + len(label)

    def answers(self, records: tuple[Record, ...]) -> bool:
        """The answer section; the addresses at its end become the block. False when not all fits."""
        first = next((i for i, record in enumerate(records) if record.type == "A"), len(records))
        if not self.records(records[:first], 1):
            return False
        if first == len(records):
            return True
        owner = self._names.get(records[first].name)
        if owner is None or owner >= _POINTERS_END or any(r.name != records[first].name for r in records[first:]):
            return self.records(records[first:], 1)
        fit = min(len(records) - first, (self._most - len(self._out)) // ADDRESS_BYTES)
        start = (0xC000 | owner).to_bytes(2) + _RECORD.pack(TYPES["A"], 1, TTL_S, 4)
        begin = len(self._out)
        self._out += b"".join(start + socket.inet_aton(record.data) for record in records[first : first + fit])
        self._block = (begin, len(self._out))
        self._counts[1] += fit
        return first + fit == len(records)

    def records(self, records: Iterable[Record], section: int) -> bool:
        """Write records until one does not fit: False then."""
        for record in records:
            begin = len(self._out)
            self._record(record)
            if len(self._out) > self._most:
                del self._out[begin:]
                self._names = {name: at for name, at in self._names.items() if at < begin}
                return False
            self._counts[section] += 1
        return True

    def _record(self, record: Record) -> None:
        out = self._out
        self._name(record.name)
        begin = len(out)
        out += _RECORD.pack(TYPES[record.type], 1, TTL_S, 0)
        match record.type:
            case "A":
                out += socket.inet_aton(record.data)
            case "TXT":
                text = record.data.strip('"').encode("latin-1")
                out += bytes((len(text),)) + text
            case "SRV":
                priority, weight, port, target = record.data.split(" ")
                out += _SRV.pack(int(priority), int(weight), int(port))
                self._name(labels(target), compress=False)  # RFC 2782: no compression here
            case "SOA":
                server, mail, *figures = record.data.split(" ")
                self._name(labels(server))
                self._name(labels(mail))
                self._serial_at = len(out)
                out += _SOA.pack(*(int(figure) for figure in figures))
            case _:
                self._name(labels(record.data))
        out[begin + 8 : begin + 10] = (len(out) - begin - 10).to_bytes(2)

    def _name(self, name: Labels, *, compress: bool = True) -> None:
        out, names = self._out, self._names
        for index, label in enumerate(name):
            rest = name[index:]
            at = names.get(rest)
            if at is not None and compress:
                out += (0xC000 | at).to_bytes(2)
                return
            if at is None and len(out) < _POINTERS_END:
                names[rest] = len(out)
            out.append(len(label))
            out += label.encode("latin-1")
        out.append(0)

    def finish(self, rcode: int, flags: int, recursion: bool, remark: str = "") -> Packet:
        question, out = self._question, self._out
        if question.payload is not None:
            told = remark.encode() if len(out) + 6 + len(remark) <= self._most else b""
            option = struct.pack("!HHH", _EDE, 2 + len(told), 0) + told if told else b""
            # The owner is the root, the class our own limit; then the upper bits of the code, version and flags.
            out += _OPT.pack(0, 41, MAX_UDP_BYTES, rcode >> 4, 0, 0, len(option)) + option
            self._counts[3] += 1
        flags |= _QR | question.opcode << 11 | question.flags & (RD | CD) | (_RA if recursion else 0) | rcode & 0xF
        out[2:HEADER_BYTES] = struct.pack("!5H", flags, *self._counts)
        begin, end = self._block
        if end - begin < 2 * ADDRESS_BYTES:
            begin = end = max(HEADER_BYTES, end)
        serial_at = self._serial_at - end if self._serial_at >= end else -1
        return Packet(bytes(out[2:begin]), bytes(out[begin:end]), bytes(out[end:]), serial_at)


def labels(text: str) -> Labels:
    """The labels of an absolute name in a record's text."""
    return tuple(text.rstrip(".").split("."))
