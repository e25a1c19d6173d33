from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import RawTestServer, TestClient

from mesh.node.apps import http_echo
from mesh.node.apps.context import AppContext, BadSetting


def context(*args: str) -> AppContext:
    return AppContext(
        pod_name="web-1", pod_ip="", node_name="", namespace="", container_name="app", image="hashicorp/http-echo",
        address="", ports=(), volume_dir=Path(), args=args,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("args", "env", "wanted"),
    [
        pytest.param(("-text=hello",), {}, (200, "hello\n"), id="equals"),
        pytest.param(("-text", "hello world"), {}, (200, "hello world\n"), id="two words"),
        pytest.param(("--text=a=b",), {}, (200, "a=b\n"), id="two dashes, an equals sign inside"),
        pytest.param(("-text=oh", "-status-code=418"), {}, (418, "oh\n"), id="a status"),
        pytest.param((), {"ECHO_TEXT": "from env"}, (200, "from env\n"), id="from the environment"),
    ],
)
async def test_it_says_its_text(args: tuple[str, ...], env: dict[str, str], wanted: tuple[int, str]) -> None:
    handler: Any = http_echo.build(env, context(*args))
    async with TestClient(RawTestServer(handler)) as client:
        for path in ("/", "/any"):
            answer = await client.get(path)
            assert (answer.status, await answer.text()) == wanted


@pytest.mark.parametrize(
    ("args", "message"),
    [
        pytest.param((), "argument -text is required", id="nothing"),
        pytest.param(("-text",), "argument '-text': a value is missing", id="no value"),
        pytest.param(("hello",), "argument 'hello': use -text", id="no option"),
        pytest.param(("-color=red",), "argument '-color=red': use -text", id="unknown option"),
        pytest.param(("-text=x", "-status-code=9"), "-status-code='9': a status from 200 to 599", id="status"),
    ],
)
def test_bad_arguments_are_named(args: tuple[str, ...], message: str) -> None:
    with pytest.raises(BadSetting, match=message):
        http_echo.build({}, context(*args))


@pytest.mark.parametrize(
    ("args", "port"),
    [((), None), (("-listen=:80",), 80), (("-listen", "0.0.0.0:8080"), 8080), (("-text=x",), None)],
)
def test_listen_port(args: tuple[str, ...], port: int | None) -> None:
    assert http_echo.listen_port(args) == port


@pytest.mark.parametrize("listen", [":0", ":65536", ":http", "80x", ""])
def test_a_bad_port_is_named(listen: str) -> None:
    with pytest.raises(BadSetting, match="use -listen=:PORT"):
        http_echo.listen_port((f"-listen={listen}",))
