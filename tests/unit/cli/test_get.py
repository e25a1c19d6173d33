"""What is asked of the server, and what is printed of its answers."""

import json
from typing import Any

import pytest

from mesh.api import errors
from mesh.cli import get as command
from mesh.cli import rest
from mesh.cli.errors import UserError

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "default"}}
SERVICE = {"metadata": {"name": "s", "namespace": "default"}}
COLUMNS = [{"name": "Name"}, {"name": "Age"}, {"name": "IP", "priority": 1}]


class Server:
    """Answers as an API server that has one pod, one service and one deployment."""

    def __init__(self, _url: str = "") -> None:
        self.asked: list[str] = []

    def call(self, _method: str, path: str, accept: str = "", **_: Any) -> dict[str, Any]:
        self.asked.append(path)
        plural, _, name = path.partition("?")[0].partition("/default/")[2].partition("/")
        plural = plural or path.partition("?")[0].rpartition("/")[2]
        items = {"pods": [POD], "services": [SERVICE], "deployments": [{"metadata": {"name": "d"}}]}.get(plural, [])
        if name and not any(item["metadata"]["name"] == name for item in items):
            raise errors.NotFound.of(plural, "", name)
        if accept != rest.TABLE:
            return items[0] if name else {"items": items}
        rows = [{"cells": [item["metadata"]["name"], "1s", "ip"], "object": item} for item in items]
        return {"columnDefinitions": COLUMNS, "rows": rows}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.setattr(command, "choose", lambda _name: type("Chosen", (), {"api": ""})())
    monkeypatch.setattr(command.rest, "Rest", Server)

    def go(kind: str, name: str | None = None, form: str | None = None, everywhere: bool = False) -> tuple[str, str]:
        command.get(kind, name, "default", everywhere, "", command.Form(form) if form else None, None)
        return capsys.readouterr()

    return go


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        pytest.param("po", ["Pod"], id="one"),
        pytest.param("pods,svc", ["Pod", "Service"], id="two"),
        pytest.param("svc,pods,po", ["Service", "Pod"], id="each-once"),
        pytest.param("pvc,pv,sc", ["PersistentVolumeClaim", "PersistentVolume", "StorageClass"], id="storage"),
    ],
)
def test_kinds(words: str, kinds: list[str]) -> None:
    assert [kind.kind for kind in command.kinds_named(words)] == kinds


def test_all_is_what_kubectl_calls_all() -> None:
    kinds = {kind.kind for kind in command.kinds_named("all,pods")}
    assert {"Pod", "Service", "Deployment", "StatefulSet", "DaemonSet", "Job"} <= kinds
    assert "ConfigMap" not in kinds


@pytest.mark.parametrize("words", ["nope", "pods,nope", "pods,"])
def test_an_unknown_kind_is_named(words: str) -> None:
    with pytest.raises(UserError, match="no kind named"):
        command.kinds_named(words)


def test_one_kind(run: Any) -> None:
    assert run("pods").out == "NAME   AGE\na      1s\n"
    assert run("pods", form="wide").out == "NAME   AGE   IP\na      1s    ip\n"
    assert run("pods", everywhere=True).out == "NAMESPACE   NAME   AGE\ndefault     a      1s\n"
    assert run("pods", "a", form="name").out == "pod/a\n"
    assert json.loads(run("pods", "a", form="json").out) == POD
    assert run("cm").err == "No resources found in default namespace.\n"
    assert run("nodes").err == "No resources found\n"


def test_several_kinds_are_told_apart(run: Any) -> None:
    out = run("pods,svc,deploy").out
    assert [line.split()[0] for line in out.splitlines() if line] == [
        "NAME", "pod/a", "NAME", "service/s", "NAME", "deployment.apps/d",
    ]  # fmt: skip
    assert run("pods,svc", form="name").out == "pod/a\nservice/s\n"
    found = json.loads(run("pods,svc", form="json").out)
    assert [(item["kind"], item["metadata"]["name"]) for item in found["items"]] == [("Pod", "a"), ("Service", "s")]
    assert "kind: Service" in run("svc,pods", form="yaml").out


def test_refusals(run: Any) -> None:
    with pytest.raises(UserError, match='pods "b" not found'):
        run("pods", "b")
    with pytest.raises(UserError, match="give KIND NAME"):
        run("pods", "pod/b")
    with pytest.raises(UserError, match="of one namespace"):
        run("pods", "b", everywhere=True)
