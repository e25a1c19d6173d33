import random
from dataclasses import replace

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.api.services import EndpointSlice, Service
from mesh.dns import message as module
from mesh.dns.message import Answers, respond
from mesh.dns.question import PLAIN_UDP_BYTES
from mesh.dns.zone import View, view


def many(count: int) -> View:
    endpoints = [{"addresses": [f"127.244.0.{i}"], "hostname": f"kv-{i}"} for i in range(1, count + 1)]
    meta = {"name": "kv", "namespace": "default", "labels": {"kubernetes.io/service-name": "kv"}}
    spec = {"clusterIP": "None", "ports": [{"name": "http", "port": 80}]}
    return view(
        [Service.model_validate({"metadata": {"name": "kv", "namespace": "default"}, "spec": spec})],
        [
            EndpointSlice.model_validate(
                {"metadata": meta, "endpoints": endpoints, "ports": [{"name": "http", "port": 1}]}
            )
        ],
    )


VIEW = many(60)
NAME = "kv.default.svc.cluster.local"


def ask(query: dns.message.Message, *, udp: bool = True) -> dns.message.Message:
    wire = respond(query.to_wire(), VIEW, udp=udp)
    assert wire is not None
    answer = dns.message.from_wire(wire)
    assert answer.id == query.id
    return answer


def test_answers_come_back_in_the_letters_of_the_question() -> None:
    answer = ask(dns.message.make_query("Kv-7.KV.Default.svc.Cluster.LOCAL", "A"))
    assert answer.rcode() == dns.rcode.NOERROR
    assert [str(rrset) for rrset in answer.answer] == ["Kv-7.KV.Default.svc.Cluster.LOCAL. 5 IN A 127.244.0.7"]
    assert answer.flags & dns.flags.AA


def test_plain_udp_is_cut_at_512_bytes_and_says_so() -> None:
    query = dns.message.make_query(NAME, "A", use_edns=False)
    wire = respond(query.to_wire(), VIEW, udp=True)
    assert wire is not None
    assert len(wire) <= PLAIN_UDP_BYTES
    assert ask(query).flags & dns.flags.TC
    whole = ask(query, udp=False)
    assert not whole.flags & dns.flags.TC
    assert len(whole.answer[0]) == 60


@pytest.mark.parametrize(
    ("payload", "cut"),
    [
        pytest.param(100, True, id="less-than-allowed-counts-as-512"),
        pytest.param(1232, False, id="enough"),
        pytest.param(65000, False, id="more-than-we-send"),
    ],
)
def test_edns_raises_the_limit(payload: int, cut: bool) -> None:
    answer = ask(dns.message.make_query(NAME, "A", use_edns=0, payload=payload))
    assert bool(answer.flags & dns.flags.TC) == cut
    assert answer.edns == 0


def test_additional_records_may_be_left_out_without_a_word() -> None:
    query = dns.message.make_query(f"_http._tcp.{NAME}", "SRV", use_edns=0, payload=4096)
    answer = ask(query)
    assert len(answer.answer[0]) == 60
    assert not answer.flags & dns.flags.TC


@pytest.mark.parametrize(
    ("query", "rcode"),
    [
        pytest.param(dns.message.make_query("nobody.default.svc.cluster.local", "A"), "NXDOMAIN", id="no-name"),
        pytest.param(dns.message.make_query(NAME, "AAAA"), "NOERROR", id="no-data"),
        pytest.param(dns.message.make_query("example.com", "A"), "REFUSED", id="foreign"),
        pytest.param(dns.message.make_query(".", "NS"), "REFUSED", id="root"),
        pytest.param(dns.message.make_query(NAME, "AXFR"), "REFUSED", id="transfer"),
        pytest.param(dns.message.make_query("version.bind", "TXT", "CH"), "REFUSED", id="other-class"),
        pytest.param(dns.message.make_query(NAME, "A", use_edns=1), "BADVERS", id="future-edns"),
        pytest.param(dns.message.make_query(NAME, 65280), "NOERROR", id="unknown-type"),
    ],
)
def test_rcodes(query: dns.message.Message, rcode: str) -> None:
    answer = ask(query)
    assert dns.rcode.to_text(answer.rcode()) == rcode
    assert not answer.answer


def test_absence_brings_the_soa() -> None:
    answer = ask(dns.message.make_query("nobody.default.svc.cluster.local", "A"))
    assert [rrset.rdtype for rrset in answer.authority] == [dns.rdatatype.SOA]


def test_other_opcodes_are_not_implemented() -> None:
    query = dns.message.make_query(NAME, "A")
    query.set_opcode(dns.opcode.STATUS)
    assert ask(query).rcode() == dns.rcode.NOTIMP


def test_more_than_one_question_is_an_error() -> None:
    query = dns.message.make_query(NAME, "A")
    query.question.append(query.question[0])
    wire = bytearray(query.to_wire())
    wire[4:6] = (2).to_bytes(2)
    answer = respond(bytes(wire) + query.to_wire()[12:], VIEW, udp=True)
    assert answer is not None
    assert answer[3] & 0xF == dns.rcode.FORMERR


def test_names_with_strange_bytes_do_not_exist() -> None:
    query = dns.message.make_query(r"a\.b\000\255.default.svc.cluster.local", "A")
    assert ask(query).rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x00" * 11, id="shorter-than-a-header"),
        pytest.param(dns.message.make_response(dns.message.make_query(NAME, "A")).to_wire(), id="itself-an-answer"),
    ],
)
def test_ignored(wire: bytes) -> None:
    assert respond(wire, VIEW, udp=True) is None


def test_a_broken_question_is_told_so_under_its_own_id() -> None:
    wire = dns.message.make_query(NAME, "A", id=4711).to_wire()[:-3]
    answer = respond(wire, VIEW, udp=True)
    assert answer is not None
    assert dns.message.from_wire(answer).id == 4711
    assert dns.message.from_wire(answer).rcode() == dns.rcode.FORMERR


PACKET = dns.message.make_query(f"_http._tcp.{NAME}", "SRV", use_edns=0).to_wire()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.binary(min_size=12, max_size=80).map(lambda tail: PACKET[:12] + tail))
def test_garbage_never_breaks_the_server(wire: bytes) -> None:
    answer = respond(wire, VIEW, udp=True)
    assert answer is None or (answer[:2] == wire[:2] and answer[2] & 0x80)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(PACKET) - 1), st.integers(0, 255), st.integers(0, len(PACKET)))
def test_a_damaged_packet_never_breaks_the_server(at: int, byte: int, cut: int) -> None:
    wire = bytearray(PACKET)
    wire[at] = byte
    answer = respond(bytes(wire[:cut]), VIEW, udp=True)
    assert answer is None or answer[2] & 0x80


def test_an_answer_is_remembered_until_what_it_follows_from_changes() -> None:
    views = [many(3), VIEW]
    answers = Answers(lambda: views[0])
    wire = dns.message.make_query(NAME, "A").to_wire()
    first = answers.find(wire, udp=True)
    assert answers.find(wire, udp=True) is first
    views[0] = replace(views[0], serial=2)  # a change somewhere else
    assert answers.find(wire, udp=True) is first
    views[0] = many(4)
    assert answers.find(wire, udp=True) is not first
    found = answers(wire, udp=True)
    assert found is not None
    assert len(dns.message.from_wire(found).answer[0]) == 4


def test_an_absence_ends_when_the_name_comes() -> None:
    views = [View(), VIEW]
    answers = Answers(lambda: views[0])
    wire = dns.message.make_query(NAME, "A").to_wire()
    codes = []
    for _ in range(2):
        found = answers(wire, udp=True)
        assert found is not None
        codes.append(dns.message.from_wire(found).rcode())
        views.pop(0)
        views.append(VIEW)
    assert codes == [dns.rcode.NXDOMAIN, dns.rcode.NOERROR]


def test_each_question_turns_its_own_addresses() -> None:
    answers = Answers(lambda: VIEW)
    firsts = []
    for _ in range(4):
        for qtype in ("A", "AAAA"):  # as a C library asks
            found = answers(dns.message.make_query(NAME, qtype, use_edns=0, payload=4096).to_wire(), udp=True)
            assert found is not None
            answer = dns.message.from_wire(found).answer
            firsts += [answer[0][0].to_text()] if answer else []
    assert len(set(firsts)) == 4


def test_a_remembered_answer_has_the_id_and_letters_of_its_question() -> None:
    answers = Answers(lambda: VIEW)
    for ident, name in ((1, NAME), (2, NAME), (3, NAME.upper())):
        found = answers(dns.message.make_query(name, "A", id=ident).to_wire(), udp=True)
        assert found is not None
        message = dns.message.from_wire(found)
        assert (message.id, message.question[0].name.to_text()) == (ident, f"{name}.")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_REMEMBERED", 8)
    answers = Answers(lambda: VIEW)
    for number in range(100):
        answers(dns.message.make_query(f"n{number}.{NAME}", "A").to_wire(), udp=True)
        assert len(answers._udp) <= 8


def test_answers_of_one_view_and_of_many_are_the_same() -> None:
    """However views follow each other, a remembered answer is what a fresh one would be."""
    rng = random.Random(1)
    now = [many(3)]
    answers = Answers(lambda: now[0])
    names = [NAME, f"kv-2.{NAME}", f"kv-4.{NAME}", "none.default.svc.cluster.local", "4.0.244.127.in-addr.arpa"]
    for _ in range(300):
        if rng.random() < 0.3:
            now[0] = rng.choice((many(rng.randint(0, 5)), View(), replace(now[0], serial=rng.randint(1, 99))))
        query = dns.message.make_query(rng.choice(names), rng.choice(("A", "SRV", "PTR")))
        found, fresh = answers(query.to_wire(), udp=True), respond(query.to_wire(), now[0], udp=True)
        assert found is not None
        assert fresh is not None
        assert dns.message.from_wire(found) == dns.message.from_wire(fresh)
