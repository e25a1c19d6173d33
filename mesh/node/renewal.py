"""How do files follow the objects that they are made of?

Followed are only metadata, and only once a pod here has such a volume; what changed is then read where it is needed.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from mesh.api.config import ConfigMap, Secret
from mesh.api.core import Pod, Volume
from mesh.api.errors import ApiError, NotFound
from mesh.api.meta import Object
from mesh.client.base import Client
from mesh.client.informer import Informer
from mesh.node import contents, swap
from mesh.node.apps.context import MALFORMED, BadSetting
from mesh.runtime.tasks import Tasks

log = logging.getLogger("mesh.node")


async def read(client: Client, namespace: str, volume: Volume) -> contents.Held:
    """The sources of a volume. Raises ApiError when the API cannot be asked."""
    return {source: await _keys(client, namespace, *source) for source in sorted(set(contents.named(volume)))}


async def _keys(client: Client, namespace: str, kind: str, name: str) -> Mapping[str, bytes] | None:
    try:
        if kind == "configmap":
            found = await client.get(ConfigMap, name, namespace)
            return contents.keys_of(found.data, found.binary_data)
        return contents.keys_of(None, (await client.get(Secret, name, namespace)).data)
    except NotFound:
        return None


def _without_data(obj: ConfigMap | Secret) -> ConfigMap | Secret:
    obj.data = None
    if isinstance(obj, ConfigMap):
        obj.binary_data = None
    return obj


class Renewal:
    """The volumes of one node that are made of objects."""

    def __init__(self, client: Client, tasks: Tasks) -> None:
        self._client, self._tasks = client, tasks
        self._volumes: dict[str, tuple[Pod, dict[str, tuple[Volume, Path]]]] = {}
        self._due: set[tuple[str, str]] = set()
        self._wake = asyncio.Event()
        self._following = False

    def follow(self, pod: Pod, volume: Volume, directory: Path) -> None:
        """Keep the directory as the objects are from now on."""
        _, held = self._volumes.setdefault(pod.metadata.uid or "", (pod, {}))
        held[volume.name] = (volume, directory)
        if not self._following:
            self._following = True
            self._tasks.start(self._run(), "renewal")
            for cls, kind in ((ConfigMap, "configmap"), (Secret, "secret")):
                informer: Informer[ConfigMap | Secret] = Informer(self._client, cls, transform=_without_data)
                informer.start(self._tasks)
                informer.on_change(self._hearing(kind))

    def forget(self, uid: str) -> None:
        self._volumes.pop(uid, None)

    def pod_changed(self, pod: Pod) -> None:
        """Labels or annotations may be others now."""
        known = self._volumes.get(pod.metadata.uid or "")
        if known is None:
            return
        self._volumes[pod.metadata.uid or ""] = (pod, known[1])
        for volume, _ in known[1].values():
            if volume.downward_api is not None or volume.projected is not None:
                self._mark(pod.metadata.uid or "", volume.name)

    def _hearing(self, kind: str) -> Callable[[Object | None, Object | None], None]:
        def heard(old: Object | None, new: Object | None) -> None:
            changed = new or old
            if changed is None:
                return
            for uid, (pod, held) in self._volumes.items():
                for volume, _ in held.values():
                    if pod.namespace == changed.namespace and (kind, changed.name) in contents.named(volume):
                        self._mark(uid, volume.name)

        return heard

    def _mark(self, uid: str, volume: str) -> None:
        self._due.add((uid, volume))
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._due:
                uid, name = self._due.pop()
                pod, held = self._volumes.get(uid, (None, {}))
                if pod is not None and name in held:
                    await self._renew(pod, *held[name])

    async def _renew(self, pod: Pod, volume: Volume, directory: Path) -> None:
        try:
            files = contents.files_of(volume, pod, await read(self._client, pod.namespace, volume))
            if pod.metadata.uid in self._volumes:
                swap.write(directory, files)
        except (BadSetting, ApiError, OSError, *MALFORMED) as error:
            # The files stay as they were, as in a cluster.
            log.info("volume not renewed pod=%s volume=%s error=%s", pod.name, volume.name, error)
