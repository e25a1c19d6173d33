"""Every scenario of the house is played through the real `mesh up`, and goes as its file says."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from mesh.testing import report
from mesh.testing.runner import play
from mesh.testing.scenario import discover, load
from tests.scenarios.support import ROUTES, Up, long_ones

pytestmark = [pytest.mark.live, pytest.mark.timeout(90)]


@pytest.mark.parametrize(
    "folder", [pytest.param(folder, id=folder.name, marks=long_ones(folder)) for folder in discover(ROUTES)]
)
async def test_scenario(folder: Path, up: Up) -> None:
    scenario = load(folder)
    files = [word for file in scenario.files for word in ("-f", file)]
    zones, where = ",".join(scenario.mesh.zones), ",".join(scenario.mesh.nodes_in)
    mesh = up("--nodes", str(scenario.mesh.nodes), "--zones", zones, "--nodes-in", where, *files)
    results = await play(scenario, mesh.world())
    page = StringIO()
    report.print_play(scenario, results, Console(file=page, width=120))
    assert all(result.ok for result in results), page.getvalue()
    assert len(results) == len(scenario.steps)
