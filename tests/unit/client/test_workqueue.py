"""Keys come once, later after failures, and again when they changed meanwhile."""

import pytest

from mesh.client.workqueue import WorkQueue


def test_a_key_is_queued_once_and_in_order() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for key in ("a", "b", "a"):
        queue.add(key)
    assert [queue.get(0), queue.get(0), queue.get(0)] == ["a", "b", None]


def test_a_key_that_changes_while_worked_on_comes_again() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    assert queue.get(0) == "a"
    queue.add("a")
    assert queue.get(0) is None
    queue.done("a")
    assert queue.get(0) == "a"
    queue.done("a")
    assert queue.get(0) is None
    assert len(queue) == 0


def test_delays() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("late", 5, now=100)
    queue.add_after("soon", 1, now=100)
    queue.add_after("now", 0, now=100)
    assert queue.next_at() == float("-inf")
    assert queue.get(100) == "now"
    assert queue.next_at() == 101
    assert queue.get(100.9) is None
    assert queue.get(101) == "soon"
    assert queue.next_at() == 105
    assert queue.get(106) == "late"
    assert queue.next_at() is None


@pytest.mark.parametrize(
    ("first", "second", "due"),
    [pytest.param(5, 1, 101, id="earlier-wins"), pytest.param(1, 5, 101, id="later-changes-nothing")],
)
def test_the_earliest_time_counts(first: float, second: float, due: float) -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", first, now=100)
    queue.add_after("a", second, now=100)
    assert queue.next_at() == due
    assert queue.get(due) == "a"
    queue.done("a")
    assert queue.get(200) is None


def test_failures_come_back_later_and_later() -> None:
    queue: WorkQueue[str] = WorkQueue(first_delay_s=1, last_delay_s=5)
    assert [queue.retry("a", now=0) for _ in range(5)] == [1, 2, 4, 5, 5]
    assert queue.failures("a") == 5
    queue.forget("a")
    assert (queue.failures("a"), queue.retry("a", now=0)) == (0, 1)


def test_many_failures_do_not_overflow() -> None:
    queue: WorkQueue[str] = WorkQueue()
    assert [queue.retry("a", now=0) for _ in range(2000)][-1] == 30.0


def test_size_counts_everything_that_waits() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    queue.add("b")
    queue.add_after("c", 1, now=0)
    queue.get(0)
    assert len(queue) == 3
