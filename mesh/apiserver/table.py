"""What does `kubectl get` print?

The server makes the cells; clients only align them. One table of columns and one row function a kind, in
`table_cells` and `table_pod`.
"""

from collections.abc import Iterable
from typing import Any

from mesh.api.scheme import Kind
from mesh.apiserver.table_cells import Cells, Column, of_kind

Json = dict[str, Any]


def wants_table(accept: str) -> bool:
    """True when the first form that the client would accept is a Table."""
    first = accept.split(",", 1)[0].replace(" ", "")
    return "as=Table" in first and "g=meta.k8s.io" in first


def table(kind: Kind, objects: Iterable[Json], version: str, include: str, wall_s: float, header: bool = True) -> Json:
    """The Table of some objects in their home version.

    include: Object, Metadata or None: what each row carries beside its cells.  header: False where the client has
    seen the columns already.
    """
    columns, cells = of_kind(kind)
    found: Json = {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version},
        "columnDefinitions": [_definition(column) for column in columns] if header else None,
        "rows": [_row(kind, obj, cells, include, wall_s) for obj in objects],
    }
    return found


def partial_metadata(obj: Json) -> Json:
    """The metadata alone."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def _definition(column: Column) -> Json:
    return {
        "name": column.name,
        "type": column.type,
        "format": "name" if column.name == "Name" else "",
        "description": column.name,
        "priority": column.priority,
    }


def _row(kind: Kind, obj: Json, cells: Cells, include: str, wall_s: float) -> Json:
    row: Json = {"cells": cells(obj, wall_s)}
    phase = (obj.get("status") or {}).get("phase") if kind.kind == "Pod" else None
    if phase in ("Succeeded", "Failed"):
        row["conditions"] = [{"type": "Completed", "status": "True", "reason": phase}]
    if include == "Object":
        row["object"] = obj
    elif include != "None":
        row["object"] = partial_metadata(obj)
    return row
