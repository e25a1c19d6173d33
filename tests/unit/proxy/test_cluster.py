import asyncio

from mesh.proxy.exchange import CONNECT_FAILED
from tests.unit.proxy.conftest import World, ok, to


async def slow(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(float(head.split()[1][1:]))
    await ok(head, reader, writer)


async def test_the_connection_freed_last_is_used_first(world: World) -> None:
    origin, proxy = await world.simple(slow)
    clients = [await world.connect(proxy) for _ in range(3)]
    for client, delay in zip(clients, ("0.3", "0.2", "0.1"), strict=True):
        client.writer.write(f"GET /{delay} HTTP/1.1\r\nhost: h\r\n\r\n".encode())
        await asyncio.sleep(0.02)
    for client in clients:
        await client.answer()
    host = proxy.clusters[b"up"].hosts[0]
    assert [connection.requests for connection in host.idle] == [1, 1, 1]
    last = host.idle[-1]
    await clients[0].get("/0")
    assert host.idle[-1] is last
    assert last.requests == 2
    assert origin.opened == 3


async def test_a_connection_closed_while_idle_is_replaced_silently(world: World) -> None:
    origin, proxy = await world.simple()
    client = await world.connect(proxy)
    assert (await client.get())[0] == 200
    origin.writers[0].close()
    await asyncio.sleep(0.05)
    assert proxy.clusters[b"up"].hosts[0].idle == []
    assert (await client.get())[0] == 200
    assert origin.opened == 2


async def test_waiting_requests_hear_when_no_connection_can_be_made(world: World) -> None:
    origin, proxy = await world.simple()
    origin.stop()
    await asyncio.sleep(0.02)
    client = await world.connect(proxy)
    status, _, body = await client.get()
    assert status == 503
    assert body.endswith(CONNECT_FAILED.encode())
    cluster = proxy.clusters[b"up"]
    assert (cluster.pending, cluster.connections, cluster.requests) == (0, 0, 0)


async def test_limits_refuse_what_is_too_much(world: World) -> None:
    origin = await world.origin("up", slow)
    limits = {"circuit_breakers": {"thresholds": [{"max_connections": 1, "max_pending_requests": 1}]}}
    proxy = await world.proxy(world.tables([to("up")], {"up": [origin.port]}, cluster=limits))
    clients = [await world.connect(proxy) for _ in range(3)]
    for client in clients:
        client.writer.write(b"GET /0.2 HTTP/1.1\r\nhost: h\r\n\r\n")
        await asyncio.sleep(0.05)
    answers = [await client.answer() for client in clients]
    assert [status for status, _, _ in answers] == [200, 200, 503]
    assert answers[2][1]["x-envoy-overloaded"] == "true"
    assert origin.opened == 1
    assert proxy.clusters[b"up"].pending == 0


async def test_idle_connections_are_closed_after_a_while(world: World) -> None:
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    cluster = {
        "typed_extension_protocol_options": {
            options: {
                "@type": f"type.googleapis.com/{options}",
                "explicit_http_config": {"http_protocol_options": {}},
                "common_http_protocol_options": {"idle_timeout": "0.15s"},
            }
        }
    }
    origin = await world.origin("up")
    proxy = await world.proxy(world.tables([to("up")], {"up": [origin.port]}, cluster=cluster))
    await (await world.connect(proxy)).get()
    await asyncio.sleep(0.3)
    stats = proxy.clusters[b"up"].stats
    assert (stats.upstream_cx_active, stats.upstream_cx_idle_timeout) == (0, 1)


async def test_turns_go_round_and_survive_a_change_of_endpoints(world: World) -> None:
    origins = [await world.origin(name) for name in "abc"]
    ports = [origin.port for origin in origins]
    proxy = await world.proxy(world.tables([to("up")], {"up": ports}))
    client = await world.connect(proxy)
    for _ in range(9):
        await client.get()
    assert [len(origin.heads) for origin in origins] == [3, 3, 3]


async def test_hashed_requests_stay_with_their_endpoint(world: World) -> None:
    origins = [await world.origin(name) for name in "abc"]
    route = to("up", hash_policy=[{"header": {"header_name": "x-user"}}])
    tables = world.tables([route], {"up": [o.port for o in origins]}, cluster={"lb_policy": "RING_HASH"})
    proxy = await world.proxy(tables)
    client = await world.connect(proxy)
    for _ in range(5):
        await client.get("/", "x-user: ann")
    assert sorted(len(origin.heads) for origin in origins) == [0, 0, 5]


async def test_a_cookie_is_made_for_a_client_without_one(world: World) -> None:
    origin = await world.origin("up")
    route = to("up", hash_policy=[{"cookie": {"name": "route", "ttl": "60s", "path": "/"}}])
    proxy = await world.proxy(world.tables([route], {"up": [origin.port]}, cluster={"lb_policy": "MAGLEV"}))
    _, fields, _ = await (await world.connect(proxy)).get()
    assert fields["set-cookie"].endswith('"; Max-Age=60; Path=/; HttpOnly')
