"""Tables as kubectl reads them."""

from typing import Any

import pytest

from mesh.api.scheme import BY_NAME
from mesh.apiserver.table import partial_metadata, table, wants_table

POD = BY_NAME["pods"]
OBJ = {"metadata": {"name": "p", "labels": {"a": "b"}}, "spec": {"x": 1}, "status": {"phase": "Succeeded"}}


@pytest.mark.parametrize(
    ("accept", "wants"),
    [
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", True),
        ("application/json; as=Table; v=v1; g=meta.k8s.io", True),
        ("application/json,application/json;as=Table;v=v1;g=meta.k8s.io", False),
        ("application/json", False),
        ("", False),
    ],
)
def test_wants_table(accept: str, wants: bool) -> None:
    assert wants_table(accept) is wants


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        pytest.param("Metadata", partial_metadata(OBJ), id="metadata"),
        pytest.param("Object", OBJ, id="object"),
        pytest.param("None", None, id="none"),
    ],
)
def test_rows_carry_what_was_asked_for(include: str, expected: Any) -> None:
    row = table(POD, [OBJ], "5", include, 0.0)["rows"][0]
    assert row.get("object") == expected
    assert row["conditions"] == [{"type": "Completed", "status": "True", "reason": "Succeeded"}]


def test_columns() -> None:
    found = table(POD, [], "5", "Metadata", 0.0)
    assert found["metadata"] == {"resourceVersion": "5"}
    names = [(column["name"], column["priority"]) for column in found["columnDefinitions"]]
    assert names[:5] == [("Name", 0), ("Ready", 0), ("Status", 0), ("Restarts", 0), ("Age", 0)]
    assert names[5] == ("IP", 1)
    assert found["columnDefinitions"][0]["format"] == "name"
    assert table(POD, [], "5", "Metadata", 0.0, header=False)["columnDefinitions"] is None
    counts = {c["name"]: c["type"] for c in table(BY_NAME["events"], [], "5", "", 0.0)["columnDefinitions"]}
    assert counts["Count"] == "integer"
