"""One object that cannot be read hides nobody else."""

import random
from typing import Any

import orjson
import pytest

from mesh.api.core import Pod
from mesh.apiserver.local import LocalClient
from mesh.apiserver.registry import Registry, index
from mesh.apiserver.server import ApiServer
from mesh.client.decoding import read
from mesh.client.http import HttpClient
from mesh.runtime.clock import SystemClock
from mesh.store import Store

GOOD: dict[str, Any] = {"metadata": {"name": "good", "namespace": "d"}, "spec": {"hostname": "h"}}
BAD: dict[str, Any] = {"metadata": {"name": "bad", "namespace": "d"}, "spec": {"containers": "none"}}


@pytest.mark.parametrize("form", [lambda obj: obj, orjson.dumps], ids=["json", "bytes"])
def test_read(form: Any, caplog: pytest.LogCaptureFixture) -> None:
    good = read(Pod, form(GOOD))
    assert good is not None
    assert good.spec.hostname == "h"
    assert read(Pod, form(BAD)) is None
    assert "kind=Pod namespace=d name=bad field=spec.containers" in caplog.text


async def test_lists_and_watches_leave_it_out(caplog: pytest.LogCaptureFixture) -> None:
    store = Store(None, SystemClock().wall(), index)
    version = str(store.version)
    for obj in (BAD, GOOD):
        store.create("pods", orjson.loads(orjson.dumps(obj)))
    registry = Registry(store, SystemClock(), random.Random(1))
    server = ApiServer(registry, "127.0.0.1", 0)
    await server.start()
    async with HttpClient(server.url) as http:
        for client in (LocalClient(registry), http):
            assert [pod.name for pod in (await client.list(Pod)).items] == ["good"]
            events = client.watch(Pod, version)
            assert (await anext(events)).object.name == "good"
            await events.aclose()  # type: ignore[attr-defined]
    await server.close()
    assert caplog.text.count("name=bad") == 4
