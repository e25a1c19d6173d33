from typing import Any

import pytest

from mesh.api.validation_volumes import mount_causes, resource_causes, source_causes

ITEMS = [{"key": "a", "path": "sub/a", "mode": 0o400}]
FACTS = [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]


@pytest.mark.parametrize(
    "volume",
    [
        {},
        {"emptyDir": {}},
        {"emptyDir": {"sizeLimit": "1Gi", "medium": "Memory"}},
        {"emptyDir": {"sizeLimit": 1000}},
        {"hostPath": {"path": "/a", "type": ""}},
        {"hostPath": {"path": "/a", "type": "DirectoryOrCreate"}},
        {"persistentVolumeClaim": {"claimName": "c"}},
        {"configMap": {"name": "c", "items": ITEMS, "defaultMode": 420}},
        {"secret": {"secretName": "s", "optional": True}},
        {"downwardAPI": {"items": FACTS}},
        {"projected": {"sources": [{"configMap": {"name": "c"}}, {"secret": {"name": "s"}}, {"downwardAPI": {"items": FACTS}},
                                   {"serviceAccountToken": {"path": "t"}}]}},
        {"nfs": "whatever"},
    ],
)  # fmt: skip
def test_what_is_well(volume: dict[str, Any]) -> None:
    assert list(source_causes(volume, "v")) == []


@pytest.mark.parametrize(
    ("volume", "field"),
    [
        ({"emptyDir": "x"}, "v.emptyDir"),
        ({"emptyDir": {"sizeLimit": "lots"}}, "v.emptyDir.sizeLimit"),
        ({"emptyDir": {"sizeLimit": "-1Gi"}}, "v.emptyDir.sizeLimit"),
        ({"hostPath": {}}, "v.hostPath.path"),
        ({"hostPath": {"path": "/a/../b"}}, "v.hostPath.path"),
        ({"hostPath": {"path": "/a", "type": "Folder"}}, "v.hostPath.type"),
        ({"persistentVolumeClaim": {}}, "v.persistentVolumeClaim.claimName"),
        ({"configMap": {}}, "v.configMap.name"),
        ({"configMap": {"name": "c", "items": "x"}}, "v.configMap.items"),
        ({"configMap": {"name": "c", "items": ["x"]}}, "v.configMap.items[0]"),
        ({"configMap": {"name": "c", "items": [{"path": "p"}]}}, "v.configMap.items[0].key"),
        ({"configMap": {"name": "c", "items": [{"key": "k"}]}}, "v.configMap.items[0].path"),
        ({"configMap": {"name": "c", "items": [{"key": "k", "path": "/p"}]}}, "v.configMap.items[0].path"),
        ({"configMap": {"name": "c", "items": [{"key": "k", "path": "../p"}]}}, "v.configMap.items[0].path"),
        ({"configMap": {"name": "c", "items": [{"key": "k", "path": 5}]}}, "v.configMap.items[0].path"),
        ({"configMap": {"name": "c", "defaultMode": 0o1000}}, "v.configMap.defaultMode"),
        ({"configMap": {"name": "c", "defaultMode": "0644"}}, "v.configMap.defaultMode"),
        ({"secret": {"name": "s"}}, "v.secret.secretName"),
        ({"downwardAPI": {"items": [{"path": "p"}]}}, "v.downwardAPI.items[0]"),
        ({"downwardAPI": {"items": [{"path": "p", "fieldRef": "x"}]}}, "v.downwardAPI.items[0].fieldRef"),
        ({"projected": {"sources": ["x"]}}, "v.projected.sources[0]"),
        ({"projected": {"sources": [{"secret": {}}]}}, "v.projected.sources[0].secret.name"),
    ],
)
def test_what_is_wrong(volume: dict[str, Any], field: str) -> None:
    assert [cause.field for cause in source_causes(volume, "v")] == [field]


@pytest.mark.parametrize(
    ("mounts", "fields"),
    [
        ([{"mountPath": "/a"}, {"mountPath": "/b", "subPath": "x/y"}], []),
        ([{"mountPath": "/a"}, {"mountPath": "/a"}], ["c.volumeMounts[1].mountPath"]),
        ([{"mountPath": "/a\0"}], ["c.volumeMounts[0].mountPath"]),
        ([{"mountPath": "/a", "subPath": "../x"}], ["c.volumeMounts[0].subPath"]),
        ([{"mountPath": "/a", "subPathExpr": "/x"}], ["c.volumeMounts[0].subPathExpr"]),
        ([{"mountPath": "/a", "subPath": "x", "subPathExpr": "y"}], ["c.volumeMounts[0].subPathExpr"]),
        ("x", []),
        (["x"], []),
    ],
)
def test_mounts(mounts: Any, fields: list[str]) -> None:
    assert [cause.field for cause in mount_causes({"volumeMounts": mounts}, "c")] == fields


@pytest.mark.parametrize(
    ("reference", "fields"),
    [
        ({"resource": "limits.cpu", "divisor": "1m"}, []),
        ({"resource": "limits.cpu", "divisor": "x"}, ["r.divisor"]),
        ({}, ["r.resource"]),
        ("x", ["r"]),
    ],
)
def test_resources(reference: Any, fields: list[str]) -> None:
    assert [cause.field for cause in resource_causes(reference, "r")] == fields
