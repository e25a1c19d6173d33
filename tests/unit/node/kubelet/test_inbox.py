"""Bytes wait in order, and not without measure."""

import asyncio

import pytest

from mesh.node.kubelet.inbox import Inbox


async def test_who_puts_too_much_waits_for_who_takes() -> None:
    inbox = Inbox(limit=10)
    await inbox.put(b"x" * 10)
    putting = asyncio.ensure_future(inbox.put(b"more"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(putting), 0.02)
    assert await inbox.get() == b"x" * 10
    await asyncio.wait_for(putting, 1)
    inbox.end()
    await inbox.put(b"too late")
    assert [await inbox.get(), await inbox.get()] == [b"more", b""]


async def test_nobody_waits_for_one_who_takes_no_more() -> None:
    inbox = Inbox(limit=1)
    await inbox.put(b"xx")
    putting = asyncio.ensure_future(inbox.put(b"more"))
    await asyncio.sleep(0)
    inbox.discard()
    await asyncio.wait_for(putting, 1)
    await asyncio.wait_for(inbox.put(b"x" * 1000), 1)


async def test_bytes_may_be_taken_at_once() -> None:
    inbox, taken = Inbox(), []
    inbox.take = taken.append
    await inbox.put(b"a")
    assert taken == [b"a"]
