import json
from pathlib import Path
from typing import Any

import pytest

from mesh.api.core import Container, Pod
from mesh.node.apps.context import BadSetting
from mesh.node.environment import container_env, expand, program_env

POD = Pod.model_validate(
    {
        "metadata": {"name": "web-1", "namespace": "shop", "uid": "u-1", "labels": {"app": "web"},
                     "annotations": {"a.b/c": "d"}},
        "spec": {"nodeName": "node-1", "containers": []},
    }
)  # fmt: skip


def env_of(*entries: dict[str, Any]) -> dict[str, str]:
    container = Container.model_validate({"name": "app", "env": list(entries)})
    return container_env(container, POD, "127.0.0.2", "127.0.0.3", {("configmap", "c"): {"A": "1"}})


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("plain", "plain"),
        ("$(A)/x", "1/x"),
        ("$(A)$(B)", "12"),
        ("$(NONE)", "$(NONE)"),
        ("$$(A)", "$(A)"),
        ("$A ${A}", "$A ${A}"),
        ("$(A", "$(A"),
        ("cost $", "cost $"),
        ("$$$$", "$$"),
    ],
)
def test_expand(value: str, wanted: str) -> None:
    assert expand(value, {"A": "1", "B": "2"}) == wanted


def test_variables_see_those_above_them() -> None:
    found = env_of({"name": "A", "value": "$(B)"}, {"name": "B", "value": "2"}, {"name": "C", "value": "<$(B)>"},
                   {"name": "D"})  # fmt: skip
    assert found == {"A": "$(B)", "B": "2", "C": "<2>", "D": ""}


@pytest.mark.parametrize(
    ("field", "wanted"),
    [
        ("metadata.name", "web-1"),
        ("metadata.namespace", "shop"),
        ("metadata.uid", "u-1"),
        ("metadata.labels['app']", "web"),
        ("metadata.labels['none']", ""),
        ("metadata.annotations['a.b/c']", "d"),
        ("spec.nodeName", "node-1"),
        ("spec.serviceAccountName", "default"),
        ("status.podIP", "127.0.0.2"),
        ("status.hostIP", "127.0.0.3"),
    ],
)
def test_downward_api(field: str, wanted: str) -> None:
    assert env_of({"name": "X", "valueFrom": {"fieldRef": {"fieldPath": field}}}) == {"X": wanted}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        pytest.param(
            {"fieldRef": {"fieldPath": "spec.x"}}, "env X: fieldRef.fieldPath 'spec.x' is not known", id="field"
        ),
        pytest.param({"resourceFieldRef": {}}, "env X: valueFrom.resourceFieldRef is not executed", id="resource"),
        pytest.param({"secretKeyRef": {"name": "s", "key": "k"}}, 'secret "s" not found', id="no-secret"),
        pytest.param(
            {"configMapKeyRef": {"name": "c", "key": "k"}}, "couldn't find key k in ConfigMap shop/c", id="no-key"
        ),
    ],
)
def test_a_source_that_is_not_known_is_named(source: dict[str, Any], message: str) -> None:
    with pytest.raises(BadSetting, match=message):
        env_of({"name": "X", "valueFrom": source})


SOURCES = {("configmap", "c"): {"A": "1", "B": "2"}, ("secret", "s"): {"B": "3"}, ("configmap", "gone"): None}


def test_whole_sources_come_first_and_the_last_one_wins() -> None:
    groups = [
        {"configMapRef": {"name": "c"}},
        {"secretRef": {"name": "s"}},
        {"prefix": "P_", "configMapRef": {"name": "c"}},
        {"configMapRef": {"name": "gone", "optional": True}},
    ]
    env = [
        {"name": "A", "value": "own $(B)"},
        {"name": "K", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "A"}}},
        {"name": "NO", "valueFrom": {"secretKeyRef": {"name": "s", "key": "none", "optional": True}}},
    ]
    container = Container.model_validate({"name": "app", "envFrom": groups, "env": env})
    assert container_env(container, POD, "", "", SOURCES) == {
        "A": "own 3", "B": "3", "P_A": "1", "P_B": "2", "K": "1",
    }  # fmt: skip


def test_a_missing_source_is_named() -> None:
    container = Container.model_validate({"name": "app", "envFrom": [{"configMapRef": {"name": "gone"}}]})
    with pytest.raises(BadSetting, match='configmap "gone" not found'):
        container_env(container, POD, "", "", SOURCES)


def test_a_program_finds_where_to_listen_and_how_to_call() -> None:
    volumes = {"/data": Path("/x/data"), "/tmp/y": Path("/x/y")}
    found = program_env(POD, address="127.0.0.9", ports=(80, 81), pod_ip="127.0.0.2", proxy="http://p", volumes=volumes,
                        named={"my-data": Path("/x/data"), "dir": Path("/x/y")})  # fmt: skip
    assert {name: found[name] for name in ("HOST", "PORT", "POD_IP", "POD_NAME", "NODE_NAME", "http_proxy")} == {
        "HOST": "127.0.0.9", "PORT": "80", "POD_IP": "127.0.0.2", "POD_NAME": "web-1", "NODE_NAME": "node-1",
        "http_proxy": "http://p",
    }  # fmt: skip
    assert found["no_proxy"] == "localhost,127.0.0.1,127.0.0.0/16"
    assert found["VOLUME_MY_DATA"] == "/x/data"
    assert (found["VOLUME_DIR"], json.loads(found["VOLUMES"])) == ("/x/data", {"/data": "/x/data", "/tmp/y": "/x/y"})


def test_without_ports_volumes_or_sidecar_these_are_not_set() -> None:
    found = program_env(POD, address="127.0.0.9", ports=(), pod_ip="127.0.0.2", proxy="", volumes={}, named={})
    assert found["PORT"] == ""
    assert not {"http_proxy", "VOLUME_DIR", "VOLUMES"} & found.keys()
