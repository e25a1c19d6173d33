"""A whole mesh in one event loop: objects in, an answer of a real pod out."""

import asyncio
import random
from pathlib import Path

import aiohttp
import pytest

from mesh.api.core import Pod
from mesh.emulator.settings import Settings
from mesh.emulator.world import Emulator

LABELS = {"app": "web", "version": "v1"}
OBJECTS = [
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": LABELS},
            "template": {
                "metadata": {"labels": LABELS},
                "spec": {
                    "containers": [
                        {
                            "name": "web",
                            "image": "containersol/k8s-deployment-strategies",
                            "env": [{"name": "VERSION", "value": "v1"}],
                            "ports": [{"name": "http", "containerPort": 8080}],
                        }
                    ]
                },
            },
        },
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 8090, "targetPort": "http"}]},
    },
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web"},
        "spec": {"defaultBackend": {"service": {"name": "web", "port": {"name": "http"}}}},
    },
]


@pytest.mark.timeout(30)
async def test_manifests_in_traffic_out(tmp_path: Path) -> None:
    # Ports of our own, in the last block: a mesh of the same machine may hold the first ones.
    ports = random.sample(range(20000, 30000), 3)
    settings = Settings.for_test(tmp_path, block=7, gateway_port=ports[0], api_port=ports[1], dns_port=ports[2])
    async with Emulator(settings) as mesh, aiohttp.ClientSession() as session:
        await mesh.apply(OBJECTS)
        async with asyncio.timeout(15):
            text = ""
            while "Version: v1" not in text:
                async with session.get(settings.gateway_url + "/") as answer:
                    text = await answer.text()
                await asyncio.sleep(0.02)
        pods = (await mesh.client.list(Pod)).items
        assert len(pods) == 2
        assert text.split(",")[0].removeprefix("Host: ") in {pod.name for pod in pods}
        async with session.get(settings.api_url + "/api/v1/pods", headers={"Origin": "http://evil.example"}) as refused:
            assert refused.status == 403
