import pytest

from mesh.proxy.http1.errors import ProtocolError
from mesh.proxy.http1.response import CHUNKED, UNTIL_CLOSE, parse, spelling


def head(line: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join([line, *lines]) + b"\r\n\r\n"


def test_an_ordinary_answer() -> None:
    found = parse(
        head(b"HTTP/1.1 200 Very Fine", b"Server: x", b"Connection: X-Hop", b"X-Hop: 1", b"Content-Length: 2")
    )
    assert (found.status, found.length, found.reusable) == (200, 2, True)
    assert found.fields == [(b"server", b"x"), (b"x-hop", b"1"), (b"content-length", b"2")]


@pytest.mark.parametrize(
    ("text", "length", "reusable"),
    [
        pytest.param(head(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked"), CHUNKED, True, id="chunked"),
        pytest.param(head(b"HTTP/1.1 200 OK"), UNTIL_CLOSE, False, id="until close"),
        pytest.param(head(b"HTTP/1.1 200 OK", b"Connection: close", b"Content-Length: 0"), 0, False, id="close"),
        pytest.param(head(b"HTTP/1.0 200 OK", b"Content-Length: 0"), 0, False, id="1.0"),
        pytest.param(head(b"HTTP/1.0 200 OK", b"Content-Length: 0", b"Connection: Keep-Alive"), 0, True, id="1.0 kept"),
        pytest.param(head(b"HTTP/1.1 204 x"), UNTIL_CLOSE, True, id="204"),
        pytest.param(head(b"HTTP/1.1  200"), UNTIL_CLOSE, False, id="no phrase"),
        pytest.param(b"HTTP/1.1 200 OK\nContent-Length: 2\n\n", 2, True, id="bare line feeds"),
    ],
)
def test_framing(text: bytes, length: int, reusable: bool) -> None:
    found = parse(text)
    assert (found.length, found.reusable) == (length, reusable)


def test_a_204_loses_its_length() -> None:
    assert parse(head(b"HTTP/1.1 204 No Content", b"Content-Length: 0")).fields == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"garbage\r\n\r\n", id="garbage"),
        pytest.param(head(b"http/1.1 200 OK"), id="lower-case version"),
        pytest.param(head(b"HTTP/1.1 99 x"), id="status 99"),
        pytest.param(head(b"HTTP/1.1 2x0 x"), id="no number"),
        pytest.param(head(b"HTTP/1.1 200 OK", b"Content-Length: 2", b"Transfer-Encoding: chunked"), id="cl+te"),
        pytest.param(head(b"HTTP/1.1 200 OK", b"Content-Length: 2", b"Content-Length: 2"), id="two lengths"),
        pytest.param(head(b"HTTP/1.1 200 OK", b"Transfer-Encoding: gzip, chunked"), id="gzip, chunked"),
        pytest.param(head(b"HTTP/1.1 204 x", b"Content-Length: 3"), id="204 with a body"),
        pytest.param(head(b"HTTP/1.1 200 OK", b"X : 1"), id="blank before the colon"),
    ],
)
def test_answers_that_are_not_http_are_refused(text: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse(text)


def test_the_spelling_of_names_can_be_kept() -> None:
    assert spelling(head(b"HTTP/1.1 200 OK", b"X-RePly: 1")) == {b"x-reply": b"X-RePly"}
