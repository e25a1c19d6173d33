import pytest

from mesh.proxy.http1.status import status_line


@pytest.mark.parametrize(
    ("code", "minor", "line"),
    [
        (200, 1, b"HTTP/1.1 200 OK\r\n"),
        (413, 1, b"HTTP/1.1 413 Payload Too Large\r\n"),
        (418, 1, b"HTTP/1.1 418 Unknown\r\n"),
        (599, 1, b"HTTP/1.1 599 Last Unassigned Server Error Code\r\n"),
        (999, 0, b"HTTP/1.0 999 Unknown\r\n"),
    ],
)
def test_the_phrase_is_envoys(code: int, minor: int, line: bytes) -> None:
    assert status_line(code, minor) == line
