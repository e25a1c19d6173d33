from typing import Any

import pytest

from mesh.api.core import Pod
from mesh.api.meta import ObjectMeta
from mesh.api.services import Service
from mesh.node.service_links import fetch, links


def service(name: str, address: str | None, *ports: dict[str, Any], namespace: str = "default") -> Service:
    meta = ObjectMeta(name=name, namespace=namespace)
    return Service.model_validate({"spec": {"clusterIP": address, "ports": list(ports)}}).model_copy(
        update={"metadata": meta}
    )


def test_what_a_service_says() -> None:
    found = links([service("my-web", "127.96.0.5", {"name": "http-x", "port": 80}, {"name": "tls", "port": 443})])
    assert found == {
        "MY_WEB_SERVICE_HOST": "127.96.0.5",
        "MY_WEB_SERVICE_PORT": "80",
        "MY_WEB_SERVICE_PORT_HTTP_X": "80",
        "MY_WEB_SERVICE_PORT_TLS": "443",
        "MY_WEB_PORT": "tcp://127.96.0.5:80",
        "MY_WEB_PORT_80_TCP": "tcp://127.96.0.5:80",
        "MY_WEB_PORT_80_TCP_PROTO": "tcp",
        "MY_WEB_PORT_80_TCP_PORT": "80",
        "MY_WEB_PORT_80_TCP_ADDR": "127.96.0.5",
        "MY_WEB_PORT_443_TCP": "tcp://127.96.0.5:443",
        "MY_WEB_PORT_443_TCP_PROTO": "tcp",
        "MY_WEB_PORT_443_TCP_PORT": "443",
        "MY_WEB_PORT_443_TCP_ADDR": "127.96.0.5",
    }


@pytest.mark.parametrize("address", [None, "None", ""])
def test_a_service_without_an_address_says_nothing(address: str | None) -> None:
    assert links([service("web", address, {"port": 80})]) == {}


@pytest.mark.parametrize(
    ("namespace", "wanted", "found"),
    [
        ("default", True, {"KUBERNETES", "WEB"}),
        ("default", False, {"KUBERNETES"}),
        ("shop", True, {"KUBERNETES", "SHOP"}),
        ("shop", False, {"KUBERNETES"}),
    ],
)
async def test_which_services_a_pod_hears_of(world: Any, namespace: str, wanted: bool, found: set[str]) -> None:
    for name, where in (("kubernetes", "default"), ("web", "default"), ("shop", "shop")):
        meta = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": where}}
        if where == "shop":
            world.registry.bootstrap([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}])
        body = {**meta, "spec": {"clusterIP": f"127.96.0.{len(name)}", "ports": [{"port": 80}]}}
        await world.client.create(Service.model_validate(body))
    pod = Pod.model_validate(
        {"metadata": {"name": "p", "namespace": namespace}, "spec": {"enableServiceLinks": wanted}}
    )
    env = await fetch(world.client, pod)
    assert {name.removesuffix("_SERVICE_HOST") for name in env if name.endswith("_SERVICE_HOST")} == found


async def test_a_program_may_name_them(world: Any) -> None:
    agent = await world.node()
    body = {
        "metadata": {"name": "db", "namespace": "default"},
        "spec": {"clusterIP": "127.96.0.9", "ports": [{"port": 5}]},
    }
    await world.client.create(Service.model_validate(body))
    world.make(image="busybox", command=["sh", "-c", "echo $DB_SERVICE_PORT $URL $(DB_SERVICE_HOST)"], restartPolicy="Never",
               env=[{"name": "URL", "value": "x://$(DB_SERVICE_HOST)"}])  # fmt: skip
    await world.until(lambda pod: pod.status.phase == "Succeeded")
    assert (agent.log_dir / "default_web_app.log").read_text() == "5 x://127.96.0.9 127.96.0.9\n"
