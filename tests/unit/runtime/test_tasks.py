"""Background tasks have an owner, and a failure is heard."""

import asyncio
import logging

import pytest

from mesh.runtime.tasks import Tasks


async def test_closing_ends_what_runs() -> None:
    tasks = Tasks("owner")
    forever = tasks.start(asyncio.sleep(3600), "forever")
    await asyncio.sleep(0)
    await tasks.close()
    assert forever.cancelled()
    await tasks.close()


async def test_a_failure_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ValueError("oh")

    tasks = Tasks("owner")
    with caplog.at_level(logging.ERROR):
        await asyncio.wait([tasks.start(fail(), "failing")])
        await asyncio.sleep(0)
    assert "owner/failing" in caplog.text
    assert "oh" in caplog.text
