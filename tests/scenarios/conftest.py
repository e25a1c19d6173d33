"""Fixtures of the scenario tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.support import Up, start, stop


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """Start a mesh: `up("-f", "routes/canary")`."""
    home = tmp_path / "home"
    home.mkdir()
    yield lambda *words: start(home, *words)
    stop(home)


@pytest.fixture(scope="module")
def up_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """The same for one mesh that all tests of a file share; each leaves it as it found it."""
    home = tmp_path_factory.mktemp("home")
    yield lambda *words: start(home, *words)
    stop(home)
