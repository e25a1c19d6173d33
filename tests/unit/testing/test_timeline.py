"""Counting pods and answers on one time line."""

import pytest

from mesh.api import scheme
from mesh.api.core import Pod
from mesh.testing.answers import Answers
from mesh.testing.timeline import REACH_S, Count, PodLine, Span, slots, stray_failures


def pod(name: str, ready: bool = True, leaving: bool = False, phase: str = "Running") -> Pod:
    metadata = {"name": name, "namespace": "default"}
    if leaving:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    data = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [{"name": "c"}]}}
    return scheme.decode(Pod, {**data, "status": {"phase": phase, "conditions": [condition]}})


def test_a_pod_counts_from_ready_until_it_is_asked_to_go() -> None:
    line = PodLine()
    line.mark(0.0)
    line.saw(1.0, "ADDED", pod("a", ready=False))
    line.saw(2.0, "MODIFIED", pod("a"))
    line.saw(2.5, "MODIFIED", pod("a"))
    line.saw(3.0, "ADDED", pod("b"))
    line.saw(4.0, "MODIFIED", pod("a", leaving=True))
    line.saw(5.0, "DELETED", pod("a", leaving=True))
    line.saw(6.0, "MODIFIED", pod("b", phase="Failed"))
    assert line.counts == [
        Count(0.0, 0, 0), Count(1.0, 0, 1), Count(2.0, 1, 1), Count(3.0, 2, 2), Count(4.0, 1, 1), Count(6.0, 0, 0),
    ]  # fmt: skip
    assert line.at(3.5) == Count(3.0, 2, 2)
    assert line.at(-1) is None


@pytest.mark.parametrize(
    ("ready", "spans"),
    [
        pytest.param([3, 3], [], id="never"),
        pytest.param([3, 0, 1, 0, 2], [Span(1, 2), Span(3, 4)], id="twice"),
        pytest.param([0, 1], [Span(0, 1)], id="from the start"),
        pytest.param([1, 0], [Span(1, 9)], id="to the end"),
    ],
)
def test_outages(ready: list[int], spans: list[Span]) -> None:
    line = PodLine([Count(float(at), count, 3) for at, count in enumerate(ready)])
    assert line.outages(9.0) == spans


def test_failures_belong_to_an_outage_or_are_strays() -> None:
    answers = Answers(begin=100.0)
    for at in (0.5, 1.5, 2.0 + REACH_S / 2, 2.0 + 2 * REACH_S):
        answers.failed(100.0, 100.0 + at, "refused", "")
    answers.answered(100.0, 100.1, 200, b"Version: v1")
    answers.answered(100.0, 100.1, 200, b"no version, yet no failure")
    assert stray_failures(answers, [Span(1, 2)], 0.0) == [0.5, 2.0 + 2 * REACH_S]
    assert stray_failures(answers, [Span(11, 12)], 10.0) == [10.5, 12.0 + 2 * REACH_S]


def test_slots_hold_every_answer_and_every_failure() -> None:
    answers = Answers(begin=0.0)
    for at in (0.05, 0.06, 0.35):
        answers.answered(0.0, at, 200, b"Version: v1")
    answers.failed(0.0, 0.36, "reset", "")
    made = slots(answers, 5.0)
    assert [(round(slot.at_s, 1), slot.good["v1"], slot.failed) for slot in made] == [
        (5.0, 2, 0), (5.1, 0, 0), (5.2, 0, 0), (5.3, 1, 1),
    ]  # fmt: skip
    assert slots(Answers()) == []
