import asyncio
from typing import Any

import pytest

from mesh.api.core import Pod
from mesh.api.errors import Conflict, NotFound, Unavailable
from mesh.node import status_writer
from mesh.node.status_writer import LANES, StatusWriter
from mesh.runtime.tasks import Tasks


class Api:
    """Stands in for a client: notes each write, answers late, fails when told."""

    def __init__(self) -> None:
        self.writes: list[tuple[str, Any]] = []
        self.failures: list[Exception] = []
        self.at_once = self.most = 0
        self.delay_s = 0.0

    async def patch(self, cls: type[Pod], name: str, patch: dict[str, Any], namespace: str, subresource: str) -> Pod:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.sleep(self.delay_s)
            if self.failures:
                raise self.failures.pop(0)
            self.writes.append((name, patch["status"]["n"]))
            return Pod()
        finally:
            self.at_once -= 1


class Author:
    def __init__(self, name: str) -> None:
        self.pod = Pod.model_validate({"metadata": {"name": name, "uid": f"uid-{name}"}})
        self.n = 0
        self.told = 0

    def status(self) -> dict[str, Any]:
        return {"n": self.n}

    def written(self, pod: Pod) -> None:
        self.told += 1


@pytest.fixture
async def api() -> Any:
    made, tasks = Api(), Tasks("test")
    made.writer = StatusWriter(made)  # type: ignore[attr-defined,arg-type]
    made.writer.start(tasks)  # type: ignore[attr-defined]
    yield made
    await tasks.close()


async def test_changes_that_come_together_are_one_write(api: Any) -> None:
    author = Author("web")
    for n in range(1, 6):
        author.n = n
        api.writer.mark(author, 0.05)
    await asyncio.sleep(0.02)
    assert api.writes == []
    await asyncio.sleep(0.1)
    assert (api.writes, author.told) == ([("web", 5)], 1)


async def test_an_urgent_change_takes_the_waiting_one_along(api: Any) -> None:
    author = Author("web")
    api.writer.mark(author, 10.0)
    author.n = 2
    api.writer.mark(author, 0.0)
    api.writer.mark(author, 10.0)
    await asyncio.sleep(0.05)
    assert api.writes == [("web", 2)]
    api.writer.forget(author)


async def test_a_change_during_a_write_is_written_after_it(api: Any) -> None:
    api.delay_s = 0.05
    author = Author("web")
    api.writer.mark(author, 0.0)
    await asyncio.sleep(0.02)
    author.n = 1
    api.writer.mark(author, 0.0)
    await asyncio.sleep(0.01)
    author.n = 2
    api.writer.mark(author, 0.0)
    await asyncio.sleep(0.2)
    assert (api.writes[-1], len(api.writes), api.most) == (("web", 2), 2, 1)


async def test_few_writes_are_under_way_at_a_time(api: Any) -> None:
    api.delay_s = 0.005
    authors = [Author(f"web-{i}") for i in range(60)]
    for author in authors:
        api.writer.mark(author, 0.0)
    await asyncio.sleep(0.4)
    assert len(api.writes) == 60
    assert api.most == LANES


async def test_a_write_is_tried_again_until_the_api_is_back(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_writer, "AGAIN_S", 0.02)
    api.failures = [Unavailable("away"), Unavailable("away")]
    author = Author("web")
    api.writer.mark(author, 0.0)
    await asyncio.sleep(0.2)
    assert api.writes == [("web", 0)]


@pytest.mark.parametrize("error", [NotFound("gone"), Conflict("another uid")])
async def test_a_pod_that_is_gone_is_not_written_again(api: Any, error: Exception) -> None:
    api.failures = [error]
    author = Author("web")
    api.writer.mark(author, 0.0)
    await asyncio.sleep(0.05)
    assert (api.writes, author.told, api.failures) == ([], 0, [])


async def test_a_forgotten_author_writes_nothing(api: Any) -> None:
    author = Author("web")
    api.writer.mark(author, 0.01)
    api.writer.forget(author)
    api.writer.mark(author, 0.0)
    api.writer.forget(author)
    await asyncio.sleep(0.05)
    assert api.writes == []
