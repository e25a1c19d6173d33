"""The canary as people start it: quick, small, and with figures that add up."""

import pytest

from mesh.client.http import HttpClient
from mesh.testing.load import Load, run
from mesh.testing.verdict import Outcome, share
from tests.scenarios.support import ROUTES, Up, resident_mb, stop

pytestmark = [pytest.mark.alone, pytest.mark.live, pytest.mark.timeout(120)]

READY_S = 3.0
MEMORY_MB = 250
REQUESTS = 2000


def test_ready_within_three_seconds(up: Up) -> None:
    """The better of two starts: the machine may be busy with something else during one."""
    mesh = up("-f", str(ROUTES / "canary"))
    took_s = mesh.started_s
    if took_s > READY_S:
        stop(mesh.home)
        took_s = min(took_s, up("-f", str(ROUTES / "canary")).started_s)
    assert took_s <= READY_S


async def test_split_memory_and_metrics(up: Up) -> None:
    """One mesh, that has answered nobody else: its figures are those of these requests."""
    mesh = up("-f", str(ROUTES / "canary"))
    load = Load(address=mesh.people, port=mesh.gateway_port, requests=REQUESTS, concurrency=8)
    answers = await run(load)
    assert answers.errors == 0, answers.failures[:3]
    verdict = share(answers.versions["v1.0.0"], REQUESTS, 0.9, tolerance=0.025, confidence=0.9995)
    assert verdict.outcome is Outcome.PASS, verdict
    assert answers.good == REQUESTS

    used = {pid: resident_mb(pid) for pid in mesh.pids()}
    assert sum(used.values()) <= MEMORY_MB, used

    counted = mesh.gateway_counts("destination_version")
    assert counted.total() == REQUESTS
    assert {version: count for (version,), count in counted.items() if count} == dict(answers.versions)

    # The pods' own counts agree with what clients saw, over fresh connections too.
    fresh = await run(Load(address=mesh.people, port=mesh.gateway_port, requests=500, keep_alive=False))
    assert fresh.errors == 0, fresh.failures[:3]
    async with HttpClient(mesh.up["api"]) as client:
        arrived = await mesh.hands(client).arrived()
    assert arrived == answers.versions + fresh.versions
