"""Endpoints in bad health: when does a real Envoy, and when do we, use them all the same?"""

from collections.abc import AsyncIterator
from typing import Any

import planes as both
import pytest
import pytest_asyncio

pytestmark = [pytest.mark.live, pytest.mark.timeout(60)]
ADDRESS = "127.63.7.9"
ENDS = [(f"127.63.7.{number}", 19001) for number in range(1, 4)]
STATES = {"H": "HEALTHY", "U": "UNHEALTHY", "D": "DRAINING", "T": "TIMEOUT", "N": "UNKNOWN"}
CASES = ["HHH", "UHH", "UUH", "UDH", "DDH", "DDD", "UUU", "UUD", "TTH", "UNN", "DUN"]
_T = "type.googleapis.com/envoy.extensions.filters."


def cluster(case: str) -> dict[str, Any]:
    ends = [
        {
            "endpoint": {"address": {"socket_address": {"address": ip, "port_value": port}}},
            "health_status": STATES[letter],
        }
        for (ip, port), letter in zip(ENDS, case, strict=True)
    ]
    assignment = {"cluster_name": case, "endpoints": [{"lb_endpoints": ends}]}
    return {"name": case, "connect_timeout": "1s", "type": "STATIC", "load_assignment": assignment}


def bootstrap(port: int) -> both.Bootstrap:
    routes = [{"match": {"path": f"/{case}"}, "route": {"cluster": case}} for case in CASES]
    manager = {
        "@type": _T + "network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "s",
        "route_config": {"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "r", "typed_config": {"@type": _T + "http.router.v3.Router"}}],
    }
    listener = {
        "name": "l",
        "address": {"socket_address": {"address": ADDRESS, "port_value": port}},
        "filter_chains": [{"filters": [{"name": "h", "typed_config": manager}]}],
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster(case) for case in CASES]}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ports(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[int, int]]:
    folder = tmp_path_factory.mktemp("health")
    async with both.serving(both.say_where, *ENDS), both.planes(folder, ADDRESS, bootstrap, (19831, 19832)) as found:
        yield found


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("case", CASES)
async def test_who_is_used(ports: tuple[int, int], case: str) -> None:
    real, ours = [{(await both.get((ADDRESS, port), f"/{case}"))[1] for _ in range(9)} for port in ports]
    assert ours == real
