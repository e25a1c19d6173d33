"""What has to be there before the first container of a pod starts? Its volumes. Until then it waits, and says why."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from mesh.api.core import Pod, Volume
from mesh.api.errors import ApiError
from mesh.api.quantities import amount
from mesh.client.base import Client
from mesh.node import claims, contents, host_paths, swap
from mesh.node.apps.context import MALFORMED, BadSetting
from mesh.node.attachments import Attachments
from mesh.node.claims import NotYet
from mesh.node.directories import Where
from mesh.node.events import Recorder
from mesh.node.renewal import Renewal, read
from mesh.node.size_limits import SizeLimits, limits_of
from mesh.node.volumes import Volumes, is_empty_dir
from mesh.runtime.tasks import Tasks

FIRST_AGAIN_S, LAST_AGAIN_S = 0.05, 2.0
LONG_S = 123.0
"""After so long a pod that waits for an attachment says so: the kubelet's 2 minutes and 3 seconds."""


class Holder(Protocol):
    """A pod on its way up."""

    pod: Pod

    def fail(self, reason: str, message: str, grace_s: float, warning: bool) -> None: ...


class Mounter:
    """The volumes of one node's pods."""

    def __init__(self, client: Client, node_name: str, volumes: Volumes, recorder: Recorder, tasks: Tasks) -> None:
        self._client, self._volumes, self._recorder = client, volumes, recorder
        self._node = node_name
        self.attachments = Attachments(client, node_name)
        self.renewal = Renewal(client, tasks)
        self._limits = SizeLimits(tasks)

    async def mount(self, holder: Holder) -> None:
        """Wait until every volume of the pod is there."""
        pod = holder.pod
        if not pod.spec.volumes:
            return
        found: dict[str, Where] = {}
        attach: set[str] = set()
        pause_s = FIRST_AGAIN_S
        while True:
            problems = [await self._try(pod, volume, found, attach) for volume in pod.spec.volumes]
            said = list(dict.fromkeys(problem for problem in problems if problem))
            if not said:
                break
            for problem in said:
                self._recorder.tell(pod, "FailedMount", problem, True)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LAST_AGAIN_S)
        if attach:
            await self._attached(pod, attach)
        self._volumes.keep(pod, found)
        for volume in pod.spec.volumes:
            if contents.made_of_objects(volume):
                self.renewal.follow(pod, volume, found[volume.name].path)
        self._limits.watch(pod.metadata.uid or "", limits_of(pod, self._volumes), _evict(holder))

    async def _try(self, pod: Pod, volume: Volume, found: dict[str, Where], attach: set[str]) -> str | None:
        """Find out where one volume is, unless that is known: None, or what is wrong."""
        if volume.name in found:
            return None
        try:
            if volume.claim_name(pod.name) is not None:
                claimed = await claims.find(self._client, self._volumes, pod, volume)
                if claimed.host_path:
                    self._host_path(pod, volume, claimed.where, claimed.host_path, claimed.host_type)
                if claimed.attach:
                    attach.add(claimed.attach)
                found[volume.name] = claimed.where
            elif volume.host_path is not None:
                where = self._volumes.where(pod, volume)
                path, kind = str(volume.host_path.get("path", "")), str(volume.host_path.get("type") or "")
                self._host_path(pod, volume, where, path, kind)
                found[volume.name] = where
            elif contents.made_of_objects(volume):
                found[volume.name] = await self._files(pod, volume)
            elif is_empty_dir(volume):
                amount(str((volume.empty_dir or {}).get("sizeLimit") or 0))  # to be told now when it is none
                found[volume.name] = self._volumes.where(pod, volume)
            else:
                kinds = (
                    "emptyDir, hostPath, persistentVolumeClaim, ephemeral, configMap, secret, projected, downwardAPI"
                )
                return f'MountVolume.SetUp failed for volume "{volume.name}" : only {kinds} volumes are executed here'
        except NotYet as error:
            return (
                f"Unable to attach or mount volumes: unmounted volumes=[{volume.name}], unattached volumes=[], "
                f"failed to process volumes=[{volume.name}]: {error}"
            )
        except (BadSetting, ApiError, OSError, *MALFORMED) as error:
            return f'MountVolume.SetUp failed for volume "{volume.name}" : {error}'
        return None

    def _host_path(self, pod: Pod, volume: Volume, where: Where, path: str, kind: str) -> None:
        """Raises BadSetting. A path that is new here and has files elsewhere is what a pod finds that has moved."""
        new = not where.path.exists()
        others = host_paths.elsewhere(where) if new else []
        hint = f"; {', '.join(others)} has it, but a hostPath belongs to its node and did not move with the pod"
        try:
            host_paths.prepare(where, path, kind)
        except BadSetting as error:
            raise BadSetting(f"{error}{hint if others else ''}") from None
        if others:
            text = f'volume "{volume.name}": hostPath {path} is new and empty on {self._node}{hint}'
            self._recorder.tell(pod, "EmptyHostPath", text, True)

    async def _files(self, pod: Pod, volume: Volume) -> Where:
        where = Where(self._volumes.pod_dir(pod), ("files", volume.name), read_only=True, swapped=True)
        swap.write(where.path, contents.files_of(volume, pod, await read(self._client, pod.namespace, volume)))
        return where

    async def _attached(self, pod: Pod, names: set[str]) -> None:
        while True:
            try:
                await self.attachments.use(pod.metadata.uid or "", names)
                break
            except ApiError:
                await asyncio.sleep(LAST_AGAIN_S)
        while True:
            try:
                async with asyncio.timeout(LONG_S):
                    await self.attachments.attached(names)
                    return
            except TimeoutError:
                claimed = [v.name for v in pod.spec.volumes or () if v.claim_name(pod.name) is not None]
                text = (
                    f"Unable to attach or mount volumes: unmounted volumes=[{' '.join(claimed)}], "
                    "unattached volumes=[], failed to process volumes=[]: timed out waiting for the condition"
                )
                self._recorder.tell(pod, "FailedMount", text, True)

    async def release(self, pod: Pod) -> None:
        """The pod's last container has ended."""
        uid = pod.metadata.uid or ""
        self._limits.forget(uid)
        self.renewal.forget(uid)
        await self.attachments.release(uid)


def _evict(holder: Holder) -> Callable[[str], None]:
    return lambda why: holder.fail("Evicted", why, 1.0, True)
