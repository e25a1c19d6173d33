"""Which part of a list does a client get that asks for it in pieces?

A token says where the next piece begins and at which version the first was read; a watch from that version tells what
has changed meanwhile. Lists are in (namespace, name) order, so a piece begins after a key, whatever came and went.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import orjson

from mesh.api.errors import BadRequest
from mesh.apiserver.numbers import whole
from mesh.store import Record


@dataclass(frozen=True, slots=True)
class Page:
    """Some records of a list, and what its metadata says about the rest."""

    records: list[Record]
    version: int
    more: dict[str, Any]


def page_of(records: list[Record], version: int, limit: str, token: str) -> Page:
    """The next piece. limit, token: as in the query, empty where nothing is asked. Raises BadRequest."""
    most = whole("limit", limit)
    if token:
        version, after = _read(token)
        records = [found for found in records if found.key > after]
    if not most or len(records) <= most:
        return Page(records, version, {})
    taken = records[:most]
    more = {"continue": _write(version, taken[-1].key), "remainingItemCount": len(records) - most}
    return Page(taken, version, more)


def _write(version: int, key: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([version, *key])).decode()


def _read(token: str) -> tuple[int, tuple[str, str]]:
    try:
        version, namespace, name = orjson.loads(base64.urlsafe_b64decode(token.encode()))
        return int(version), (str(namespace), str(name))
    except (binascii.Error, orjson.JSONDecodeError, ValueError, TypeError) as error:
        raise BadRequest("continue key is not valid: list again without it") from error
