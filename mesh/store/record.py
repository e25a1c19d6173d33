"""How does one version of one object rest in memory?

As its JSON bytes plus the few things that lookups need. Bytes can not be changed by whoever holds them, go to a socket
as they are, and take a quarter of what dictionaries take (a running pod: 3 KB against 12 KB).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

Index = Callable[[str, dict[str, Any]], Mapping[str, str]]
"""(resource, object) -> the values of the fields that selectors may ask for."""


@dataclass(frozen=True, slots=True)
class Record:
    """One version of one object. labels and fields are for selectors; nobody may change them."""

    resource: str
    namespace: str
    name: str
    version: int
    uid: str
    data: bytes
    labels: Mapping[str, str]
    fields: Mapping[str, str]

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name)."""
        return (self.namespace, self.name)

    def load(self) -> dict[str, Any]:
        """The object as a fresh dictionary that the caller may change."""
        loaded: dict[str, Any] = orjson.loads(self.data)
        return loaded


def make(resource: str, obj: dict[str, Any], version: int, index: Index) -> Record:
    """The record of `obj` at `version`; writes the version into the object's metadata."""
    meta = obj["metadata"]
    meta["resourceVersion"] = str(version)
    return Record(
        resource,
        meta.get("namespace") or "",
        meta["name"],
        version,
        meta.get("uid") or "",
        orjson.dumps(obj),
        meta.get("labels") or {},
        index(resource, obj),
    )
