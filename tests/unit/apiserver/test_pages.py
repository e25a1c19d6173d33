"""A list in pieces is the list."""

import base64

import pytest

from mesh.api.errors import BadRequest
from mesh.apiserver.pages import page_of
from mesh.store import Record, record

NAMES = ["a", "b", "c", "d", "e"]


def records(names: list[str]) -> list[Record]:
    metas = [{"metadata": {"name": name, "namespace": "n"}} for name in names]
    return [record.make("pods", obj, 5, lambda resource, obj: {}) for obj in metas]


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 9])
def test_pieces_make_the_whole(limit: int) -> None:
    found: list[str] = []
    token = ""
    while True:
        page = page_of(records(NAMES), 7 if not token else 99, str(limit), token)
        found += [one.name for one in page.records]
        assert page.version == 7
        token = page.more.get("continue", "")
        if not token:
            break
        assert page.more["remainingItemCount"] == len(NAMES) - len(found)
    assert found == NAMES


def test_what_went_meanwhile_shifts_nothing() -> None:
    first = page_of(records(NAMES), 7, "2", "")
    second = page_of(records(["c", "d", "e"]), 9, "2", first.more["continue"])
    assert [one.name for one in second.records] == ["c", "d"]


@pytest.mark.parametrize(
    ("limit", "token"),
    [("x", ""), ("-1", ""), ("", "x"), ("", "ä"), ("", base64.urlsafe_b64encode(b"{}").decode())],
)
def test_refusals(limit: str, token: str) -> None:
    with pytest.raises(BadRequest):
        page_of(records(NAMES), 7, limit, token)
