from typing import Any

import pytest

from mesh.api.core import Container, ContainerStatus, Pod
from mesh.node import status
from mesh.node.status import ContainerFacts, conditions, is_ready, known_facts, phase_of

RUNNING = status.running("then")
CREATING = status.waiting("ContainerCreating")
CRASHING = status.waiting("CrashLoopBackOff", "back-off")


def ended(code: int) -> dict[str, Any]:
    return status.terminated(code, "x", "then", "now", "id")


def facts(state: dict[str, Any], name: str = "app", **fields: Any) -> ContainerFacts:
    return ContainerFacts(Container(name=name, image="i"), state=state, **fields)


@pytest.mark.parametrize(
    ("states", "policy", "phase"),
    [
        pytest.param([CREATING], "Always", "Pending", id="creating"),
        pytest.param([RUNNING, CREATING], "Always", "Pending", id="one of two"),
        pytest.param([RUNNING], "Always", "Running", id="running"),
        pytest.param([ended(0)], "Always", "Running", id="ended, to be restarted"),
        pytest.param([ended(0)], "Never", "Succeeded", id="succeeded"),
        pytest.param([ended(0), ended(2)], "Never", "Failed", id="one of two failed"),
        pytest.param([ended(2)], "OnFailure", "Running", id="failed, to be restarted"),
        pytest.param([ended(0), RUNNING], "Never", "Running", id="one still runs"),
    ],
)
def test_phase(states: list[dict[str, Any]], policy: str, phase: str) -> None:
    assert phase_of([facts(state) for state in states], policy) == phase


def test_a_pod_that_crashed_stays_running() -> None:
    assert phase_of([facts(CRASHING, restarts=2)], "Always") == "Running"
    assert phase_of([facts(CRASHING, last_state=ended(1))], "Always") == "Running"
    assert phase_of([facts(CRASHING)], "Always") == "Pending"


@pytest.mark.parametrize(
    ("init", "policy", "phase"),
    [
        pytest.param(facts(CREATING, "i"), "Never", "Pending", id="not yet"),
        pytest.param(facts(ended(1), "i"), "Never", "Failed", id="failed for good"),
        pytest.param(facts(CRASHING, "i", last_state=ended(1)), "Always", "Pending", id="tried again"),
        pytest.param(facts(ended(0), "i"), "Never", "Pending", id="done, the others are not up"),
    ],
)
def test_phase_while_it_begins(init: ContainerFacts, policy: str, phase: str) -> None:
    assert phase_of([facts(status.waiting(status.INITIALIZING))], policy, [init]) == phase


def test_init_containers_show_in_the_conditions() -> None:
    side = facts(RUNNING, "side", started=True)
    side.container.restart_policy = "Always"
    seen = conditions(
        "Pending", [facts(CREATING)], {}, "now", False, [facts(ended(0), "a"), side, facts(CREATING, "b")]
    )
    said = {c["type"]: c.get("message") for c in seen}
    assert said["Initialized"] == "containers with incomplete status: [b]"
    assert said["Ready"] == "containers with unready status: [app side]"


@pytest.mark.parametrize(
    ("ready", "terminating", "wanted"),
    [([True, True], False, True), ([True, False], False, False), ([True], True, False), ([], False, False)],
)
def test_is_ready(ready: list[bool], terminating: bool, wanted: bool) -> None:
    assert is_ready([facts(RUNNING, ready=one) for one in ready], terminating) is wanted


def shown(pod: Pod, seen: list[ContainerFacts], terminating: bool = False) -> dict[str, dict[str, Any]]:
    before = {"PodScheduled": ("True", "then"), "Ready": ("True", "then"), "ContainersReady": ("False", "then")}
    phase = phase_of(seen, pod.spec.restart_policy or "Always")
    return {c["type"]: c for c in conditions(phase, seen, before, "now", terminating)}


def test_a_condition_keeps_its_time_until_it_changes() -> None:
    found = shown(Pod(), [facts(RUNNING, ready=True)])
    assert {kind: (c["status"], c["lastTransitionTime"]) for kind, c in found.items()} == {
        "PodScheduled": ("True", "then"),
        "Initialized": ("True", "now"),
        "ContainersReady": ("True", "now"),
        "Ready": ("True", "then"),
    }
    assert "reason" not in found["Ready"]


def test_an_unready_pod_says_which_container() -> None:
    found = shown(Pod(), [facts(RUNNING, "a", ready=True), facts(RUNNING, "b"), facts(CREATING, "c")])
    assert (found["Ready"]["status"], found["Ready"]["reason"], found["Ready"]["message"]) == (
        "False", "ContainersNotReady", "containers with unready status: [b c]",
    )  # fmt: skip


def test_a_pod_that_goes_or_is_done_says_so() -> None:
    assert shown(Pod(), [facts(RUNNING, ready=True)], terminating=True)["Ready"]["reason"] == "Terminating"
    done = Pod.model_validate({"spec": {"restartPolicy": "Never"}})
    assert shown(done, [facts(ended(0))])["Ready"]["reason"] == "PodCompleted"


@pytest.mark.parametrize(
    ("state", "troubled"),
    [(CREATING, False), (RUNNING, False), (CRASHING, True), (ended(1), True)],
)
def test_troubled(state: dict[str, Any], troubled: bool) -> None:
    assert facts(state).troubled is troubled


def test_a_container_that_comes_back_has_been_restarted() -> None:
    known = {"name": "app", "containerID": "loopmesh://1", "restartCount": 2, "state": {"running": {"startedAt": "t"}}}
    pod = Pod.model_validate({"status": {"containerStatuses": [known]}})
    again = facts(CREATING)
    again.comes_back(known_facts(pod)["app"])
    assert (again.restarts, again.last_state["terminated"]["containerID"]) == (3, "loopmesh://1")
    assert again.to_json()["lastState"]["terminated"]["reason"] == "Unknown"


@pytest.mark.parametrize("known", [None, ContainerStatus(name="app")])
def test_a_new_container_has_not(known: ContainerStatus | None) -> None:
    fresh = facts(CREATING)
    fresh.comes_back(known)
    assert (fresh.restarts, fresh.last_state) == (0, {})
