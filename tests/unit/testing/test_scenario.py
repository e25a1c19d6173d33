"""Scenario files: what they may say, and how a mistake in one is told."""

from pathlib import Path

import pytest

from mesh.testing.scenario import ScenarioError, discover, load

ROUTES = Path(__file__).parents[3] / "routes"
HEAD = "title: t\nwhat: w\nmanifests: []\n"


def write(folder: Path, text: str) -> Path:
    (folder / "scenario.yaml").write_text(HEAD + text)
    return folder


def test_every_scenario_of_the_house_can_be_read() -> None:
    names = [load(folder).name for folder in discover(ROUTES)]
    assert {"canary", "ab-test", "shadow", "blue-green", "headless-sharding"} <= set(names)


def test_reading_one(tmp_path: Path) -> None:
    text = """
steps:
  - name: split
    send: {requests: 100, headers: {x-flag: true, x-number: 7}, connections: fresh}
    expect: {versions: {v1: 90%, v2: 10.5}, statuses: {200: 100%}, tolerance: 2.5%}
  - send: {rate: 10}
    during: [{pause: 1}, {kill: {node: node-1}}]
"""
    scenario = load(write(tmp_path, text))
    first, second = scenario.steps
    assert first.verb == "send"
    assert first.send is not None
    assert first.expect is not None
    assert first.send.headers == {"x-flag": "true", "x-number": "7"}
    assert first.expect.versions == {"v1": 0.9, "v2": 0.105}
    assert first.expect.tolerance == 0.025
    assert first.expect.statuses == {200: 1.0}
    assert first.expect.errors == 0
    assert [step.verb for step in second.during] == ["pause", "kill"]
    assert scenario.mesh.nodes == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("steps: []", "steps: Tuple should have at least 1 item", id="no steps"),
        pytest.param("step: [{pause: 1}]", "step: Extra inputs", id="a misspelt field"),
        pytest.param(
            "steps: [{send: {requests: 1}, expect: {version: {v1: 1}}}]",
            r"steps\[0\].expect.version: Extra",
            id="a misspelt expectation",
        ),
        pytest.param(
            "steps: [{send: {requests: 1}, pause: 1}]",
            r"steps\[0\]: a step has one verb .* send and pause",
            id="two verbs",
        ),
        pytest.param("steps: [{name: nothing}]", "this one has none", id="no verb"),
        pytest.param("steps: [{send: {}}]", "send has no end", id="a load without an end"),
        pytest.param(
            "steps: [{pause: 1, expect: {errors: 0}}]", "belong to a step that sends", id="expecting of a pause"
        ),
        pytest.param("steps: [{pause: 1, expect_kv: {found: 0}}]", "belongs to a step with kv", id="expecting keys"),
        pytest.param(
            "steps: [{send: {requests: 1}, expect: {versions: {v1: most}}}]",
            r"steps\[0\].expect.versions.v1: a percentage such as 90%",
            id="no percentage",
        ),
        pytest.param(
            "steps: [{send: {requests: 1}, expect: {versions: {v1: 101}}}]", "between 0% and 100%", id="more than all"
        ),
        pytest.param(
            "steps: [{send: {requests: 1, to: 'sidecar:app=x'}}]", "host is wanted", id="a proxy without a host"
        ),
        pytest.param("steps: [{send: {requests: 1, to: elsewhere}}]", r"steps\[0\].send.to", id="an unknown way"),
        pytest.param("steps: [{wait: {}}]", "either pods .* or version", id="waiting for nothing"),
        pytest.param("steps: [{wait: {pods: a=b}}]", "count is wanted", id="how many pods"),
        pytest.param("steps: [{kill: {node: a, pods: b}}]", "one of node", id="killing two things"),
        pytest.param("steps: [{kv: {service: a}}]", "either put or get", id="no work for the store"),
        pytest.param("steps: [{kv: {service: a, put: 1, rebalance: true}}]", "either put or get", id="two works"),
        pytest.param("steps: [{kv: {service: a, put: 1, keep: 1}}]", "keep belongs to rebalance", id="keep what"),
        pytest.param(
            "steps: [{apply: [missing.yaml]}]", r"steps\[0\].apply: no file 'missing.yaml'", id="a missing file"
        ),
        pytest.param("steps: [{apply: [/etc/hosts]}]", "outside the scenario's folder", id="a file elsewhere"),
        pytest.param(
            "steps: [{send: {requests: 1}, during: [{apply: [no.yaml]}]}]",
            "no file 'no.yaml'",
            id="a missing file during a load",
        ),
        pytest.param("steps: [{pause: 1}]\nfolder: /tmp", "folder: no such field", id="a field that is not the file's"),
        pytest.param("steps: [", "malformed YAML", id="no YAML"),
    ],
)
def test_mistakes_name_file_and_field(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ScenarioError, match=says) as caught:
        load(write(tmp_path, text))
    assert str(caught.value).startswith(str(tmp_path / "scenario.yaml"))
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="cannot be read"):
        load(tmp_path)


def test_a_list_is_no_scenario(tmp_path: Path) -> None:
    (tmp_path / "scenario.yaml").write_text("- 1\n")
    with pytest.raises(ScenarioError, match="a scenario with title"):
        load(tmp_path)
