import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from typer.testing import CliRunner, Result

from mesh.api.services import EndpointSlice, Service
from mesh.cli import kv, state
from mesh.cli.errors import UserError
from mesh.dns.server import DnsServer
from mesh.dns.zone import view
from mesh.node.apps.kv import build

ADDRESS = "127.77.41.1"


@pytest.fixture
async def dns(tmp_path: Path) -> AsyncIterator[str]:
    """A store of two shards of which the second is away; the address of the DNS server that knows it."""

    class Here:
        volume_dir, pod_name, node_name, volume_read_only = tmp_path, "kv-0", "node-1", False

    runner = web.AppRunner(build({}, Here()))
    await runner.setup()
    await web.TCPSite(runner, ADDRESS, 0).start()
    port = runner.addresses[0][1]
    meta: dict[str, Any] = {"name": "kv", "namespace": "shop", "labels": {"kubernetes.io/service-name": "kv"}}
    ports = [{"name": "http", "port": port}]
    endpoints = [{"addresses": [ADDRESS], "hostname": "kv-0"}]
    seen = view(
        [Service.model_validate({"metadata": meta, "spec": {"clusterIP": "None", "ports": ports}})],
        [EndpointSlice.model_validate({"metadata": meta, "endpoints": endpoints, "ports": ports})],
    )
    server = DnsServer(lambda: seen, "127.0.0.1", 0)
    await server.start()
    yield f"{server.address}:{server.port}"
    await server.close()
    await runner.cleanup()


async def call(*words: str, stdin: bytes = b"") -> Result:
    return await asyncio.to_thread(CliRunner().invoke, kv.app, list(words), input=stdin)


async def test_a_key_through_the_command_line(dns: str) -> None:
    where = ("--service", "kv.shop", "--dns", dns)
    put = await call("put", "a", "one", *where)
    assert (put.exit_code, put.stdout) == (0, "kv-0\n")
    assert (await call("get", "a", *where)).stdout == "one"
    assert (await call("where", "a", *where)).stdout.split()[0] == "kv-0"
    assert (await call("delete", "a", *where)).stdout == "kv-0\n"
    gone = await call("get", "a", *where)
    assert isinstance(gone.exception, UserError)
    assert (str(gone.exception), gone.exception.exit_code) == ("no key 'a' in kv.shop", 1)


async def test_bytes_go_in_and_out_unchanged(dns: str) -> None:
    where = ("--service", "kv.shop", "--dns", dns)
    await call("put", "b", "-", *where, stdin=b"\x00\xff\n")
    assert (await call("get", "b", *where)).stdout_bytes == b"\x00\xff\n"


async def test_a_shard_that_is_away_is_named(dns: str) -> None:
    where = ("--service", "kv.shop", "--dns", dns, "--shards", "2")
    shards = {key: (await call("where", key, *where)).stdout for key in "abcdefgh"}
    key = next(key for key, said in shards.items() if said == "kv-1 (away)\n")
    result = await call("put", key, "v", *where)
    assert isinstance(result.exception, UserError)
    assert result.exception.exit_code == 1
    assert "shard kv-1 of kv.shop.svc.cluster.local cannot be reached" in str(result.exception)


@pytest.mark.parametrize(
    ("words", "message", "code"),
    [
        pytest.param(("--dns", "127.0.0.1"), "write it as ADDRESS:PORT", 2, id="dns-without-port"),
        pytest.param(("--dns", ":53"), "write it as ADDRESS:PORT", 2, id="dns-without-address"),
        pytest.param((), "no mesh named 'default' is running", 1, id="no-mesh"),
    ],
)
async def test_what_cannot_work_is_told(
    words: tuple[str, ...], message: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESH_HOME", str(tmp_path))
    result = await call("get", "a", *words)
    assert isinstance(result.exception, UserError)
    assert message in str(result.exception)
    assert result.exception.exit_code == code


async def test_the_running_mesh_tells_dns_and_the_number_of_shards(dns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def sets(request: web.Request) -> web.Response:
        items = [{"spec": {"serviceName": "other"}}, {"spec": {"serviceName": "kv", "replicas": 3}}]
        return web.json_response({"items": items})

    app = web.Application()
    app.router.add_get("/apis/apps/v1/namespaces/shop/statefulsets", sets)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    api = f"http://127.0.0.1:{runner.addresses[0][1]}"
    running = state.State(
        name="default", gateway="", api=api, dns=dns, kubeconfig="", control_pid=1, gateway_pid=1, state_dir=""
    )
    monkeypatch.setattr(state, "choose", lambda name: running)
    said = {(await call("where", key, "--service", "kv.shop")).stdout.split()[0] for key in "abcdefghijklmnop"}
    assert said == {"kv-0", "kv-1", "kv-2"}
    await runner.cleanup()


async def test_many_keys(dns: str) -> None:
    """Of two shards one is away: what belongs to it cannot be stored, and the other is not asked to."""
    where = ("--service", "kv.shop", "--dns", dns)
    alone = (*where, "--shards", "1")
    assert (await call("fill", "20", *alone)).stdout == "stored 20 keys in kv.shop\n"
    assert (await call("check", "20", *alone)).stdout == "found 20 of 20 keys where they belong\n"
    missing = await call("check", "21", *alone)
    assert missing.stdout == "found 20 of 21 keys where they belong\n"
    assert isinstance(missing.exception, UserError)
    assert str(missing.exception) == "1 of 21 keys are not where the ring says; after scaling: mesh kv rebalance"
    assert (await call("shards", *where)).stdout.splitlines()[1].split() == ["kv-0", "20", "100.0%"]
    done = await call("rebalance", *where)
    assert done.stdout == "1 -> 1 shards: moved 0 of 20 keys (0.0%); the least is 0.0%\n"
    told = json.loads((await call("rebalance", *where, "-o", "json")).stdout)
    assert (told["keys"], told["moved"], told["counts"]) == (20, 0, {"kv-0": 20})
