"""Only callers that mean this machine are served."""

import pytest

from mesh.api.errors import Forbidden
from mesh.apiserver.guard import check


@pytest.mark.parametrize(
    ("host", "origin", "allowed"),
    [
        ("127.0.0.1:8001", None, True),
        ("127.0.0.1", None, True),
        ("127.18.0.1:30000", None, True),
        ("localhost:8001", None, True),
        ("LocalHost:8001", None, True),
        ("[::1]:8001", None, True),
        (None, None, True),
        ("evil.example:8001", None, False),
        ("127.0.0.1.evil.example:8001", None, False),
        ("localhost.evil.example", None, False),
        ("192.168.1.4:8001", None, False),
        ("0.0.0.0:8001", None, False),
        ("127.0.0.1:8001", "http://127.0.0.1:8001", True),
        ("127.0.0.1:8001", "http://localhost:3000", True),
        ("127.0.0.1:8001", "http://[::1]:3000", True),
        ("127.0.0.1:8001", "https://evil.example", False),
        ("127.0.0.1:8001", "http://127.0.0.1.evil.example", False),
        ("127.0.0.1:8001", "null", False),
        ("127.0.0.1:8001", "", False),
        ("127.0.0.1:8001", "file://", False),
        ("127.0.0.1:8001", "http://[broken", False),
    ],
)
def test_check(host: str | None, origin: str | None, allowed: bool) -> None:
    if allowed:
        check(host, origin)
    else:
        with pytest.raises(Forbidden):
            check(host, origin)
