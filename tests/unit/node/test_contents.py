from typing import Any

import pytest

from mesh.api.core import Pod, Volume
from mesh.node.apps.context import BadSetting
from mesh.node.contents import File, files_of, keys_of, named

POD = Pod.model_validate(
    {
        "metadata": {"name": "web", "namespace": "shop", "uid": "u", "labels": {"b": 'q"', "a": "1"}},
        "spec": {
            "containers": [{"name": "app", "resources": {"limits": {"memory": "64Mi"}, "requests": {"cpu": "250m"}}}]
        },
    }
)
HELD = {("configmap", "c"): {"x": b"1", "y": b"2"}, ("secret", "s"): {"key": b"k"}, ("configmap", "none"): None,
        ("secret", "none"): None}  # fmt: skip


def files(**volume: Any) -> dict[str, tuple[bytes, int]]:
    found = files_of(Volume.model_validate({"name": "v", **volume}), POD, HELD)
    return {name: (file.data, file.mode) for name, file in found.items()}


def test_a_file_a_key() -> None:
    assert files(configMap={"name": "c"}) == {"x": (b"1", 0o644), "y": (b"2", 0o644)}
    assert files(secret={"secretName": "s", "defaultMode": 256}) == {"key": (b"k", 0o400)}


def test_items_choose_and_rename() -> None:
    items = [{"key": "x", "path": "sub/renamed", "mode": 0o600}]
    assert files(configMap={"name": "c", "items": items, "defaultMode": 0o444}) == {"sub/renamed": (b"1", 0o600)}


@pytest.mark.parametrize("kind", ["configMap", "secret"])
def test_what_is_optional_may_be_missing(kind: str) -> None:
    name = {"configMap": "name", "secret": "secretName"}[kind]
    assert files(**{kind: {name: "none", "optional": True}}) == {}
    present = {"configMap": "c", "secret": "s"}[kind]
    items = [{"key": "nope", "path": "nope"}]
    assert files(**{kind: {name: present, "optional": True, "items": items}}) == {}


def test_several_sources_in_one_directory() -> None:
    sources = [
        {"configMap": {"name": "c", "items": [{"key": "x", "path": "x"}]}},
        {"secret": {"name": "s"}},
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
    ]
    found = files(projected={"sources": sources, "defaultMode": 0o440})
    assert found == {"x": (b"1", 0o440), "key": (b"k", 0o440), "labels": (b'a="1"\nb="q\\""', 0o440)}
    volume = Volume.model_validate({"name": "v", "projected": {"sources": sources}})
    assert set(named(volume)) == {("configmap", "c"), ("secret", "s")}


@pytest.mark.parametrize(
    ("item", "wanted"),
    [
        ({"fieldRef": {"fieldPath": "metadata.name"}}, "web"),
        ({"fieldRef": {"fieldPath": "metadata.labels['a']"}}, "1"),
        ({"fieldRef": {"fieldPath": "metadata.annotations"}}, ""),
        ({"resourceFieldRef": {"containerName": "app", "resource": "limits.memory"}}, str(64 << 20)),
        ({"resourceFieldRef": {"containerName": "app", "resource": "limits.memory", "divisor": "1Mi"}}, "64"),
        ({"resourceFieldRef": {"containerName": "app", "resource": "requests.cpu"}}, "1"),
        ({"resourceFieldRef": {"containerName": "app", "resource": "requests.cpu", "divisor": "1m"}}, "250"),
        ({"resourceFieldRef": {"containerName": "app", "resource": "limits.cpu"}}, "8"),
    ],
)
def test_what_the_pod_says_of_itself(item: dict[str, Any], wanted: str) -> None:
    assert files(downwardAPI={"items": [{"path": "f", **item}]})["f"][0].decode() == wanted


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        pytest.param({"configMap": {"name": "none"}}, 'configmap "none" not found', id="no map"),
        pytest.param({"secret": {"secretName": "none"}}, 'secret "none" not found', id="no secret"),
        pytest.param(
            {"configMap": {"name": "c", "items": [{"key": "z", "path": "z"}]}},
            "configmap references non-existent config key: z", id="no key",
        ),
        pytest.param(
            {"secret": {"secretName": "s", "items": [{"key": "z", "path": "z"}]}},
            "references non-existent secret key: z", id="no key in a secret",
        ),
        pytest.param({"configMap": {"name": "c", "items": [{"key": "x", "path": "../x"}]}}, "cannot be the path", id="up"),
        pytest.param({"configMap": {"name": "c", "items": [{"key": "x", "path": "/x"}]}}, "cannot be the path", id="root"),
        pytest.param({"configMap": {"name": "c", "items": [{"key": "x", "path": "..x"}]}}, "cannot be the path", id="dots"),
        pytest.param({"downwardAPI": {"items": [{"path": "f", "fieldRef": {"fieldPath": "spec.x"}}]}}, "is not known", id="field"),
        pytest.param(
            {"downwardAPI": {"items": [{"path": "f", "resourceFieldRef": {"resource": "limits.cpu"}}]}},
            "no container named None", id="no container",
        ),
        pytest.param({"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}, "not executed", id="token"),
    ],
)  # fmt: skip
def test_what_is_refused(volume: dict[str, Any], message: str) -> None:
    with pytest.raises(BadSetting, match=message):
        files(**volume)


def test_keys_as_bytes() -> None:
    assert keys_of({"a": "x"}, {"b": "//4=", "c": "a"}) == {"a": b"x", "b": b"\xff\xfe", "c": b"a"}
    assert File(b"", 0o644) == File(b"", 0o644)
