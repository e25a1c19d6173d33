import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.dns import question
from mesh.dns.question import Question, Unreadable, core, read

NAME = "Web.default.svc.Cluster.local"
LABELS = st.binary(min_size=1, max_size=63)


def test_the_usual_form_is_read() -> None:
    query = dns.message.make_query(NAME, "SRV", use_edns=0, payload=1400)
    found = read(query.to_wire())
    assert found == Question(
        name=("web", "default", "svc", "cluster", "local"),
        qtype=33,
        qclass=1,
        section=dns.name.from_text(NAME).to_wire() + b"\x00\x21\x00\x01",
        flags=question.RD,
        payload=1400,
    )


@settings(max_examples=200, deadline=None)
@given(
    st.lists(LABELS, max_size=4),
    st.sampled_from(["A", "AAAA", "SRV", "TYPE65280"]),
    st.sampled_from([None, 512, 4096]),
    st.binary(max_size=8),
    st.booleans(),
)
def test_both_readers_read_the_same(
    labels: list[bytes], qtype: str, payload: int | None, cookie: bytes, checking: bool
) -> None:
    options = [dns.edns.GenericOption(65001, cookie)] if payload else []
    query = dns.message.make_query(
        dns.name.Name([*labels, b""]), dns.rdatatype.from_text(qtype), use_edns=payload and 0, payload=payload,
        options=options,
    )  # fmt: skip
    if checking:
        query.flags |= dns.flags.CD
    wire = query.to_wire()
    usual = question._usual(wire)
    assert usual is not None
    assert usual == question._unusual(wire)


def test_options_of_edns_and_the_id_do_not_count() -> None:
    def asked(ident: int, cookie: bytes, payload: int = 1232, name: str = NAME) -> bytes:
        options = [dns.edns.GenericOption(dns.edns.OptionType.COOKIE, cookie)] if cookie else []
        query = dns.message.make_query(name, "A", use_edns=0, payload=payload, options=options, id=ident)
        return core(query.to_wire())

    assert asked(1, b"12345678") == asked(2, b"87654321") == asked(3, b"")
    assert asked(1, b"") != asked(1, b"", payload=1400)
    assert asked(1, b"") != asked(1, b"", name=NAME.lower())


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda wire: wire + b"\x00", id="more-behind-it"),
        pytest.param(lambda wire: wire[:-1], id="option-cut"),
        pytest.param(lambda wire: wire[:-9] + b"\xff" + wire[-8:], id="option-longer-than-the-record"),
        pytest.param(lambda wire: wire[:12] + b"\x40" + wire[13:], id="label-of-64"),
    ],
)
def test_what_is_not_quite_the_usual_form_keeps_all_its_bytes(change: object) -> None:
    options = [dns.edns.GenericOption(dns.edns.OptionType.COOKIE, b"12345678")]
    wire = change(dns.message.make_query(NAME, "A", use_edns=0, options=options).to_wire())  # type: ignore[operator]
    assert core(wire) == wire[2:]


def test_a_name_that_points_to_itself_is_unreadable() -> None:
    head = dns.message.make_query(NAME, "A").to_wire()[:12]
    with pytest.raises(Unreadable):
        read(head + b"\xc0\x0c\x00\x01\x00\x01")


def test_a_signed_question_is_unreadable() -> None:
    query = dns.message.make_query(NAME, "A")
    query.use_tsig({dns.name.from_text("key"): b"secret"}, keyname=dns.name.from_text("key"))
    with pytest.raises(Unreadable):
        read(query.to_wire())


def test_no_question_at_all_is_counted() -> None:
    assert read(b"\x00\x01\x01\x00" + bytes(8)).count == 0
