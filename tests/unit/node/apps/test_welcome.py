from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import RawTestServer, TestClient

from mesh.node.apps import welcome
from mesh.node.apps.context import AppContext


@pytest.mark.parametrize(
    ("image", "server", "says"),
    [
        ("httpd:2.4.58", "Apache/2.4.58 (Unix)", "It works!"),
        ("httpd:2.4-alpine", "Apache/2.4 (Unix)", "It works!"),
        ("httpd", "Apache/2.4 (Unix)", "It works!"),
        ("nginx:1.25.3", "nginx/1.25.3", "Welcome to nginx!"),
        ("nginx:latest", "nginx/1.27", "Welcome to nginx!"),
        ("registry.example:5000/nginx", "nginx/1.27", "Welcome to nginx!"),
    ],
)
async def test_a_page_and_a_name_by_tag(image: str, server: str, says: str) -> None:
    context = AppContext(
        pod_name="web-1", pod_ip="", node_name="", namespace="", container_name="app", image=image, address="",
        ports=(80,), volume_dir=Path(),
    )  # fmt: skip
    build: Any = welcome.httpd if "httpd" in image else welcome.nginx
    async with TestClient(RawTestServer(build({}, context))) as client:
        page, missing = await client.get("/"), await client.get("/none")
        assert (page.status, page.headers["server"], missing.status) == (200, server, 404)
        assert says in await page.text()


@pytest.mark.parametrize(
    ("image", "version"),
    [("a:1.2", "1.2"), ("a:1.2-slim", "1.2"), ("a:stable", "d"), ("a", "d"), ("r:5000/a", "d"), ("a:1@sha256:0", "1")],
)
def test_tag_version(image: str, version: str) -> None:
    assert welcome.tag_version(image, "d") == version
