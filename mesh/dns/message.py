"""How does a question on the wire become an answer on the wire?

Decides, like `zone`: bytes in, bytes out. dnspython knows the format; this module knows the manners: what is ignored,
what is an error, when an answer is cut short.
"""

from __future__ import annotations

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from mesh.dns import zone
from mesh.dns.view import View

MAX_UDP_BYTES = 4096
"""The most that a UDP answer may have, whatever the client offers: loopback has no smaller links."""
PLAIN_UDP_BYTES = 512
MAX_TCP_BYTES = 65535
_HEADER_BYTES = 12
_RESPONSE_BIT = 0x80


def respond(wire: bytes, view: View, *, udp: bool, turn: int = 0) -> bytes | None:
    """The answer to one packet; None when it deserves none (too short to have an id, or itself an answer)."""
    if len(wire) < _HEADER_BYTES or wire[2] & _RESPONSE_BIT:
        return None
    try:
        query = dns.message.from_wire(wire)
        response = _response(query, view, turn)
        limit = _limit(query) if udp else MAX_TCP_BYTES
        return response.to_wire(max_size=limit, prefer_truncation=True)
    except (dns.exception.DNSException, ValueError, IndexError, NotImplementedError):
        # Whatever of these the parser finds, the packet is at fault and its sender hears so.
        return formerr(wire)


def formerr(wire: bytes) -> bytes:
    """FORMERR under the packet's own id, with nothing else in it."""
    opcode_and_rd = wire[2] & 0x79
    return wire[:2] + bytes((_RESPONSE_BIT | opcode_and_rd, dns.rcode.FORMERR)) + bytes(8)


def _limit(query: dns.message.Message) -> int:
    if query.edns < 0:
        return PLAIN_UDP_BYTES
    return max(PLAIN_UDP_BYTES, min(query.payload, MAX_UDP_BYTES))


def _response(query: dns.message.Message, view: View, turn: int) -> dns.message.Message:
    response = dns.message.make_response(query, our_payload=MAX_UDP_BYTES)
    if query.edns > 0:
        response.set_rcode(dns.rcode.BADVERS)
    elif query.opcode() != dns.opcode.QUERY:
        response.set_rcode(dns.rcode.NOTIMP)
    elif len(query.question) != 1:
        response.set_rcode(dns.rcode.FORMERR)
    elif query.question[0].rdclass not in (dns.rdataclass.IN, dns.rdataclass.ANY):
        response.set_rcode(dns.rcode.REFUSED)
    else:
        _fill(response, query.question[0], view, turn)
    return response


def _fill(response: dns.message.Message, question: dns.rrset.RRset, view: View, turn: int) -> None:
    asked = tuple(label.decode("latin-1").lower() for label in question.name.labels[:-1])
    qtype = dns.rdatatype.to_text(question.rdtype)
    if qtype in ("AXFR", "IXFR"):
        response.set_rcode(dns.rcode.REFUSED)
        return
    found = zone.answer(view, asked, qtype, turn)
    response.set_rcode(dns.rcode.from_text(found.rcode))
    if found.rcode == "REFUSED":
        return
    response.flags |= dns.flags.AA
    # The owner's name goes back in the letters in which it was asked for.
    spelled = {asked: question.name}
    for section, records in (
        (response.answer, found.records),
        (response.authority, found.authority),
        (response.additional, found.additional),
    ):
        for rrset in _rrsets(records, spelled):
            section.append(rrset)


def _rrsets(records: tuple[zone.Record, ...], spelled: dict[zone.Labels, dns.name.Name]) -> list[dns.rrset.RRset]:
    """Records of one name and type go into one set, in their order."""
    grouped: dict[tuple[zone.Labels, str], list[str]] = {}
    for record in records:
        grouped.setdefault((record.name, record.type), []).append(record.data)
    return [
        dns.rrset.from_text_list(spelled.get(name) or _name(name), zone.TTL_S, dns.rdataclass.IN, rdtype, texts)
        for (name, rdtype), texts in grouped.items()
    ]


def _name(labels: zone.Labels) -> dns.name.Name:
    return dns.name.Name([*(label.encode("latin-1") for label in labels), b""])
