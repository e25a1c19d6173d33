"""Session cookies: does our proxy do with the same configuration and the same requests what a real Envoy does?"""

import re
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator, Sequence
from typing import Any

import planes as both
import pytest
import pytest_asyncio

pytestmark = [pytest.mark.live, pytest.mark.timeout(60)]
ADDRESS = "127.63.1.9"
ENDS = [("127.63.1.1", 19001), ("127.63.1.2", 19001), ("127.63.1.3", 19001)]
REFUSED = ("127.63.1.4", 19001)
_T = "type.googleapis.com/envoy.extensions."
FILTER = "envoy.filters.http.stateful_session"


def session(*, strict: bool = False, **cookie: Any) -> dict[str, Any]:
    """What a route says to the filter."""
    state = {
        "name": "envoy.http.stateful_session.cookie",
        "typed_config": {
            "@type": _T + "http.stateful_session.cookie.v3.CookieBasedSessionState",
            "cookie": {"name": "s", **cookie},
        },
    }
    said = {
        "@type": _T + "filters.http.stateful_session.v3.StatefulSessionPerRoute",
        "stateful_session": {"session_state": state, "strict": strict},
    }
    return {"typed_per_filter_config": {FILTER: said}}


def cluster(name: str, ends: Sequence[tuple[str, int]], states: Sequence[str] = (), **more: Any) -> dict[str, Any]:
    listed = [
        {"endpoint": {"address": {"socket_address": {"address": ip, "port_value": port}}}, "health_status": state}
        for (ip, port), state in zip(ends, states or ["HEALTHY"] * len(ends), strict=True)
    ]
    return {
        "name": name,
        "connect_timeout": "1s",
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": listed}]},
        **more,
    }


def to(prefix: str, name: str = "all", **more: Any) -> dict[str, Any]:
    return {"match": {"prefix": prefix}, "route": {"cluster": name}, **more}


SPLIT = {"clusters": [{"name": "first", "weight": 1}, {"name": "second", "weight": 1}]}
RETRY = {
    "retry_on": "connect-failure",
    "num_retries": 5,
    "retry_back_off": {"base_interval": "0.001s"},
    "retry_host_predicate": [
        {
            "name": "envoy.retry_host_predicates.previous_hosts",
            "typed_config": {"@type": _T + "retry.host.previous_hosts.v3.PreviousHostsPredicate"},
        }
    ],
    "host_selection_retry_max_attempts": 5,
}
ROUTES = [
    to("/plain", **session(path="/plain")),
    to("/nopath", **session()),
    to("/ttl", **session(path="/ttl/", ttl="60s")),
    to("/zero", **session(path="/", ttl="0s")),
    to("/attributes", **session(attributes=[{"name": "SameSite", "value": "Lax"}, {"name": "Secure"}])),
    to("/strict", **session(strict=True)),
    to("/sick", "sick", **session()),
    to("/draining", "draining", **session()),
    to("/refused", "refused", **session()),
    {"match": {"prefix": "/only"}, "route": {"weighted_clusters": SPLIT}, **session()},
    {
        "match": {"prefix": "/hash"},
        "route": {
            "weighted_clusters": {**SPLIT, "use_hash_policy": True},
            "hash_policy": [{"cookie": {"name": "g", "ttl": "60s"}}],
        },
    },
    {"match": {"prefix": "/again"}, "route": {"cluster": "mixed", "retry_policy": RETRY}, **session()},
    {"match": {"prefix": "/direct"}, "direct_response": {"status": 200}, **session()},
    to("/headers", response_headers_to_add=[{"header": {"key": "x-route", "value": "1"}}], **session()),
    to("/"),
]


def bootstrap(port: int) -> dict[str, Any]:
    manager = {
        "@type": _T + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "s",
        "route_config": {"name": "r", "virtual_hosts": [{"name": "v", "domains": ["*"], "routes": ROUTES}]},
        "http_filters": [
            {"name": FILTER, "typed_config": {"@type": _T + "filters.http.stateful_session.v3.StatefulSession"}},
            {"name": "router", "typed_config": {"@type": _T + "filters.http.router.v3.Router"}},
        ],
    }
    listener = {
        "name": "l",
        "address": {"socket_address": {"address": ADDRESS, "port_value": port}},
        "filter_chains": [{"filters": [{"name": "hcm", "typed_config": manager}]}],
    }
    clusters = [
        cluster("all", ENDS),
        cluster("first", ENDS[:1]),
        cluster("second", ENDS[1:2]),
        cluster("sick", ENDS, ["UNHEALTHY", "HEALTHY", "HEALTHY"]),
        cluster("draining", ENDS, ["HEALTHY", "DRAINING", "HEALTHY"]),
        cluster("refused", [REFUSED]),
        cluster("mixed", [REFUSED, ENDS[2]]),
    ]
    return {"static_resources": {"listeners": [listener], "clusters": clusters}}


def raw(place: int) -> str:
    """An address as older proxies wrote it."""
    ip, port = ENDS[place] if place >= 0 else ("127.63.1.77", 19001)
    return b64encode(f"{ip}:{port}".encode()).decode()


def boxed(place: int, expires_in_s: int | None = None, *, safe: bool = False) -> str:
    """An address as it is written today."""
    ip, port = ENDS[place] if place >= 0 else ("127.63.1.77", 19001)
    text = f"{ip}:{port}".encode()
    data = bytes((0x0A, len(text))) + text
    if expires_in_s is not None:
        number, data = int(time.time()) + expires_in_s, data + b"\x10"
        while number > 127:
            data, number = data + bytes((number & 127 | 128,)), number >> 7
        data += bytes((number,))
    return (urlsafe_b64encode(data) if safe else b64encode(data)).decode()


CASES = [
    pytest.param("/plain", [], id="no cookie"),
    pytest.param("/nopath/x", [], id="no cookie and no path"),
    pytest.param("/ttl/", [], id="ttl"),
    pytest.param("/ttl", [], id="the path of the cookie does not cover the request"),
    pytest.param("/plainer", [f"s={raw(2)}"], id="nor a longer word"),
    pytest.param("/plain?q=1", [], id="but a query does no harm"),
    pytest.param("/zero", [], id="ttl zero"),
    pytest.param("/attributes", [], id="attributes"),
    pytest.param("/headers", [], id="header mutations"),
    pytest.param("/direct", [], id="a direct response"),
    pytest.param("/refused", [], id="an endpoint that refuses"),
    pytest.param("/plain", [f"s={boxed(2)}"], id="a valid cookie"),
    pytest.param("/plain", [f's="{boxed(2)}"'], id="in quotes"),
    pytest.param("/plain", [f"s={raw(2)}"], id="of the older form"),
    pytest.param("/plain", ["a=1", f"b=2; s={boxed(2)}"], id="in the second line"),
    pytest.param("/plain", [f"s={boxed(1)}; s={boxed(2)}"], id="twice"),
    pytest.param("/plain", [f"s={boxed(2, 1000)}"], id="expires later"),
    pytest.param("/plain", [f"s={boxed(2, -1000)}"], id="has expired"),
    pytest.param("/ttl/", [f"s={boxed(2, 30)}"], id="ttl, expires later"),
    pytest.param("/ttl/", [f"s={boxed(2, -30)}"], id="ttl, has expired"),
    pytest.param("/ttl/", [f"s={boxed(2)}"], id="ttl, says nothing of it"),
    pytest.param("/ttl/", [f"s={raw(2)}"], id="ttl, older form"),
    pytest.param("/plain", [f"s={boxed(-1)}"], id="of an endpoint that is gone"),
    pytest.param("/plain", [f"s={raw(-1)}"], id="of an endpoint that is gone, older form"),
    pytest.param("/plain", ["s=!!!"], id="garbage"),
    pytest.param("/plain", ["s=AAAA"], id="garbage in base64"),
    pytest.param("/plain", ["s="], id="empty"),
    pytest.param("/plain", [f"s={raw(2).rstrip('=')}"], id="without padding"),
    pytest.param("/plain", [f"s={boxed(2)[:-4]}"], id="cut off"),
    pytest.param("/plain", [f"s={boxed(2, safe=True)}"], id="in the other alphabet"),
    pytest.param("/strict", [f"s={boxed(2)}"], id="strict, valid"),
    pytest.param("/strict", [f"s={boxed(-1)}"], id="strict, gone"),
    pytest.param("/strict", ["s=!!!"], id="strict, garbage"),
    pytest.param("/sick", [], id="sick endpoints"),
    pytest.param("/sick", [f"s={boxed(0)}"], id="of an unhealthy endpoint"),
    pytest.param("/sick", [f"s={boxed(1)}"], id="of a healthy endpoint"),
    pytest.param("/draining", [f"s={boxed(1)}"], id="of a draining endpoint"),
    pytest.param("/", [f"s={boxed(2)}"], id="a route without sessions"),
    pytest.param("/again", [f"s={b64encode(b'127.63.1.4:19001').decode()}"], id="tried again elsewhere"),
]


async def get(port: int, path: str, cookies: Sequence[str]) -> tuple[int, str, list[str]]:
    return await both.get((ADDRESS, port), path, [f"cookie: {cookie}" for cookie in cookies])


async def seen(port: int, path: str, cookies: Sequence[str]) -> Any:
    """What can be compared: where a cookie decides, everything; where chance does, the form of things."""
    answers = [await get(port, path, cookies) for _ in range(2 * len(ENDS))]
    where = {body for _, body, _ in answers}
    cookies_of = [[f for f in fields if f.startswith("set-cookie: s=")] for _, _, fields in answers]
    for (_, body, _), lines in zip(answers, cookies_of, strict=True):
        for line in lines:
            place = next((i for i, (ip, _) in enumerate(ENDS) if ip == body), None)
            if place is not None:
                assert boxed(place).rstrip("=")[:20] in line, (body, line)
    shape = [re.sub(r'(s=")[^"]*', r"\1VALUE", line) for line in cookies_of[0]]
    names = [field.split(":")[0] for field in answers[0][2]]
    return {status for status, _, _ in answers}, sorted(where), shape, names, [bool(lines) for lines in cookies_of]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def planes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[int, int]]:
    """(port of a real Envoy, port of our proxy), both with the same configuration."""
    folder = tmp_path_factory.mktemp("sessions")
    async with both.serving(both.say_where, *ENDS), both.planes(folder, ADDRESS, bootstrap) as ports:
        yield ports


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("path", "cookies"), CASES)
async def test_as_a_real_envoy(planes: tuple[int, int], path: str, cookies: list[str]) -> None:
    real, ours = [await seen(port, path, cookies) for port in planes]
    assert ours == real


@pytest.mark.asyncio(loop_scope="module")
async def test_weighted_clusters_are_drawn_before_the_cookie_is_looked_at(planes: tuple[int, int]) -> None:
    """The cookie of an endpoint in the other cluster has no say, and is replaced; neither proxy pins a version."""
    for port in planes:
        answers = [await get(port, "/only", [f"s={boxed(1)}"]) for _ in range(40)]
        bodies = [body for _, body, _ in answers]
        assert {ENDS[0][0], ENDS[1][0]} == set(bodies)
        replaced = [any(f.startswith("set-cookie: s=") for f in fields) for _, _, fields in answers]
        assert replaced == [body == ENDS[0][0] for body in bodies]


@pytest.mark.asyncio(loop_scope="module")
async def test_weights_by_hash_need_a_cookie_that_is_there(planes: tuple[int, int]) -> None:
    by_cookie = []
    for port in planes:
        assert {ENDS[0][0], ENDS[1][0]} == {(await get(port, "/hash", []))[1] for _ in range(40)}
        by_cookie.append([(await get(port, "/hash", [f"g={number}"]))[1] for number in range(20)])
    assert by_cookie[0] == by_cookie[1]
