"""How does a pod leave? In order, and within its grace period.

preStop hooks run while everything serves on; then the sidecar drains, then the containers stop. The decisions about
when are `lifecycle.departure`'s.
"""

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from mesh.api.core import Pod
from mesh.api.errors import ApiError, Conflict, NotFound
from mesh.client.base import Client
from mesh.node import lifecycle, order
from mesh.node.apps.context import BadSetting
from mesh.node.container import RunningContainer
from mesh.node.host import Host, Sidecar

log = logging.getLogger("mesh.node")
AGAIN_S = 0.5


@dataclass(frozen=True, slots=True)
class Leaving:
    """What leaves. sidecar: None when there is none that serves."""

    pod: Pod
    containers: Sequence[RunningContainer]
    init: Sequence[RunningContainer]
    sidecar: Sidecar | None

    @property
    def hooked(self) -> list[RunningContainer]:
        """The containers that want something to be done before they stop."""
        return [running for running in (*self.containers, *self.init) if running.before_stop]

    async def in_order(self, host: Host, kill_at: float) -> None:
        """Leave until `kill_at`. A hook that takes the whole time leaves its container lifecycle.LEAST_GRACE_S."""
        now, settings = host.clock.now, host.settings
        hooks = [running.pre_stop(max(0.0, kill_at - now())) for running in self.hooked]
        plan = lifecycle.departure(now(), kill_at - now(), settings.linger_s, settings.drain_s)
        await asyncio.gather(asyncio.sleep(max(0.0, plan.serve_until - now())), *hooks)
        if hooks:
            plan = lifecycle.departure(now(), kill_at - now(), 0.0, settings.drain_s)
        if self.sidecar is not None:
            await quietly(self.pod, self.sidecar.drain(max(0.0, plan.drain_until - now())))
        left_s = max(lifecycle.LEAST_GRACE_S if hooks else 0.0, kill_at - now())
        await quietly(self.pod, order.stop(self.containers, self.init, left_s))


async def quietly(pod: Pod, work: Awaitable[None]) -> None:
    """One part that fails to stop must not keep the others."""
    try:
        await work
    except (OSError, BadSetting) as error:
        log.warning("part did not stop cleanly pod=%s error=%r", pod.name, error)


async def confirm(client: Client, pod: Pod) -> None:
    """Remove the object of a pod that has stopped; the API may be away for a while."""
    while True:
        try:
            await client.delete(Pod, pod.name, pod.namespace, grace_period_s=0, uid=pod.metadata.uid)
            return
        except (NotFound, Conflict):
            return
        except ApiError as error:
            log.info("removal not confirmed pod=%s error=%s", pod.name, error)
            await asyncio.sleep(AGAIN_S)
