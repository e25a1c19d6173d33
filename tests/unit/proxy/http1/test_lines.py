import pytest

from mesh.proxy.http1.errors import INVALID_CHARACTERS, MALFORMED, TOO_MANY_HEADERS, ProtocolError
from mesh.proxy.http1.lines import head_end, merge_singletons, parse_block, parse_length, tokens


@pytest.mark.parametrize(
    ("data", "end"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nA: b\r\n\r\nbody", 24, id="crlf"),
        pytest.param(b"GET / HTTP/1.1\nA: b\n\nbody", 21, id="bare line feeds"),
        pytest.param(b"GET / HTTP/1.1\nA: b\n\r\nbody", 22, id="mixed"),
        pytest.param(b"A: b\n\nX: y\r\n\r\n", 6, id="the earlier blank line counts"),
        pytest.param(b"GET / HTTP/1.1\r\nA: b\r\n\r", -1, id="incomplete"),
        pytest.param(b"GET / HTTP/1.1\rA: b\r\r", -1, id="carriage returns end nothing"),
    ],
)
def test_a_head_ends_at_its_first_blank_line(data: bytes, end: int) -> None:
    assert head_end(data) == end


@pytest.mark.parametrize(
    ("block", "fields"),
    [
        pytest.param(b"", [], id="none"),
        pytest.param(b"Host: a\r\nX-UP:  v \t", [(b"host", b"a"), (b"x-up", b"v")], id="lower-case and trimmed"),
        pytest.param(b"x:", [(b"x", b"")], id="empty value"),
        pytest.param(b"x: a\r\n  b", [(b"x", b"a  b")], id="folded"),
        pytest.param(b"x: a\rb", [(b"x", b"ab")], id="carriage return inside"),
        pytest.param(b"x: a\ny: b", [(b"x", b"a"), (b"y", b"b")], id="bare line feed"),
        pytest.param(b"x: caf\xc3\xa9\t\xff", [(b"x", b"caf\xc3\xa9\t\xff")], id="eight bits and tabs"),
        pytest.param(b"x: a:b", [(b"x", b"a:b")], id="colon in a value"),
    ],
)
def test_lines_become_fields(block: bytes, fields: list[tuple[bytes, bytes]]) -> None:
    assert parse_block(block, 100) == fields
    assert parse_block(block, 100) == fields, "the remembered lines say the same"


@pytest.mark.parametrize(
    ("block", "details"),
    [
        pytest.param(b"no colon", MALFORMED, id="no colon"),
        pytest.param(b": v", MALFORMED, id="empty name"),
        pytest.param(b"x : v", MALFORMED, id="blank before the colon"),
        pytest.param(b"x y: v", MALFORMED, id="blank in a name"),
        pytest.param(b"x(y: v", MALFORMED, id="no token"),
        pytest.param(b"x\xe9: v", MALFORMED, id="eight-bit name"),
        pytest.param(b" x: v", MALFORMED, id="first line indented"),
        pytest.param(b"x\r: v", MALFORMED, id="carriage return in a name"),
        pytest.param(b"x: a\x00b", INVALID_CHARACTERS, id="nul"),
        pytest.param(b"x: a\x0bb", INVALID_CHARACTERS, id="vertical tab"),
        pytest.param(b"x: a\x7fb", INVALID_CHARACTERS, id="delete"),
    ],
)
def test_bad_lines_are_refused(block: bytes, details: str) -> None:
    for _ in range(2):
        with pytest.raises(ProtocolError) as error:
            parse_block(block, 100)
        assert error.value.details == details


def test_the_number_of_lines_is_limited() -> None:
    block = b"\r\n".join(b"x%d: 1" % number for number in range(5))
    assert len(parse_block(block, 5)) == 5
    with pytest.raises(ProtocolError) as error:
        parse_block(block, 4)
    assert error.value.details == TOO_MANY_HEADERS


def test_singletons_are_joined_where_the_first_one_stands() -> None:
    fields = [(b"accept", b"x"), (b"cookie", b"a"), (b"accept", b"y"), (b"cookie", b"b")]
    assert merge_singletons(fields) == [(b"accept", b"x,y"), (b"cookie", b"a"), (b"cookie", b"b")]


def test_tokens_ignore_case_and_blanks() -> None:
    assert tokens(b"Close, ,\tX-Foo") == [b"close", b"x-foo"]


@pytest.mark.parametrize("text", [b"+3", b"-3", b"0x3", b"3 4", b"", b"3, 3", b"9" * 20])
def test_odd_lengths_are_refused(text: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_length(text)


def test_a_length_may_have_leading_zeros() -> None:
    assert parse_length(b"003") == 3
