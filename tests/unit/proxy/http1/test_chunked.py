import pytest

from mesh.proxy.http1.chunked import ChunkedDecoder, encode_chunk, encode_end
from mesh.proxy.http1.errors import ProtocolError


@pytest.mark.parametrize(
    ("wire", "body", "rest"),
    [
        pytest.param(b"3\r\nabc\r\n0\r\n\r\n", b"abc", b"", id="one"),
        pytest.param(b"3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\n\r\nGET", b"abcdefg", b"GET", id="two, and more behind"),
        pytest.param(b'3;a="b;c"\r\nabc\r\n0;last\r\n\r\n', b"abc", b"", id="extensions"),
        pytest.param(b"A \r\n0123456789\r\n00\r\n\r\n", b"0123456789", b"", id="upper case and blanks"),
        pytest.param(b"00000000000000003\r\nabc\r\n0\r\n\r\n", b"abc", b"", id="many zeros"),
        pytest.param(b"3\r\nabcX\r\n0\r\n\r\n", b"abc", b"", id="junk before the line end"),
        pytest.param(b"3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n", b"abc", b"", id="trailers"),
    ],
)
def test_any_cut_of_the_bytes_gives_the_same_body(wire: bytes, body: bytes, rest: bytes) -> None:
    for size in (1, 2, 5, len(wire)):
        decoder = ChunkedDecoder()
        out, at = b"", 0
        while at < len(wire) and not decoder.done:
            out += decoder.feed(wire[at : at + size])
            at += size
        assert decoder.done
        assert out == body
        assert decoder.rest + wire[at:] == rest


@pytest.mark.parametrize(
    "wire",
    [b"zz\r\n", b"0x3\r\nabc", b" 3\r\nabc", b"\r\nabc", b"3\nabc\r\n", b"3\r\nabc\n0\r\n\r\n", b"fffffffffffffffff\r\n",
     b"3\r\nabc0\r\n\r\n", b"0\r\nBad Trailer: 1\r\n\r\n", b"-1\r\n", b"3\rabc\r\n", b"3;a\rb\r\n"],
)  # fmt: skip
def test_framing_that_can_be_read_in_two_ways_is_refused(wire: bytes) -> None:
    for size in (1, len(wire)):
        with pytest.raises(ProtocolError):
            feed_all(ChunkedDecoder(), wire, size)


def feed_all(decoder: ChunkedDecoder, wire: bytes, size: int) -> None:
    for at in range(0, len(wire), size):
        decoder.feed(wire[at : at + size])


def test_a_size_line_that_never_ends_is_refused() -> None:
    with pytest.raises(ProtocolError):
        ChunkedDecoder().feed(b"3;" + b"a" * 20000)


def test_trailers_are_kept() -> None:
    decoder = ChunkedDecoder()
    decoder.feed(b"0\r\nX-T: 1\r\n\r\n")
    assert decoder.trailers == [(b"x-t", b"1")]


def test_writing() -> None:
    assert encode_chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"
    assert encode_end(None) == b"0\r\n\r\n"
    assert encode_end([(b"x-t", b"1")]) == b"0\r\nx-t: 1\r\n\r\n"
