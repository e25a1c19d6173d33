"""A node dies: its own address and its zone's load balancer address fall silent, everything else goes on."""

import asyncio
import os
import re
import signal
import time
from typing import Any

import pytest

from mesh.api import scheme
from mesh.cli import rest
from tests.scenarios.support import ROUTES, Mesh, Up

pytestmark = [pytest.mark.live, pytest.mark.timeout(90)]

LOST_WITHIN_S = 15.0


def get(mesh: Mesh, kind: str, name: str) -> Any:
    known = scheme.find(kind)
    assert known is not None
    return rest.Rest(mesh.up["api"]).call("GET", rest.object_path(known, "default", name))


async def answer(address: str, port: int) -> str:
    """The version that answers, or `refused`."""
    try:
        reader, writer = await asyncio.open_connection(address, port)
    except ConnectionRefusedError:
        return "refused"
    try:
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        async with asyncio.timeout(5):
            found = re.search(rb"Version: (\S+)", await reader.read())
        return found.group(1).decode() if found else "nothing"
    except ConnectionResetError:
        return "reset"
    finally:
        writer.close()


async def test_a_lost_node_takes_its_addresses_along(up: Up) -> None:
    mesh = up("-f", str(ROUTES / "services"), "--zones", "a,b,c", "--nodes-in", "a,b", "--node-grace", "2")
    balanced = [e["ip"] for e in get(mesh, "service", "my-app-outside")["status"]["loadBalancer"]["ingress"]]
    wide = [e["ip"] for e in get(mesh, "ingress", "my-app-wide")["status"]["loadBalancer"]["ingress"]]
    first, second = (get(mesh, "node", f"node-{n}")["status"]["addresses"][0]["address"] for n in (1, 2))
    lasting = [(first, 30080), (balanced[0], 80), (wide[0], 80)]
    ending = [(second, 30080), (balanced[1], 80), (wide[1], 80)]
    for place in (*lasting, *ending):
        assert (await answer(*place)).startswith("v"), place
    os.kill(mesh.up["nodes"][1]["pid"], signal.SIGKILL)
    deadline = time.monotonic() + LOST_WITHIN_S
    while [await answer(*place) for place in ending] != ["refused"] * 3:
        assert time.monotonic() < deadline, "the lost node still answers"
        await asyncio.sleep(0.1)
    for place in lasting:
        assert (await answer(*place)).startswith("v"), place
    (entry,) = [
        e for e in get(mesh, "ingress", "my-app-wide")["status"]["loadBalancer"]["ingress"] if e["ip"] == wide[1]
    ]
    assert {port["error"] for port in entry["ports"]} == {"NoTargets"}
    traced = mesh.cli("trace-path", f"{second}:30080")
    assert (traced.code, "node-2 is lost" in traced.out) == (1, True)
