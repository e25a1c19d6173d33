"""In which form does a stored object leave the server?

As the bytes it is stored in where that is what was asked for; converted, as a Table, or as metadata alone where not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from mesh.api import conversion
from mesh.api.scheme import Kind
from mesh.apiserver import table
from mesh.store import Record

Json = dict[str, Any]
JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Form:
    """How one request wants its objects. form: object, table or metadata. include: what a table row carries."""

    kind: Kind
    api_version: str
    form: str = "object"
    include: str = "Metadata"

    def one(self, record: Record, wall_s: float) -> bytes:
        """A single object."""
        if self.form == "table":
            return self._table([record], record.version, wall_s)
        return self._object(record)

    def many(self, records: Iterable[Record], version: int, wall_s: float, more: Json | None = None) -> bytes:
        """A list. more: what its metadata says about the pages that follow."""
        if self.form == "table":
            return self._table(records, version, wall_s, more=more)
        name, api_version = f"{self.kind.kind}List", self.api_version
        if self.form == "metadata":
            name, api_version = "PartialObjectMetadataList", "meta.k8s.io/v1"
        meta = {"resourceVersion": str(version), **(more or {})}
        head = orjson.dumps({"kind": name, "apiVersion": api_version, "metadata": meta, "items": []})
        return head[:-2] + b",".join(self._object(record) for record in records) + b"]}"

    def event(self, kind: str, record: Record, wall_s: float, first: bool) -> bytes:
        """One line of a watch. first: nothing has been sent on it yet."""
        body = self._object(record) if self.form != "table" else self._table([record], record.version, wall_s, first)
        return b'{"type":"' + kind.encode() + b'","object":' + body + b"}\n"

    def bookmark(self, version: int, initial_end: bool = False) -> bytes:
        """A line that only says how far the watch has come."""
        meta: Json = {"resourceVersion": str(version), "creationTimestamp": None}
        if initial_end:
            meta["annotations"] = {"k8s.io/initial-events-end": "true"}
        obj = {"kind": self.kind.kind, "apiVersion": self.api_version, "metadata": meta}
        return orjson.dumps({"type": "BOOKMARK", "object": obj}) + b"\n"

    def _object(self, record: Record) -> bytes:
        if self.form == "metadata":
            return orjson.dumps(table.partial_metadata(record.load()))
        if self.api_version == self.kind.api_version:
            return record.data
        return orjson.dumps(conversion.from_home(self.kind, record.load(), self.api_version))

    def _table(
        self, records: Iterable[Record], version: int, wall_s: float, header: bool = True, more: Json | None = None
    ) -> bytes:
        objects = (record.load() for record in records)
        found = table.table(self.kind, objects, str(version), self.include, wall_s, header)
        found["metadata"].update(more or {})
        return orjson.dumps(found)


def form_of(kind: Kind, api_version: str, accept: str, query: Mapping[str, str]) -> Form:
    """What the Accept header and the query ask for; whatever is not understood is plain JSON."""
    if table.wants_table(accept):
        return Form(kind, api_version, "table", query.get("includeObject", "Metadata"))
    if "as=PartialObjectMetadata" in accept.split(",", 1)[0]:
        return Form(kind, api_version, "metadata")
    return Form(kind, api_version)


def status_success(kind: Kind, record: Record) -> bytes:
    """The answer to a delete that is done. The uid lets a client tell a successor of the same name apart."""
    details: Json = {"name": record.name, "kind": kind.plural, "uid": record.uid}
    if kind.group:
        details["group"] = kind.group
    return orjson.dumps(
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": details,
        }
    )
