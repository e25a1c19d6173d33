"""What do the ConfigMaps and Secrets hold that a container's environment names?

Read once, when the container starts: a running container keeps its environment, as in a cluster.
"""

import asyncio
import base64
import binascii
from collections.abc import Iterator, Mapping

from mesh.api.config import ConfigMap, Secret
from mesh.api.core import Container
from mesh.api.errors import NotFound
from mesh.client.base import Client

Source = tuple[str, str]
"""(configmap or secret, name)"""
Sources = Mapping[Source, Mapping[str, str] | None]
"""The keys of each source; None for one that does not exist."""
NO_SOURCES: Sources = {}
_FROM = (("configMapRef", "configmap"), ("secretRef", "secret"))
_KEYS = (("configMapKeyRef", "configmap"), ("secretKeyRef", "secret"))


def named(container: Container) -> Iterator[Source]:
    """Every source that the environment names; the same one may come twice."""
    for group in container.env_from or ():
        for field, kind in _FROM:
            if reference := group.get(field):
                yield kind, str(reference.get("name"))
    for entry in container.env or ():
        for field, kind in _KEYS:
            if reference := (entry.value_from or {}).get(field):
                yield kind, str(reference.get("name"))


async def fetch(client: Client, namespace: str, container: Container) -> Sources:
    """Read the sources of a container. Raises ApiError when the API cannot be asked."""
    wanted = sorted(set(named(container)))
    if not wanted:
        return NO_SOURCES
    held = await asyncio.gather(*(_read(client, namespace, kind, name) for kind, name in wanted))
    return dict(zip(wanted, held, strict=True))


async def _read(client: Client, namespace: str, kind: str, name: str) -> Mapping[str, str] | None:
    try:
        if kind == "configmap":
            return (await client.get(ConfigMap, name, namespace)).data or {}
        secret = await client.get(Secret, name, namespace)
    except NotFound:
        return None
    return {key: _plain(value) for key, value in (secret.data or {}).items()}


def _plain(value: str) -> str:
    try:
        # Bytes that are no text come back as the same bytes when the environment is handed to a program.
        return base64.b64decode(value).decode(errors="surrogateescape")
    except binascii.Error:
        return value
