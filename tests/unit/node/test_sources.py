"""What a container's environment names is read, each source once."""

from typing import Any

from mesh.api.config import ConfigMap, Secret
from mesh.api.core import Container
from mesh.api.errors import NotFound
from mesh.node.sources import NO_SOURCES, fetch


class Held:
    """Imitates the one verb of a client that is used here."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str | None]] = []

    async def get(self, cls: type[Any], name: str, namespace: str | None = None) -> Any:
        self.asked.append((cls.__name__, name, namespace))
        if name == "gone":
            raise NotFound("no")
        if cls is ConfigMap:
            return ConfigMap(data={"a": "1"})
        return Secret(data={"b": "aGk=", "raw": "/w==", "odd": "a"})


def container(**parts: Any) -> Container:
    return Container.model_validate({"name": "app", **parts})


async def test_each_source_is_read_once() -> None:
    client = Held()
    wanted = container(
        envFrom=[{"configMapRef": {"name": "c"}}, {"secretRef": {"name": "gone"}}],
        env=[
            {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "a"}}},
            {"name": "Y", "valueFrom": {"secretKeyRef": {"name": "s", "key": "b"}}},
        ],
    )
    found = await fetch(client, "shop", wanted)  # type: ignore[arg-type]
    assert found == {
        ("configmap", "c"): {"a": "1"},
        ("secret", "gone"): None,
        ("secret", "s"): {"b": "hi", "raw": "\udcff", "odd": "a"},
    }
    assert sorted(client.asked) == [("ConfigMap", "c", "shop"), ("Secret", "gone", "shop"), ("Secret", "s", "shop")]


async def test_nothing_named_is_nothing_asked() -> None:
    client = Held()
    assert await fetch(client, "shop", container(env=[{"name": "A", "value": "1"}])) is NO_SOURCES  # type: ignore[arg-type]
    assert client.asked == []
