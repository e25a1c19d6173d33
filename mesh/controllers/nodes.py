"""Nodes: who was heard of lately, and who is lost?

A node's agent renews the heartbeat in its Ready condition every second. Its age is judged by when the news arrived
here, never by what it says, so clocks need not agree. A pause of this process itself counts for nobody.
"""

import asyncio
import logging
from dataclasses import dataclass

from mesh.api.core import Node, Pod
from mesh.controllers.actions import Key
from mesh.controllers.facts import terminating
from mesh.controllers.nodes_plan import Observed, plan_node
from mesh.controllers.runtime import Context, Controller, Result
from mesh.controllers.tolerance import LOST, ready_condition
from mesh.runtime.tasks import Tasks

log = logging.getLogger("mesh.controllers")
TICKS_PER_GRACE = 16
LONGEST_TICK_S = 0.5


@dataclass(slots=True)
class _Beat:
    """What was last heard of a node. at: when, on our own clock. tainted_at: when NoExecute taints were first seen.

    missed: its silence was acted upon already.
    """

    heartbeat: str | None
    at: float
    tainted_at: float | None = None
    missed: bool = False


class NodeController(Controller):
    """Node -> taints, Ready Unknown, evictions."""

    name = "node-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._beats: dict[str, _Beat] = {}
        self._ticked_at: float | None = None
        self.tick_s = min(LONGEST_TICK_S, self.settings.node_grace_s / TICKS_PER_GRACE)
        self.caches.nodes.on_change(self._node_changed)
        self.caches.pods.on_change(self._pod_changed)

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        now = self.clock.now()
        if new is None:
            if old is not None:
                self._beats[old.name] = _Beat(None, now)
                self.enqueue(old.key)
            return
        ready = ready_condition(new)
        heartbeat = ready.last_heartbeat_time if ready is not None else None
        beat = self._beats.get(new.name)
        if old is None or beat is None:
            beat = self._beats[new.name] = _Beat(heartbeat, now)
        elif heartbeat != beat.heartbeat:
            beat.heartbeat, beat.at, beat.missed = heartbeat, now, False
        driven = any(t.effect == "NoExecute" and t.key not in LOST for t in new.spec.taints or ())
        beat.tainted_at = (beat.tainted_at if beat.tainted_at is not None else now) if driven else None
        if old is None or _state(old) != _state(new):
            self.enqueue(new.key)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        """A pod that arrives on a node from which pods are driven off, or that is to leave it, is looked at there."""
        if new is None or not new.spec.node_name:
            return
        leaves = old is not None and terminating(new) and not terminating(old)
        if old is not None and old.spec.node_name and not leaves:
            return
        name = new.spec.node_name
        beat = self._beats.get(name)
        if self.caches.nodes.get(name) is None:
            self._beats.setdefault(name, _Beat(None, self.clock.now()))
            self.enqueue(("", name))
        elif beat is not None and (beat.tainted_at is not None or self._silent_s(beat) >= self.settings.node_grace_s):
            self.enqueue(("", name))

    def _silent_s(self, beat: _Beat) -> float:
        return self.clock.now() - beat.at

    def start(self, tasks: Tasks) -> None:
        super().start(tasks)
        tasks.start(self._watch_silence(), "controller-node-silence")

    async def _watch_silence(self) -> None:
        while True:
            self.tick()
            await asyncio.sleep(self.tick_s)

    def tick(self) -> None:
        """Queue the nodes that have been silent for too long. A tick that comes late shifts all heartbeats with it."""
        now = self.clock.now()
        if self._ticked_at is not None and (late_s := now - self._ticked_at - self.tick_s) > 2 * self.tick_s:
            log.warning("this process was held up seconds=%.2f", late_s)
            for beat in self._beats.values():
                beat.at = min(now, beat.at + late_s)
        self._ticked_at = now
        for name, beat in self._beats.items():
            if not beat.missed and self._silent_s(beat) >= self.settings.node_grace_s:
                beat.missed = True
                self.enqueue(("", name))

    async def reconcile(self, key: Key) -> Result:
        name = key[1]
        node = self.caches.nodes.get(name)
        beat = self._beats.setdefault(name, _Beat(None, self.clock.now()))
        pods = self.caches.pods_by_node.get(name)
        plan = plan_node(
            Observed(
                node=node,
                pods=pods,
                silent_s=self._silent_s(beat),
                grace_s=self.settings.node_grace_s,
                eviction_s=self.settings.eviction_s,
                tainted_s=self.clock.now() - beat.tainted_at if beat.tainted_at is not None else 0.0,
                alive=self.settings.node_alive(name),
                wall=self.clock.wall(),
            )
        )
        if node is None and not pods:
            self._beats.pop(name, None)
        return await self.carry_out(plan)


def _state(node: Node) -> object:
    """What of a node calls for a look; a mere heartbeat does not."""
    ready = ready_condition(node)
    return (ready.status if ready else None, node.spec.unschedulable, node.spec.taints)
