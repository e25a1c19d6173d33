"""Which pods have written more into an emptyDir than they may? They are evicted."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mesh.api.core import Pod
from mesh.api.quantities import amount
from mesh.node.volumes import Volumes
from mesh.runtime.tasks import Tasks

LOOK_S = 1.0
Evict = Callable[[str], None]
"""Told why."""


@dataclass(frozen=True, slots=True)
class Limit:
    """written: as the manifest says it."""

    volume: str
    directory: Path
    most_bytes: float
    written: str


def limits_of(pod: Pod, volumes: Volumes) -> list[Limit]:
    """Raises BadSetting."""
    found = []
    for volume in pod.spec.volumes or ():
        written = str((volume.empty_dir or {}).get("sizeLimit") or "")
        if written and amount(written) > 0:
            found.append(Limit(volume.name, volumes.directory(pod, volume), amount(written), written))
    return found


def size(directory: Path) -> int:
    """Bytes of the files below; what vanishes meanwhile counts nothing."""
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                continue
    return total


class SizeLimits:
    """The limits of one node. Nobody looks until there is one."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._watched: dict[str, tuple[list[Limit], Evict]] = {}
        self._looking = False

    def watch(self, uid: str, limits: list[Limit], evict: Evict) -> None:
        if limits:
            self._watched[uid] = (limits, evict)
            if not self._looking:
                self._looking = True
                self._tasks.start(self._look(), "size-limits")

    def forget(self, uid: str) -> None:
        self._watched.pop(uid, None)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            for uid, (limits, evict) in list(self._watched.items()):
                for limit in limits:
                    if await asyncio.to_thread(size, limit.directory) > limit.most_bytes:
                        self.forget(uid)
                        evict(f'Usage of EmptyDir volume "{limit.volume}" exceeds the limit "{limit.written}". ')
                        break
