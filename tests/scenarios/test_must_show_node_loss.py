"""A node's sudden death: its pods come back elsewhere, and the split is right again."""

import asyncio
import os
import signal
import time

import pytest

from mesh.client.http import HttpClient
from mesh.testing.load import Load, run
from mesh.testing.verdict import Outcome, share
from tests.scenarios.support import ROUTES, Up

pytestmark = [pytest.mark.alone, pytest.mark.live, pytest.mark.timeout(120)]

RECOVERY_S = 10.0


async def test_pods_of_a_killed_node_are_replaced(up: Up) -> None:
    mesh = up("-f", str(ROUTES / "canary"), "--nodes", "2")
    async with HttpClient(mesh.up["api"]) as client:
        hands = mesh.hands(client)
        lost = await hands.node_of("version=v2.0.0")
        pid = next(node["pid"] for node in mesh.up["nodes"] if node["name"] == lost)
        begin = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        while True:
            pods = [pod for pod in await hands.pods("app=my-app") if pod.ready and pod.spec.node_name != lost]
            if len(pods) == 10:
                answers = await run(Load(address=mesh.people, port=mesh.gateway_port, requests=600))
                right = share(answers.versions["v1.0.0"], 600, 0.9).outcome is Outcome.PASS
                if right and answers.errors == 0:
                    break
            assert time.monotonic() - begin < RECOVERY_S, f"{len(pods)} of 10 pods ready elsewhere"
            await asyncio.sleep(0.1)
        assert time.monotonic() - begin < RECOVERY_S
    nodes = mesh.cli("get", "nodes").out
    assert "NotReady" in next(line for line in nodes.splitlines() if line.startswith(lost))
