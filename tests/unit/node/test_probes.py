from typing import Any

import pytest

from mesh.api.core import Container, Probe
from mesh.node.apps.context import BadSetting
from mesh.node.probes import FIRST_TRY_S, Role, Track, of_role, port_number, problem_of, refused, unsupported


def track(role: Role, **fields: Any) -> Track:
    return Track(role, Probe.model_validate({"tcpSocket": {"port": 1}, "periodSeconds": 10, **fields}))


@pytest.mark.parametrize(
    ("role", "fields", "answers", "wanted"),
    [
        pytest.param("readiness", {}, "+", [True], id="ready at the first success"),
        pytest.param("readiness", {"successThreshold": 2}, "++", [False, True], id="or at the second"),
        pytest.param("readiness", {"successThreshold": 2}, "+-++", [False, False, False, True], id="in a row"),
        pytest.param("readiness", {}, "+---", [True, True, True, False], id="unready at the third failure"),
        pytest.param("readiness", {}, "+--+-", [True, True, True, True, True], id="a success forgives"),
        pytest.param("readiness", {"failureThreshold": 1}, "+-+", [True, False, True], id="and comes back"),
        pytest.param("liveness", {}, "--", [True, True], id="alive until it was asked three times"),
        pytest.param("liveness", {}, "---", [True, True, False], id="dead"),
        pytest.param("startup", {}, "-+", [None, True], id="started"),
        pytest.param("startup", {"failureThreshold": 2}, "--", [None, False], id="never started"),
    ],
)
def test_verdict(role: Role, fields: dict[str, Any], answers: str, wanted: list[bool | None]) -> None:
    asked, seen = track(role, **fields), []
    for second, answer in enumerate(answers):
        before = asked.value
        noted = asked.note(answer == "+", second * 10.0)
        assert noted.flipped == (asked.value is not before)
        assert noted.counted == (answer == "-")
        seen.append(asked.value)
    assert seen == wanted


def test_extra_questions_of_a_start_do_no_harm() -> None:
    asked = track("startup", failureThreshold=2)
    counted = [asked.note(False, at).counted for at in (0.0, 0.02, 0.06, 5.0, 9.99)]
    assert (counted, asked.value) == ([True, False, False, False, True], False)


def test_a_start_is_asked_ever_more_slowly_until_it_succeeds() -> None:
    asked, pauses = track("readiness", periodSeconds=1), []
    for _ in range(8):
        asked.note(False, 0.0)
        pauses.append(asked.pause_s())
    assert pauses == [FIRST_TRY_S * 2**i for i in range(6)] + [1.0, 1.0]
    asked.note(True, 10.0)
    assert asked.pause_s() == 1.0


@pytest.mark.parametrize("role", ["liveness"])
def test_a_liveness_probe_keeps_its_period(role: Role) -> None:
    assert track(role, periodSeconds=7).pause_s() == 7.0


def test_only_a_decided_startup_probe_is_done() -> None:
    started, ready = track("startup"), track("readiness")
    assert (started.done, ready.done) == (False, False)
    started.note(True, 0.0)
    ready.note(True, 0.0)
    assert (started.done, ready.done) == (True, False)


@pytest.mark.parametrize(
    ("probe", "why"),
    [
        pytest.param({"exec": {"command": ["ls"]}}, "exec probes are not executed here", id="exec"),
        pytest.param({"grpc": {"port": 1}}, "grpc probes are not executed here", id="grpc"),
        pytest.param({"httpGet": {"port": 1, "scheme": "HTTPS"}}, "over HTTPS", id="https"),
        pytest.param({}, "names no action", id="nothing"),
    ],
)
def test_what_is_not_executed_is_refused_and_ignored(probe: dict[str, Any], why: str) -> None:
    container = Container.model_validate({"name": "app", "readinessProbe": probe})
    (line,) = refused(container)
    assert line.startswith("Readiness probe ignored: ")
    assert why in line
    assert of_role(container, "readiness") is None


@pytest.mark.parametrize("probe", [{"httpGet": {"port": 80}}, {"httpGet": {"port": 80, "scheme": "http"}},
                                   {"tcpSocket": {"port": 80}}])  # fmt: skip
def test_what_is_executed(probe: dict[str, Any]) -> None:
    assert unsupported(Probe.model_validate(probe)) is None


def test_a_program_may_be_asked_by_a_command() -> None:
    container = Container.model_validate({"name": "app", "livenessProbe": {"exec": {"command": ["true"]}}})
    assert (refused(container, program=True), of_role(container, "liveness", program=True)) == (
        [], container.liveness_probe,
    )  # fmt: skip
    assert unsupported(Probe.model_validate({"exec": {}}), program=True) is not None


@pytest.mark.parametrize(("port", "number"), [(8080, 8080), ("8080", 8080), ("http", 80)])
def test_port_number(port: int | str, number: int) -> None:
    container = Container.model_validate({"name": "app", "ports": [{"name": "http", "containerPort": 80}]})
    assert port_number(port, container) == number


def test_an_unknown_port_name_names_itself() -> None:
    with pytest.raises(BadSetting, match=r"'metrics'.*container app has no port of that name"):
        port_number("metrics", Container.model_validate({"name": "app"}))


@pytest.mark.parametrize(
    ("status", "phrase", "problem"),
    [
        (200, "OK", None),
        (399, "", None),
        (503, "Service Unavailable", "HTTP probe failed with statuscode: 503 Service Unavailable"),
        (400, "", "HTTP probe failed with statuscode: 400"),
        (0, "", "HTTP probe failed with statuscode: 0"),
    ],
)
def test_problem_of(status: int, phrase: str, problem: str | None) -> None:
    assert problem_of(status, phrase) == problem
