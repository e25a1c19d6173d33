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
