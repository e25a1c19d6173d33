import pytest

from mesh.proxy.answer import (
    APPEND_IF_ABSENT,
    OVERWRITE,
    PASS_THROUGH,
    finish_fields,
    plain_head,
    prefix_of,
    write_head,
)
from mesh.proxy.http1.response import parse_response
from mesh.proxy.local_reply import date_line


def written(lines: str, mode: int) -> list[str]:
    head = parse_response(f"HTTP/1.1 200 x\r\n{lines}\r\n".encode())
    text = plain_head(prefix_of(head, b"envoy", mode), 7, b"").replace(date_line(), b"date: D\r\n")
    assert text.endswith(b"\r\n\r\n")
    return text.decode()[:-4].split("\r\n")[1:]


@pytest.mark.parametrize(
    ("lines", "mode", "expected"),
    [
        pytest.param(
            "a: 1\r\n", OVERWRITE, ["a: 1", "x-envoy-upstream-service-time: 7", "date: D", "server: envoy"], id="add"
        ),
        pytest.param(
            "server: x\r\ndate: E\r\na: 1\r\n",
            OVERWRITE,
            ["server: envoy", "date: E", "a: 1", "x-envoy-upstream-service-time: 7"],
            id="overwrite in place",
        ),
        pytest.param(
            "server: x\r\n", APPEND_IF_ABSENT, ["server: x", "x-envoy-upstream-service-time: 7", "date: D"], id="keep"
        ),
        pytest.param("a: 1\r\n", PASS_THROUGH, ["a: 1", "x-envoy-upstream-service-time: 7", "date: D"], id="pass"),
        pytest.param(
            "x-envoy-upstream-service-time: 999\r\na: 1\r\n",
            PASS_THROUGH,
            ["x-envoy-upstream-service-time: 7", "a: 1", "date: D"],
            id="time in place",
        ),
    ],
)
def test_the_lines_of_a_relayed_answer(lines: str, mode: int, expected: list[str]) -> None:
    assert written(lines, mode) == expected


@pytest.mark.parametrize("mode", [OVERWRITE, APPEND_IF_ABSENT, PASS_THROUGH])
def test_the_long_way_ends_the_same(mode: int) -> None:
    fields = [(b"server", b"x")]
    finish_fields(fields, b"envoy", mode)
    assert [name for name, _ in fields] == [b"server", b"date"]
    assert fields[0][1] == (b"envoy" if mode == OVERWRITE else b"x")


def test_names_can_keep_their_spelling() -> None:
    text = write_head(200, [(b"x-reply", b"1")], b"connection: close\r\n", 0, {b"x-reply": b"X-RePly"})
    assert text == b"HTTP/1.0 200 OK\r\nX-RePly: 1\r\nconnection: close\r\n\r\n"
