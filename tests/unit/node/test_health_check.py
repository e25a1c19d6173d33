import asyncio
import json

import pytest

from mesh.node.health_check import HealthCheck, answer


@pytest.mark.parametrize(("count", "status"), [(0, b"503"), (1, b"200"), (7, b"200")])
def test_a_node_is_healthy_when_it_has_endpoints(count: int, status: bytes) -> None:
    head, _, body = answer(("shop", "web"), count).partition(b"\r\n\r\n")
    assert head.split()[1] == status
    assert f"x-load-balancing-endpoint-weight: {count}".encode() in head
    service = {"namespace": "shop", "name": "web"}
    assert json.loads(body) == {"service": service, "localEndpoints": count, "serviceProxyHealthy": True}


@pytest.mark.parametrize(
    ("sent", "wanted"),
    [
        pytest.param([b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"], b"200 OK", id="at once"),
        pytest.param([b"GET /healthz HT", b"TP/1.0\r\n\r", b"\n"], b"200 OK", id="in pieces"),
        pytest.param([b"x" * 20000], b"", id="no end of it"),
    ],
)
async def test_over_a_socket(sent: list[bytes], wanted: bytes) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: HealthCheck(("shop", "web"), lambda: 2), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    try:
        for part in sent:
            writer.write(part)
            await asyncio.sleep(0.01)
        try:
            got = await asyncio.wait_for(reader.read(), 5)
        except ConnectionResetError:
            got = b""
        assert got.partition(b"\r\n")[0].endswith(wanted)
        assert bool(got) is bool(wanted)
    finally:
        writer.close()
        server.close()
