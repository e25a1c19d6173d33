import pytest

from mesh.proxy.http1 import errors
from mesh.proxy.http1.errors import ProtocolError
from mesh.proxy.http1.request import DROP, REJECT, RequestHead, RequestOptions, parser_for

PLAIN = parser_for(RequestOptions())


def parse(text: bytes, options: RequestOptions | None = None) -> RequestHead:
    return parser_for(options or RequestOptions()).parse(text)


def head(line: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join([line, *lines]) + b"\r\n\r\n"


def get(*lines: bytes) -> bytes:
    return head(b"GET /a?b HTTP/1.1", b"Host: h", *lines)


def post(*lines: bytes) -> bytes:
    return head(b"POST / HTTP/1.1", b"Host: h", *lines)


def test_an_ordinary_head() -> None:
    found = parse(get(b"X-A: 1", b"Cookie: c"))
    assert (found.method, found.target, found.authority) == (b"GET", b"/a?b", b"h")
    assert found.fields == [(b"x-a", b"1"), (b"cookie", b"c")]
    assert found.ordinary
    assert not found.close
    assert (found.content_length, found.framing) == (0, b"")


def test_equal_heads_share_one_object_and_a_second_parser_agrees() -> None:
    text = get(b"X-Same: 1")
    PLAIN.parse(text)
    assert PLAIN.parse(text) is PLAIN.parse(text), "remembered at the second coming"
    first, second = parse(get(b"X-Other: 1")), parse(get(b"X-Other: 2"))
    assert first.fields != second.fields, "the second one comes through the short way"
    assert second.authority == b"h"
    assert second.ordinary


@pytest.mark.parametrize(
    ("text", "details"),
    [
        pytest.param(post(b"Content-Length: 3", b"Transfer-Encoding: chunked"), errors.LENGTH_AND_CHUNKED, id="cl+te"),
        pytest.param(post(b"Transfer-Encoding: chunked", b"Content-Length: 3"), errors.LENGTH_AND_CHUNKED, id="te+cl"),
        pytest.param(post(b"Transfer-Encoding:", b"Content-Length: 3"), errors.LENGTH_AND_CHUNKED, id="empty te + cl"),
        pytest.param(
            post(b"Transfer-Encoding:\r\n chunked", b"Content-Length: 3"),
            errors.LENGTH_AND_CHUNKED,
            id="folded te + cl",
        ),
        pytest.param(post(b"Content-Length: 3", b"Content-Length: 3"), errors.MALFORMED, id="two equal lengths"),
        pytest.param(post(b"Content-Length: 3", b"content-length: 4"), errors.MALFORMED, id="two lengths"),
        pytest.param(post(b"Content-Length: 3, 3"), errors.MALFORMED, id="list of lengths"),
        pytest.param(post(b"Content-Length : 3"), errors.MALFORMED, id="blank before the colon"),
        pytest.param(post(b"Transfer-Encoding: gzip, chunked"), errors.BAD_TRANSFER_ENCODING, id="gzip, chunked"),
        pytest.param(post(b"Transfer-Encoding: chunked, identity"), errors.BAD_TRANSFER_ENCODING, id="identity"),
        pytest.param(post(b"Transfer-Encoding: xchunked"), errors.BAD_TRANSFER_ENCODING, id="xchunked"),
        pytest.param(
            post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
            errors.BAD_TRANSFER_ENCODING,
            id="te twice",
        ),
        pytest.param(post(b"Transfer-Encoding: \x0bchunked"), errors.INVALID_CHARACTERS, id="te with a vertical tab"),
        pytest.param(head(b"get / HTTP/1.1", b"Host: h"), errors.MALFORMED, id="lower-case method"),
        pytest.param(head(b"FOO / HTTP/1.1", b"Host: h"), errors.MALFORMED, id="unknown method"),
        pytest.param(head(b" GET / HTTP/1.1", b"Host: h"), errors.MALFORMED, id="leading blank"),
        pytest.param(head(b"GET /a b HTTP/1.1", b"Host: h"), errors.MALFORMED, id="blank in the target"),
        pytest.param(head(b"GET foo HTTP/1.1", b"Host: h"), errors.MALFORMED, id="relative target"),
        pytest.param(head(b"GET /\xc3\xa9 HTTP/1.1", b"Host: h"), errors.MALFORMED, id="eight-bit target"),
        pytest.param(head(b"GET /\x01 HTTP/1.1", b"Host: h"), errors.INVALID_CHARACTERS, id="control in the target"),
        pytest.param(head(b"GET / http/1.1", b"Host: h"), errors.MALFORMED, id="lower-case version"),
        pytest.param(head(b"GET / HTTP/1.01", b"Host: h"), errors.MALFORMED, id="long version"),
        pytest.param(head(b"GET * HTTP/1.1", b"Host: h"), errors.INVALID_URL, id="star"),
        pytest.param(head(b"GET http:///p HTTP/1.1", b"Host: h"), errors.INVALID_URL, id="no host in the target"),
        pytest.param(head(b"GET ftp://h/p HTTP/1.1", b"Host: h"), errors.INVALID_SCHEME, id="other scheme"),
        pytest.param(head(b"GET / HTTP/1.1", b"Host: a b"), errors.INVALID_AUTHORITY, id="blank in the host"),
        pytest.param(head(b"GET / HTTP/1.1", b"Host: a/b"), errors.INVALID_AUTHORITY, id="slash in the host"),
        pytest.param(get(b"Connection: x-forwarded-for"), errors.BAD_CONNECTION, id="protected header nominated"),
    ],
)
def test_heads_that_nobody_should_guess_about_are_refused(text: bytes, details: str) -> None:
    with pytest.raises(ProtocolError) as error:
        parse(text)
    assert error.value.details == details


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(head(b"GET  /\tHTTP/1.1 ", b"Host: h"), (b"GET", b"/", b"h", ""), id="generous blanks"),
        pytest.param(
            head(b"GET http://u@A.x:8/p?q HTTP/1.1", b"Host: h"),
            (b"GET", b"/p?q", b"A.x:8", "absolute-form"),
            id="absolute form wins over host",
        ),
        pytest.param(head(b"GET http://a HTTP/1.1"), (b"GET", b"/", b"a", "absolute-form"), id="absolute without path"),
        pytest.param(
            head(b"GET http://a?x HTTP/1.1"), (b"GET", b"?x", b"a", "absolute"), id="absolute with query only"
        ),
        pytest.param(head(b"OPTIONS * HTTP/1.1", b"Host: h"), (b"OPTIONS", b"*", b"h", "absolute"), id="options star"),
        pytest.param(head(b"CONNECT a:1 HTTP/1.1", b"Host: h"), (b"CONNECT", b"a:1", b"h", "connect"), id="connect"),
        pytest.param(head(b"GET /a#b HTTP/1.1", b"Host: h"), (b"GET", b"/a#b", b"h", "fragment"), id="fragment"),
        pytest.param(head(b"GET / HTTP/1.1", b"Host: a", b"Host: b"), (b"GET", b"/", b"a,b", ""), id="two hosts"),
        pytest.param(head(b"GET / HTTP/1.1", b"X: y"), (b"GET", b"/", None, ""), id="no host"),
    ],
)
def test_targets_and_hosts(text: bytes, expected: tuple[bytes, bytes, bytes | None, str]) -> None:
    found = parse(text)
    assert (found.method, found.target, found.authority, found.verdict) == expected


@pytest.mark.parametrize(
    ("version", "minor"),
    [(b" HTTP/1.1", 1), (b" HTTP/1.0", 0), (b" HTTP/2.0", -1), (b" HTTP/1.2", -1), (b"", -1)],
)
def test_versions(version: bytes, minor: int) -> None:
    assert parse(head(b"GET /" + version, b"Host: h")).minor == minor


@pytest.mark.parametrize(
    ("lines", "length", "framing"),
    [
        pytest.param([], 0, b"content-length: 0\r\n", id="no body"),
        pytest.param([b"Content-Length: 003"], 3, b"", id="length"),
        pytest.param([b"Transfer-Encoding: CHUNKED "], -1, b"transfer-encoding: chunked\r\n", id="chunked"),
    ],
)
def test_framing_of_a_post(lines: list[bytes], length: int, framing: bytes) -> None:
    found = parse(post(*lines))
    assert (found.content_length, found.framing) == (length, framing)


@pytest.mark.parametrize(
    ("lines", "kept", "close"),
    [
        pytest.param([b"Connection: close"], [], True, id="close"),
        pytest.param([b"Proxy-Connection: close"], [], True, id="proxy-connection"),
        pytest.param([b"Connection: keep-alive", b"Keep-Alive: 5"], [], False, id="keep-alive"),
        pytest.param([b"Connection: X-Foo, close", b"X-Foo: 1", b"X-Bar: 2"], [(b"x-bar", b"2")], True, id="nominated"),
        pytest.param([b"TE: gzip, trailers"], [(b"te", b"trailers")], False, id="te trailers"),
        pytest.param([b"TE: gzip"], [], False, id="te"),
        pytest.param([b"Upgrade: foo"], [], False, id="upgrade without connection"),
        pytest.param(
            [b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: x"], [], False, id="h2c"
        ),
        pytest.param(
            [b"Connection: Upgrade", b"Upgrade: WebSocket"],
            [(b"connection", b"Upgrade"), (b"upgrade", b"WebSocket")],
            False,
            id="websocket",
        ),
    ],
)
def test_hop_by_hop_headers_stay_here(lines: list[bytes], kept: list[tuple[bytes, bytes]], close: bool) -> None:
    found = parse(get(*lines))
    assert (found.fields, found.close) == (kept, close)


def test_options_change_what_is_accepted() -> None:
    assert parse(head(b"FOO / HTTP/1.1", b"Host: h"), RequestOptions(custom_methods=True)).method == b"FOO"
    both = post(b"Content-Length: 3", b"Transfer-Encoding: chunked")
    chunked = parse(both, RequestOptions(chunked_length=True))
    assert chunked.chunked
    assert chunked.fields == [], "the length is not passed on"
    assert parse(get(b"X_A: 1", b"X-B: 2"), RequestOptions(underscores=DROP)).fields == [(b"x-b", b"2")]
    with pytest.raises(ProtocolError):
        parse(get(b"X_A: 1"), RequestOptions(underscores=REJECT))
    assert parse(get(b"X-MiX: 1"), RequestOptions(keep_case=True)).case == {b"host": b"Host", b"x-mix": b"X-MiX"}


def test_a_head_that_is_too_large_is_refused_before_it_ends() -> None:
    parser = parser_for(RequestOptions(max_head_bytes=100))
    assert parser.find_end(b"GET /" + b"a" * 50) == -1
    with pytest.raises(ProtocolError) as error:
        parser.find_end(b"GET /" + b"a" * 100)
    assert error.value.details == errors.HEADERS_TOO_LARGE


@pytest.mark.parametrize(("first", "plausible"), [(b"G", True), (b"\x16", False), (b"g", False), (b" ", False)])
def test_other_protocols_show_in_their_first_byte(first: bytes, plausible: bool) -> None:
    assert PLAIN.plausible(first[0]) is plausible
