"""What is missing, in words."""

from typing import Any

import pytest

from mesh.cli.readiness import pod_reasons, unready, unserved
from mesh.cli.rest import Rest

Obj = dict[str, Any]


def pod(name: str, *, ready: str = "False", waiting: Obj | None = None, node: str | None = "node-1") -> Obj:
    status: Obj = {"conditions": [{"type": "Ready", "status": ready}]}
    if waiting:
        status["containerStatuses"] = [{"state": {"waiting": waiting}}]
    spec = {"nodeName": node} if node else {}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec, "status": status}


def event(about: str, message: str, at: str, kind: str = "Warning", namespace: str = "default") -> Obj:
    return {
        "metadata": {"name": f"{about}.1", "namespace": namespace},
        "involvedObject": {"name": about},
        "type": kind,
        "reason": "Unhealthy",
        "message": message,
        "lastTimestamp": at,
    }


@pytest.mark.parametrize(
    ("given", "events", "said"),
    [
        pytest.param(pod("a", ready="True"), [event("a", "was slow", "1")], [], id="ready"),
        pytest.param(
            pod("a", waiting={"reason": "ErrImagePull", "message": "no such image"}),
            [event("a", "other", "1")],
            ["pod a: ErrImagePull: no such image"],
            id="a container waits",
        ),
        pytest.param(
            pod("a", waiting={"reason": "ContainerCreating"}),
            [event("a", "first", "1"), event("a", "probe\nfailed", "3"), event("a", "second", "2")],
            ["pod a: Unhealthy: probe failed"],
            id="the last warning, in one line",
        ),
        pytest.param(
            pod("a"),
            [event("b", "x", "1"), event("a", "x", "1", kind="Normal"), event("a", "x", "1", namespace="other")],
            ["pod a: a container runs but is not ready"],
            id="events about others and normal ones do not count",
        ),
        pytest.param(pod("a", node=None), [], ["pod a: no node has it yet"], id="not scheduled"),
    ],
)
def test_why_a_pod_is_not_ready(given: Obj, events: list[Obj], said: list[str]) -> None:
    assert list(pod_reasons([given], events)) == said


def test_a_pod_that_goes_is_not_missed() -> None:
    going = pod("a")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert list(pod_reasons([going], [])) == []


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_ended_is_not_missed(phase: str) -> None:
    over = pod("a")
    over["status"]["phase"] = phase
    assert list(pod_reasons([over], [])) == []


@pytest.mark.parametrize(
    ("status", "said"),
    [
        pytest.param({"desiredNumberScheduled": 2, "numberReady": 2, "observedGeneration": 1}, [], id="ready"),
        pytest.param(
            {"desiredNumberScheduled": 2, "numberReady": 1, "observedGeneration": 1}, ["daemonset a 1/2"], id="one-missing"
        ),
        pytest.param({}, ["daemonset a 0/0"], id="not-seen-yet"),
    ],
)  # fmt: skip
def test_daemons_are_waited_for(status: Obj, said: list[str]) -> None:
    daemon_set = {"metadata": {"name": "a", "generation": 1}, "spec": {}, "status": status}

    class Server(Rest):
        def call(self, method: str, path: str, *args: object, **kwargs: object) -> Obj:
            return {"items": [daemon_set] if path.endswith("/daemonsets") else []}

    assert list(unready(Server("http://127.0.0.1:1"), 0)) == said


def test_low_ports_are_told() -> None:
    services = [
        {"metadata": {"name": "web"}, "spec": {"clusterIP": "127.96.1.1", "ports": [{"port": 80}, {"port": 8080}]}},
        {"metadata": {"name": "dns"}, "spec": {"clusterIP": "127.96.1.2", "ports": [{"port": 53, "protocol": "UDP"}]}},
        {"metadata": {"name": "kv"}, "spec": {"clusterIP": "None", "ports": [{"port": 80}]}},
    ]
    assert unserved(services, 1024) == ["web:80"]
    assert unserved(services, 80) == []
