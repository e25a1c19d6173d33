import pytest

from mesh.proxy import exchange
from mesh.proxy.http1 import errors
from mesh.proxy.local_reply import NO_ENDPOINT, Failure, codec_failure, reply_fields, reset_failure, serialise


@pytest.mark.parametrize(
    ("details", "status", "body"),
    [
        (errors.MALFORMED, 400, b"Bad Request"),
        (errors.BAD_TRANSFER_ENCODING, 501, b"Not Implemented"),
        (errors.TOO_MANY_HEADERS, 431, b"Request Header Fields Too Large"),
    ],
)
def test_bytes_that_are_not_http(details: str, status: int, body: bytes) -> None:
    failure = codec_failure(details)
    assert (failure.status, failure.body, failure.flag) == (status, body, b"DPE")


@pytest.mark.parametrize(
    ("reason", "status", "flag"),
    [
        (exchange.CONNECT_FAILED, 503, b"UF"),
        (exchange.CONNECT_TIMEOUT, 503, b"UF"),
        (exchange.TERMINATED, 503, b"UC"),
        (exchange.PROTOCOL, 502, b"UPE"),
        (exchange.OVERFLOW, 503, b"UO"),
    ],
)
def test_endpoints_that_failed(reason: str, status: int, flag: bytes) -> None:
    failure = reset_failure(reason, "", retried=False)
    assert (failure.status, failure.flag) == (status, flag)
    assert (
        failure.body == b"upstream connect error or disconnect/reset before headers. reset reason: " + reason.encode()
    )
    assert b"retried and the latest reset reason: " in reset_failure(reason, "", retried=True).body


def test_grpc_clients_get_a_grpc_status() -> None:
    status, fields, body = reply_fields(NO_ENDPOINT, [], grpc=True)
    assert (status, body) == (200, b"")
    assert fields[1:] == [(b"grpc-status", b"14"), (b"grpc-message", b"no healthy upstream")]


def test_a_route_may_say_the_content_type() -> None:
    _, fields, _ = reply_fields(Failure(200, b"{}", b"", b""), [(b"content-type", b"application/json")], grpc=False)
    assert fields == [(b"content-type", b"application/json"), (b"content-length", b"2")]


@pytest.mark.parametrize(
    ("status", "head_only", "framing"),
    [(404, False, b"content-length: 0\r\n"), (404, True, b"transfer-encoding: chunked\r\n"), (204, False, b"")],
)
def test_framing_of_an_empty_reply(status: int, head_only: bool, framing: bytes) -> None:
    text = serialise(status, [], b"", minor=1, head_only=head_only)
    assert text.partition(b"\r\n")[2] == framing + b"\r\n"
