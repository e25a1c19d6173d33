from typing import Any

import pytest

from mesh.api.core import Pod
from mesh.node.flagged import not_executed
from mesh.node.images import ImageTable

IMAGES = ImageTable({"web": "serve", "tool": "run"})
EXEC = {"exec": {"command": ["nginx", "-s", "quit"]}}


def lines(spec: dict[str, Any]) -> list[tuple[str, str | None]]:
    pod = Pod.model_validate({"spec": spec})
    both = (*(pod.spec.init_containers or ()), *pod.spec.containers)
    return list(not_executed(pod, {container.name: IMAGES.find(container.image) for container in both}))


@pytest.mark.parametrize(
    ("spec", "field", "container"),
    [
        pytest.param({"hostNetwork": True}, "spec.hostNetwork", None, id="host network"),
        pytest.param({"readinessGates": [{"conditionType": "x"}]}, "spec.readinessGates", None, id="gates"),
        pytest.param(
            {"initContainers": [{"name": "i", "image": "httpd"}]}, "spec.initContainers{i}", "i", id="init that serves"
        ),
        pytest.param({"containers": [{"name": "app", "command": ["x"]}]}, "spec.containers{app}.command", "app", id="command"),
        pytest.param(
            {"containers": [{"name": "app", "lifecycle": {"preStop": EXEC}}]},
            "spec.containers{app}.lifecycle.preStop", "app", id="hook of a built-in application",
        ),
        pytest.param(
            {"containers": [{"name": "app", "image": "web", "lifecycle": {"postStart": {"tcpSocket": {"port": 1}}}}]},
            "spec.containers{app}.lifecycle.postStart", "app", id="hook of another kind",
        ),
        pytest.param(
            {"containers": [{"name": "app", "lifecycle": {"preStop": {"httpGet": {"port": 1, "scheme": "HTTPS"}}}}]},
            "spec.containers{app}.lifecycle.preStop", "app", id="hook over https",
        ),
        pytest.param(
            {"containers": [{"name": "app", "ports": [{"containerPort": 1, "hostPort": 2}]}]},
            "spec.containers{app}.ports.hostPort", "app", id="host port",
        ),
        pytest.param(
            {"containers": [{"name": "app", "ports": [{"containerPort": 1, "protocol": "UDP"}]}]},
            "spec.containers{app}.ports.protocol", "app", id="udp",
        ),
        pytest.param(
            {"containers": [{"name": "app", "livenessProbe": {"grpc": {"port": 1}}}]},
            "Liveness probe ignored", "app", id="probe",
        ),
    ],
)  # fmt: skip
def test_a_field_that_is_not_executed_is_named(spec: dict[str, Any], field: str, container: str | None) -> None:
    assert [(line.partition(":")[0], whose) for line, whose in lines(spec)] == [(field, container)]


def test_a_users_program_is_told_what_it_does_not_get() -> None:
    container = {"name": "app", "image": "web", "command": ["sh"], "workingDir": "/app"}
    assert [line for line, _ in lines({"containers": [container]})] == [
        "spec.containers{app}.command: web runs as --image says",
        "spec.containers{app}.workingDir: /app is in no volume; programs have no other files of an image",
    ]


@pytest.mark.parametrize(
    "spec",
    [
        {"containers": [{"name": "app", "ports": [{"containerPort": 1}]}]},
        {"containers": [{"name": "app", "image": "web", "lifecycle": {"preStop": EXEC}}]},
        {"containers": [{"name": "app", "lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", "sleep 5"]}}}}]},
        {"containers": [{"name": "app", "lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}]},
        {"containers": [{"name": "app", "image": "tool", "command": ["true"]}]},
        {
            "containers": [
                {
                    "name": "app",
                    "image": "web",
                    "workingDir": "/d/x",
                    "volumeMounts": [{"name": "d", "mountPath": "/d"}],
                }
            ]
        },
        {"initContainers": [{"name": "i", "image": "web"}, {"name": "j", "image": "httpd", "restartPolicy": "Always"}]},
    ],
    ids=["plain", "hook of a program", "a sleep is understood", "sleep", "own command", "working directory", "init"],
)
def test_what_is_executed_is_quiet(spec: dict[str, Any]) -> None:
    assert lines(spec) == []
