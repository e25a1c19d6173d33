"""What came back is counted by version, pod, status and cause."""

import pytest

from mesh.testing.answers import NO_VERSION, Answers


@pytest.mark.parametrize(
    ("body", "version", "pod"),
    [
        pytest.param(b"Host: my-app-1, Version: v1.0.0\n", "v1.0.0", "my-app-1", id="the demo application"),
        pytest.param(b'{"method":"GET","pod":"my-app-2","version":"v2.0.0"}', "v2.0.0", "my-app-2", id="its echo"),
        pytest.param(b"404 from my-app-3, Version: v3\n", "v3", NO_VERSION, id="its status page"),
        pytest.param(b"<h1>It works!</h1>", NO_VERSION, NO_VERSION, id="somebody else"),
        pytest.param(b"", NO_VERSION, NO_VERSION, id="nothing"),
    ],
)
def test_who_answered(body: bytes, version: str, pod: str) -> None:
    answers = Answers()
    answers.answered(0.0, 0.5, 200, body)
    assert answers.versions == {version: 1}
    assert answers.pods == {pod: 1}


def test_rows_and_percentiles() -> None:
    answers = Answers(begin=100.0)
    for number in range(1, 101):
        answers.answered(100.0, 100.0 + number / 1000, 200, b"Version: v1")
    assert [round(value) for value in answers.latency_ms(0.5, 0.99, 1.0)] == [50, 99, 100]
    assert round(answers.at_s[0], 6) == 0.001
    assert answers.who == ["v1"] * 100


def test_a_5xx_failed_whoever_said_it() -> None:
    answers = Answers()
    answers.answered(0.0, 0.1, 503, b"no healthy upstream")
    answers.answered(0.0, 0.1, 500, b"")
    answers.failed(0.0, 0.2, "reset", "gone")
    assert answers.statuses == {503: 1, 500: 1}
    assert answers.causes == {"503": 1, "500": 1, "reset": 1}
    assert (answers.sent, answers.good, answers.errors) == (3, 0, 3)
    assert [failure.detail for failure in answers.failures] == ["no healthy upstream", "", "gone"]


def test_details_are_bounded() -> None:
    answers = Answers()
    for _ in range(100_100):
        answers.failed(0.0, 0.1, "refused", "nobody listens")
    assert answers.errors == 100_100
    assert len(answers.failures) == 100_000
