"""In which order, and in which company, do tests run side by side?

A worker takes a whole group: a file, whose tests may share a mesh; where each test has a mesh of its own, the test is
the group. Groups that take long come first, so that no worker begins one when the others are done.
"""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

EACH_ALONE = (
    "live/test_state.py",
    "scenarios/test_must_show_bad_input.py",
    "scenarios/test_readmes.py",
    "scenarios/test_routes.py",
    "scenarios/test_state.py",
)
LONGEST_FIRST = (
    "live/test_community_manifests.py",
    "differential/test_recorded_cases.py",
    "scenarios/test_must_show_stateful.py",
    "scenarios/test_must_show_placement.py",
    "live/test_hostile.py",
    "scenarios/test_must_show_services.py",
    "live/test_kubectl_",
    "live/test_httpd_lab.py",
    "live/",
    "scenarios/",
    "differential/",
    "properties/",
    "unit/node/",
)
"""Parts of paths; what fits the first comes first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: place(item.nodeid))


def place(nodeid: str) -> int:
    """Where among the groups a test comes; the rest, which is quick, comes last."""
    return next((index for index, part in enumerate(LONGEST_FIRST) if f"tests/{part}" in nodeid), len(LONGEST_FIRST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """With several workers: who gets which tests."""
    return InGroups(config, log)


class InGroups(LoadScopeScheduling):
    """Hands out whole groups, in the order of the tests."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False  # by number of tests, which says nothing of their length
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return nodeid if path.endswith(EACH_ALONE) else path
