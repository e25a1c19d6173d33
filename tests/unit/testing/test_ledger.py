"""Naming the causes of failed requests."""

import pytest

from mesh.testing.answers import Failure
from mesh.testing.ledger import APPLICATION, NO_ENDPOINT, REFUSED, RESET, TIMEOUT, Entry, cause_of, entries, total

_BEFORE = "upstream connect error or disconnect/reset before headers. reset reason: "


@pytest.mark.parametrize(
    ("cause", "detail", "named"),
    [
        pytest.param("503", "no healthy upstream", NO_ENDPOINT, id="nobody to send to"),
        pytest.param("503", _BEFORE + "remote connection failure", REFUSED, id="refused behind the gateway"),
        pytest.param("503", _BEFORE + "connection termination", RESET, id="cut behind the gateway"),
        pytest.param("503", _BEFORE + "connection timeout", TIMEOUT, id="no connection in time"),
        pytest.param("504", "upstream request timeout", TIMEOUT, id="no answer in time"),
        pytest.param("500", "Host: a, Version: v2", APPLICATION, id="the application's own"),
        pytest.param("503", "", APPLICATION, id="without a word"),
        pytest.param("refused", "nobody listens", REFUSED, id="the client's own word"),
        pytest.param("reset", "no healthy upstream", RESET, id="a word in the detail of another failure"),
    ],
)
def test_cause(cause: str, detail: str, named: str) -> None:
    assert cause_of(Failure(0.0, cause, detail)) == named


def test_entries_join_what_is_close_in_time() -> None:
    failures = [
        Failure(1.0, "refused", "first"), Failure(1.2, "reset", "cut"), Failure(1.4, "refused", "second"),
        Failure(3.0, "refused", "third"),
    ]  # fmt: skip
    found = entries(failures, 10.0)
    assert found == [
        Entry("refused", 11.0, 11.4, 2, "first"),
        Entry("reset", 11.2, 11.2, 1, "cut"),
        Entry("refused", 13.0, 13.0, 1, "third"),
    ]
    assert list(total(found).items()) == [("refused", 3), ("reset", 1)]
