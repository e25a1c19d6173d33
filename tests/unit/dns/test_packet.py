import dns.message
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.dns import packet
from mesh.dns.packet import render
from mesh.dns.question import Question, read
from mesh.dns.zone import TTL_S, Answer, Record

WEB = ("web", "default", "svc", "cluster", "local")
SOA = Record(WEB[-2:], "SOA", "ns.dns.cluster.local. hostmaster.cluster.local. 7 7200 1800 86400 5")


def asked(name: str = "web.default.svc.cluster.local", qtype: str = "A", payload: int | None = 4096) -> Question:
    edns = {"use_edns": 0, "payload": payload} if payload else {"use_edns": -1}
    return read(dns.message.make_query(name, qtype, **edns).to_wire())  # type: ignore[arg-type]


def parsed(
    question: Question, found: Answer, *, udp: bool = True, turn: int = 0, serial: int = 7, one_each: bool = False
) -> dns.message.Message:
    wire = render(question, found, udp=udp).wire(b"\x12\x34", turn, serial)
    assert len(wire) <= (packet.limit(question) if udp else packet.MAX_TCP_BYTES)
    message = dns.message.from_wire(wire, one_rr_per_rrset=one_each)
    assert message.id == 0x1234
    return message


LABEL = st.sampled_from(["web", "default", "svc", "cluster", "local", "a", "_tcp", "pod-1" * 10])
NAMES = st.lists(LABEL, min_size=1, max_size=4).map(tuple)
ADDRESSES = st.integers(0, 2**32 - 1).map(lambda n: ".".join(str(n >> shift & 255) for shift in (24, 16, 8, 0)))


def text(name: tuple[str, ...]) -> str:
    return ".".join(name) + "."


RECORDS = st.one_of(
    st.builds(Record, NAMES, st.just("A"), ADDRESSES),
    st.builds(lambda name, target: Record(name, "CNAME", text(target)), NAMES, NAMES),
    st.builds(lambda name, target: Record(name, "PTR", text(target)), NAMES, NAMES),
    st.builds(lambda name, target: Record(name, "NS", text(target)), NAMES, NAMES),
    st.builds(lambda name, p, target: Record(name, "SRV", f"0 {p % 100} {p} {text(target)}"), NAMES, st.integers(0, 65535), NAMES),
    st.builds(lambda name: Record(name, "TXT", '"1.1.0"'), NAMES),
    st.just(SOA),
)  # fmt: skip


def told(section: list[dns.rrset.RRset]) -> set[tuple[str, str, str]]:
    found = set()
    for rrset in section:
        assert rrset.ttl == TTL_S
        for data in rrset:
            found.add((rrset.name.to_text().lower(), dns.rdatatype.to_text(rrset.rdtype), data.to_text().lower()))
    return found


def meant(records: tuple[Record, ...]) -> set[tuple[str, str, str]]:
    return {(text(record.name), record.type, record.data) for record in records}


@settings(max_examples=100, deadline=None)
@given(*[st.lists(RECORDS, max_size=4).map(tuple)] * 3, st.sampled_from([None, 512, 4096]))
def test_dnspython_reads_what_we_write(
    answer: tuple[Record, ...], authority: tuple[Record, ...], additional: tuple[Record, ...], payload: int | None
) -> None:
    question = asked("Web.Default.svc.cluster.local", payload=payload)
    message = parsed(question, Answer("NOERROR", answer, authority, additional), udp=False, one_each=True)
    assert told(message.answer) == meant(answer)
    assert told(message.authority) == meant(authority)
    assert told(message.additional) == meant(additional)
    assert message.question[0].name.to_text() == "Web.Default.svc.cluster.local."
    assert (message.edns == 0) == (payload is not None)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 80), st.sampled_from([None, 512, 800, 1232]), st.integers(0, 90), st.booleans())
def test_addresses_turn_and_are_cut_where_the_limit_is(count: int, payload: int | None, turn: int, alias: bool) -> None:
    owner = ("far", *WEB[1:]) if alias else WEB
    addresses = [f"127.244.0.{i}" for i in range(count)]
    records = tuple(Record(owner, "A", address) for address in addresses)
    if alias:
        records = (Record(WEB, "CNAME", text(owner)), *records)
    question = asked(payload=payload)
    message = parsed(question, Answer("NOERROR", records), turn=turn)
    found = [data.to_text() for rrset in message.answer if rrset.rdtype == dns.rdatatype.A for data in rrset]
    cut = bool(message.flags & dns.flags.TC)
    assert cut == (len(found) < count)
    assert set(found) == set(addresses[: len(found)])
    if found:
        assert found[0] == addresses[turn % len(found)]
    whole = parsed(question, Answer("NOERROR", records), udp=False)
    assert told(whole.answer) == meant(records)


def test_the_serial_is_the_latest() -> None:
    found = Answer("NXDOMAIN", (), (SOA,))
    assert parsed(asked(), found, serial=4711).authority[0][0].serial == 4711
    assert parsed(asked(qtype="SOA"), Answer(records=(SOA,)), serial=4711).answer[0][0].serial == 4711


def test_what_does_not_fit_behind_the_answer_is_left_out_without_a_word() -> None:
    records = tuple(Record(WEB, "SRV", f"0 1 80 pod-{i}.{text(WEB)}") for i in range(7))
    more = tuple(Record((f"pod-{i}", *WEB), "A", "127.0.0.1") for i in range(7))
    message = parsed(asked(payload=None), Answer("NOERROR", records, (), more))
    assert not message.flags & dns.flags.TC
    assert len(message.answer[0]) == 7
    assert len(message.additional) < 7


def test_a_remark_is_for_clients_with_edns() -> None:
    found = Answer("NOERROR", (), (SOA,), remark="a circle")
    (option,) = parsed(asked(), found).options
    assert (option.otype, getattr(option, "text", None)) == (15, "a circle")
    assert not parsed(asked(payload=None), found).options


@pytest.mark.parametrize("payload", [None, 4096])
def test_large_answers_over_tcp_are_cut_at_what_a_message_can_hold(payload: int | None) -> None:
    records = tuple(Record(WEB, "A", f"127.{i // 65536}.{i // 256 % 256}.{i % 256}") for i in range(5000))
    message = parsed(asked(payload=payload), Answer("NOERROR", records), udp=False)
    assert message.flags & dns.flags.TC
    assert len(message.answer[0]) > 4000
