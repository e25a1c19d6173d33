from typing import Any

import pytest

from mesh.api.validation_lifecycle import deadline_causes, order_causes


def fields(container: dict[str, Any], init: bool = False) -> list[str]:
    return [cause.field for cause in order_causes(container, "c", init)]


@pytest.mark.parametrize(
    ("container", "init", "wrong"),
    [
        ({}, False, []),
        ({}, True, []),
        ({"restartPolicy": "Always"}, True, []),
        ({"restartPolicy": "Always", "startupProbe": {"tcpSocket": {"port": 1}}, "lifecycle": {"preStop": {"sleep": {"seconds": 0}}}}, True, []),
        ({"restartPolicy": "Always"}, False, ["c.restartPolicy"]),
        ({"restartPolicy": "Sometimes"}, True, ["c.restartPolicy", ]),
        ({"readinessProbe": {"tcpSocket": {"port": 1}}}, True, ["c.readinessProbe"]),
        ({"lifecycle": {"preStop": {"exec": {"command": ["x"]}}}}, True, ["c.lifecycle"]),
    ],
)  # fmt: skip
def test_which_containers_may_say_what(container: dict[str, Any], init: bool, wrong: list[str]) -> None:
    assert fields(container, init) == wrong


@pytest.mark.parametrize(
    ("hook", "wrong"),
    [
        ({"exec": {"command": ["sh", "-c", "x"]}}, []),
        ({"httpGet": {"port": "http", "path": "/"}}, []),
        ({"sleep": {"seconds": 5}}, []),
        (None, []),
        ("x", ["c.lifecycle.preStop"]),
        ({}, ["c.lifecycle.preStop"]),
        ({"exec": "x"}, ["c.lifecycle.preStop.exec"]),
        ({"exec": {"command": [5]}}, ["c.lifecycle.preStop.exec.command"]),
        ({"exec": {}}, ["c.lifecycle.preStop.exec.command"]),
        ({"sleep": {"seconds": -1}}, ["c.lifecycle.preStop.sleep.seconds"]),
        ({"sleep": {"seconds": "5"}}, ["c.lifecycle.preStop.sleep.seconds"]),
        ({"httpGet": {}}, ["c.lifecycle.preStop.httpGet.port"]),
        ({"httpGet": {"port": 0}}, ["c.lifecycle.preStop.httpGet.port"]),
        ({"exec": {"command": ["x"]}, "sleep": {"seconds": 1}}, ["c.lifecycle.preStop.sleep"]),
    ],
)
def test_hooks(hook: Any, wrong: list[str]) -> None:
    assert fields({"lifecycle": {"preStop": hook}}) == wrong


@pytest.mark.parametrize(("seconds", "wrong"), [(None, 0), (1, 0), (0, 1)])
def test_deadline(seconds: int | None, wrong: int) -> None:
    assert len(list(deadline_causes({"activeDeadlineSeconds": seconds}, "spec"))) == wrong
