"""What does the proxy hold of a large body? Measured on a real process, because that is what runs out of memory."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.proxy.conftest import Client, Origin
from tests.unit.proxy.test_alone import bootstrap, free_port

SIZE = 256 * 1024 * 1024
PIECE = b"x" * 65536
ALLOWED_KIB = 8 * 1024


def peak_kib(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])


async def large(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers a GET with a large body and reads a large body without haste."""
    if head.startswith(b"GET /small"):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    elif head.startswith(b"GET"):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % SIZE)
        for _ in range(SIZE // len(PIECE)):
            writer.write(PIECE)
            await writer.drain()
    else:
        left, reads = SIZE, 0
        while left:
            left -= len(await reader.read(1 << 20))
            reads += 1
            if reads % 100 == 0:
                await asyncio.sleep(0.01)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")


@pytest.mark.live
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
async def test_large_bodies_pass_through_without_staying(tmp_path: Path) -> None:
    origin = await Origin(large).start()
    port = free_port()
    document = bootstrap(port)
    hosts = document["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    hosts["route_config"]["virtual_hosts"][0]["routes"] = [
        {"match": {"prefix": "/"}, "route": {"cluster": "up", "timeout": "0s"}}
    ]
    address = {"socket_address": {"address": "127.0.0.1", "port_value": origin.port}}
    document["static_resources"]["clusters"] = [
        {
            "name": "up",
            "type": "STATIC",
            "load_assignment": {
                "cluster_name": "up",
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
            },
        }
    ]
    path = tmp_path / "envoy.json"
    path.write_text(json.dumps(document))
    process = subprocess.Popen([sys.executable, "-m", "mesh.proxy", "-c", str(path)])
    try:
        client = await _connect(port)
        assert (await client.get("/small"))[0] == 200
        before = peak_kib(process.pid)
        client.writer.write(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        async with asyncio.timeout(40):
            await client.reader.readuntil(b"\r\n\r\n")
            left, reads = SIZE, 0
            while left:
                left -= len(await client.reader.read(1 << 20))
                reads += 1
                if reads % 100 == 0:
                    await asyncio.sleep(0.01)
        assert peak_kib(process.pid) - before < ALLOWED_KIB
        client.writer.write(b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: %d\r\n\r\n" % SIZE)
        async with asyncio.timeout(40):
            for _ in range(SIZE // len(PIECE)):
                client.writer.write(PIECE)
                await client.writer.drain()
            assert (await client.answer())[0] == 200
        assert peak_kib(process.pid) - before < ALLOWED_KIB
        client.close()
    finally:
        process.terminate()
        process.wait(10)
        origin.stop()
        await asyncio.sleep(0.01)


async def _connect(port: int) -> Client:
    async with asyncio.timeout(15):
        while True:
            try:
                return Client(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 20))
            except OSError:
                await asyncio.sleep(0.05)
