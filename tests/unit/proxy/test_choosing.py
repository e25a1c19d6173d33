"""Session cookies as the proxy carries them out; that they are as Envoy's is for tests/differential to say."""

from dataclasses import replace
from typing import Any

import pytest

from mesh.proxy.server import ProxyServer, Tables
from mesh.routing.session import write
from tests.unit.proxy.conftest import Client, World, to

_T = "type.googleapis.com/envoy.extensions."
NAME = "envoy.filters.http.stateful_session"
FILTER = {"name": NAME, "typed_config": {"@type": _T + "filters.http.stateful_session.v3.StatefulSession"}}


def kept(*, strict: bool = False) -> dict[str, Any]:
    """A route with sessions."""
    state = {"@type": _T + "http.stateful_session.cookie.v3.CookieBasedSessionState", "cookie": {"name": "s"}}
    said = {
        "@type": _T + "filters.http.stateful_session.v3.StatefulSessionPerRoute",
        "stateful_session": {"session_state": {"name": "c", "typed_config": state}, "strict": strict},
    }
    return {**to("up"), "typed_per_filter_config": {NAME: said}}


def cookie(port: int) -> str:
    return f"cookie: s={write(f'127.0.0.1:{port}'.encode()).decode()}"


async def ports(client: Client, origins: list[Any], *lines: str) -> list[int]:
    """Which origin took each of some requests."""
    found = []
    for _ in range(6):
        before = [len(origin.heads) for origin in origins]
        await client.get("/", *lines)
        found += [o.port for o, n in zip(origins, before, strict=True) if len(o.heads) > n]
    return found


async def three(world: World, **settings: Any) -> tuple[list[Any], ProxyServer, Tables]:
    origins = [await world.origin(name) for name in "abc"]
    tables = world.tables([kept(**settings)], {"up": [o.port for o in origins]}, filters=[FILTER])
    return origins, await world.proxy(tables), tables


async def test_a_cookie_names_the_endpoint(world: World) -> None:
    origins, proxy, _ = await three(world)
    client = await world.connect(proxy)
    for origin in origins:
        assert await ports(client, origins, cookie(origin.port)) == [origin.port] * 6


async def test_others_take_turns_and_are_told(world: World) -> None:
    origins, proxy, _ = await three(world)
    client = await world.connect(proxy)
    assert set(await ports(client, origins)) == {o.port for o in origins}
    _, fields, _ = await client.get()
    assert fields["set-cookie"].startswith('s="')


async def test_an_endpoint_that_left_is_no_longer_asked(world: World) -> None:
    origins, proxy, tables = await three(world)
    client = await world.connect(proxy)
    gone = origins[0].port
    await client.get("/", cookie(gone))
    left = {b"up": tuple(end for end in tables.endpoints[b"up"] if end.port != gone)}
    await proxy.apply(replace(tables, endpoints=left))
    assert gone not in await ports(client, origins, cookie(gone))
    await proxy.apply(tables)
    assert await ports(client, origins, cookie(gone)) == [gone] * 6


@pytest.mark.parametrize(("strict", "status"), [(False, 200), (True, 503)])
async def test_an_endpoint_in_bad_health(world: World, strict: bool, status: int) -> None:
    origins, proxy, tables = await three(world, strict=strict)
    sick = origins[0].port
    ends = tuple(replace(e, health="UNHEALTHY" if e.port == sick else "HEALTHY") for e in tables.endpoints[b"up"])
    await proxy.apply(replace(tables, endpoints={b"up": ends}))
    client = await world.connect(proxy)
    assert (await client.get("/", cookie(sick)))[0] == status
    assert sick not in await ports(client, origins, cookie(sick))


async def test_filters_that_no_route_speaks_to_cost_nothing(world: World) -> None:
    origin = await world.origin("up")
    proxy = await world.proxy(world.tables([to("up")], {"up": [origin.port]}, filters=[FILTER]))
    (listener,) = proxy.listeners.values()
    assert listener.http.filters == ()  # type: ignore[union-attr]
