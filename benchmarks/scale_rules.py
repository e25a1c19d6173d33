"""How far behind are sidecars while a rule changes a hundred times a second?

The rule answers one kind of request with a redirect whose target says which version of the rule it is. A sidecar that
answers with some version is behind by the time since the next version was acknowledged, and not at all when there is
none.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

import aiohttp

CHANGES_A_SECOND = 100
ASKERS, PAUSE_S, SETTLE_S = 4, 0.02, 1.0
MARK = b"/version/"
RULE = "scale-probe"
RULES = "apis/config.istio.io/v1alpha2/namespaces/default/routerules"


class RuleRefused(Exception):
    """The API does not take the rule; `str()` is what it said."""


class Changes:
    """What was written when, and how far behind the sidecars were that were asked."""

    def __init__(self) -> None:
        self.acknowledged: dict[int, float] = {}
        self.behind_ms: list[float] = []
        self.refused = 0
        self.lost = 0
        self.took_s = 0.0
        self.over = False

    def seen(self, version: int, asked_at: float) -> None:
        """A sidecar that was asked at that time answered with that version."""
        following = self.acknowledged.get(version + 1)
        self.behind_ms.append(0.0 if following is None else max(0.0, (asked_at - following) * 1000))


def spec(version: int) -> dict[str, Any]:
    """The rule's spec in that version."""
    return {
        "destination": {"name": "my-app"},
        "precedence": 9,
        "match": {"request": {"headers": {"x-scale": {"exact": "ask"}}}},
        "redirect": {"uri": f"{MARK.decode()}{version}"},
    }


async def change_rules(session: aiohttp.ClientSession, api: str, addresses: Sequence[str], seconds: float) -> Changes:
    """Change a rule again and again, and ask sidecars all over the mesh meanwhile which version they have."""
    head = {"apiVersion": "config.istio.io/v1alpha2", "kind": "RouteRule", "metadata": {"name": RULE}}
    async with session.post(f"{api}/{RULES}", json={**head, "spec": spec(0)}) as response:
        if response.status >= 300:
            raise RuleRefused(await response.text())
    changes = Changes()
    await asyncio.sleep(SETTLE_S)
    askers = [asyncio.create_task(_ask_on(changes, addresses[place::ASKERS])) for place in range(ASKERS)]
    began = time.monotonic()
    for version in range(1, int(seconds * CHANGES_A_SECOND) + 1):
        # When a write took long, those that are due by then follow at once.
        await asyncio.sleep(max(0.0, began + version / CHANGES_A_SECOND - time.monotonic()))
        await _write(session, api, changes, version)
    changes.took_s = time.monotonic() - began
    changes.over = True
    await asyncio.gather(*askers)
    async with session.delete(f"{api}/{RULES}/{RULE}"):
        return changes


async def _write(session: aiohttp.ClientSession, api: str, changes: Changes, version: int) -> None:
    headers = {"content-type": "application/merge-patch+json"}
    body = json.dumps({"spec": spec(version)})
    async with session.patch(f"{api}/{RULES}/{RULE}", data=body, headers=headers) as response:
        changes.refused += response.status != 200
        changes.acknowledged[version] = time.monotonic()


async def _ask_on(changes: Changes, addresses: Sequence[str]) -> None:
    """Ask one sidecar after the other."""
    place = 0
    while not changes.over and addresses:
        place += 1
        asked_at = time.monotonic()
        head = await answer(addresses[place % len(addresses)], 15001, "http://my-app/", "x-scale: ask\r\n")
        found = head.partition(MARK)[2].split(b"\r", 1)[0]
        if found.isdigit():
            changes.seen(int(found), asked_at)
        else:
            changes.lost += 1
        await asyncio.sleep(PAUSE_S)


async def answer(address: str, port: int, target: str, header: str = "") -> bytes:
    """The head of one answer on a connection of its own; empty when there is none."""
    try:
        reader, writer = await asyncio.open_connection(address, port)
        try:
            writer.write(f"GET {target} HTTP/1.1\r\nhost: my-app\r\n{header}connection: close\r\n\r\n".encode())
            return await reader.readuntil(b"\r\n\r\n")
        finally:
            writer.close()
    except (OSError, asyncio.IncompleteReadError):
        return b""
