"""How large may each ReplicaSet be in the next step?"""

import pytest

from mesh.controllers.rollout import Bounds, Size, bounds, new_size, rescale, saturated, scaled, scaling, shrink_old


@pytest.mark.parametrize(
    ("value", "total", "up", "expected"),
    [
        pytest.param(3, 10, True, 3, id="number"),
        pytest.param("25%", 10, True, 3, id="surge-rounds-up"),
        pytest.param("25%", 10, False, 2, id="unavailable-rounds-down"),
        pytest.param("25%", 3, True, 1, id="surge-of-three"),
        pytest.param("25%", 3, False, 0, id="unavailable-of-three"),
        pytest.param("100%", 4, False, 4, id="all"),
        pytest.param("2", 4, False, 2, id="number-as-text"),
        pytest.param(None, 4, False, 0, id="nothing"),
    ],
)
def test_percentages(value: int | str | None, total: int, up: bool, expected: int) -> None:
    assert scaled(value, total, up=up) == expected


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        pytest.param(3, "25%", "25%", (1, 0), id="three"),
        pytest.param(10, "25%", "25%", (3, 2), id="ten"),
        pytest.param(4, 0, "10%", (0, 1), id="both-zero-moves-one"),
        pytest.param(2, 1, 5, (1, 2), id="capped-at-replicas"),
        pytest.param(0, "25%", "25%", (0, 0), id="none-wanted"),
    ],
)
def test_bounds(replicas: int, surge: int | str, unavailable: int | str, expected: tuple[int, int]) -> None:
    found = bounds(replicas, surge, unavailable)
    assert (found.surge, found.unavailable) == expected


def test_recreate_has_no_room() -> None:
    assert bounds(4, "25%", "25%", rolling=False) == Bounds(replicas=4, surge=0, unavailable=0)


def rs(name: str, size: int, available: int | None = None, **more: object) -> Size:
    ready = size if available is None else available
    values: dict[str, object] = {"pods": size, "available": ready, "order": (name, name), **more}
    return Size(name=name, size=size, **values)  # type: ignore[arg-type]


TEN = bounds(10, "25%", "25%")
THREE = bounds(3, "25%", "25%")


@pytest.mark.parametrize(
    ("limit", "new", "old", "expected"),
    [
        pytest.param(TEN, rs("n", 0), [rs("o", 10)], 3, id="first-step-of-ten"),
        pytest.param(TEN, rs("n", 3, 0), [rs("o", 8)], 5, id="into-the-room-of-the-old"),
        pytest.param(TEN, rs("n", 3, 0), [rs("o", 8, pods=10)], 3, id="not-before-old-pods-are-gone"),
        pytest.param(TEN, rs("n", 3, 0), [rs("o", 8, observed=False)], 3, id="not-on-old-news"),
        pytest.param(THREE, rs("n", 0), [rs("o", 3)], 1, id="three-surges-by-one"),
        pytest.param(THREE, rs("n", 1), [rs("o", 3)], 1, id="no-room"),
        pytest.param(THREE, rs("n", 5), [], 3, id="too-large-shrinks"),
        pytest.param(THREE, rs("n", 0), [], 3, id="nothing-else"),
    ],
)
def test_the_new_set_grows_into_the_room(limit: Bounds, new: Size, old: list[Size], expected: int) -> None:
    assert new_size(limit, new, old) == expected


@pytest.mark.parametrize(
    ("limit", "new", "old", "expected"),
    [
        pytest.param(TEN, rs("n", 3, 0), [rs("o", 10)], {"o": 8}, id="ten-spares-two-at-once"),
        pytest.param(THREE, rs("n", 1, 0), [rs("o", 3)], {}, id="three-waits-for-the-new"),
        pytest.param(THREE, rs("n", 1, 1), [rs("o", 3)], {"o": 2}, id="one-for-one"),
        pytest.param(THREE, rs("n", 1, 1), [rs("a", 1), rs("b", 2)], {"a": 0}, id="oldest-first"),
        pytest.param(TEN, rs("n", 3, 0), [rs("o", 10, 4)], {"o": 8}, id="unhealthy-first-and-only-so-many"),
        pytest.param(TEN, rs("n", 3, 0), [rs("a", 5), rs("b", 5, 3)], {"b": 3}, id="unhealthy-of-a-younger-set-first"),
        pytest.param(THREE, rs("n", 1, 1), [rs("o", 3, 0, observed=False)], {}, id="old-news-is-no-sickness"),
        pytest.param(THREE, rs("n", 1, 1, observed=False), [rs("o", 3)], {}, id="old-news-is-no-health"),
        pytest.param(THREE, rs("n", 1, 1), [rs("o", 2, 3)], {}, id="those-about-to-go-do-not-count"),
    ],
)
def test_old_sets_shrink_by_what_can_be_spared(
    limit: Bounds, new: Size, old: list[Size], expected: dict[str, int]
) -> None:
    assert shrink_old(limit, new, old) == expected


@pytest.mark.parametrize(
    ("limit", "new", "old", "expected"),
    [
        pytest.param(bounds(5, 1, 1), rs("n", 3), [], {"n": 5}, id="one-active-takes-all"),
        pytest.param(bounds(5, 1, 1), rs("n", 0), [rs("o", 3)], {"o": 5}, id="paused-before-the-first-step"),
        pytest.param(bounds(5, 1, 1), rs("n", 0), [], {"n": 5}, id="none-active"),
        pytest.param(
            bounds(15, 3, 2),
            rs("n", 5, maximum=13),
            [rs("o", 8, maximum=13)],
            {"o": 11, "n": 7},
            id="documented-proportions",
        ),
        pytest.param(
            bounds(5, 1, 1), rs("n", 5, maximum=13), [rs("o", 8, maximum=13)], {"o": 4, "n": 2}, id="down-in-proportion"
        ),
        pytest.param(bounds(0, 1, 1), rs("n", 2), [rs("o", 2)], {"o": 0, "n": 0}, id="to-nothing"),
        pytest.param(
            bounds(4, 1, 1), rs("n", 4, desired=4), [rs("o", 1)], {"o": 0}, id="saturated-new-set-ends-the-old"
        ),
    ],
)
def test_rescaling_keeps_proportions(limit: Bounds, new: Size, old: list[Size], expected: dict[str, int]) -> None:
    assert rescale(limit, new, old, rolling=True, seen=0) == expected


def test_recreate_does_not_share_between_sets() -> None:
    assert rescale(bounds(4, 0, 0, rolling=False), rs("n", 1), [rs("o", 2)], rolling=False, seen=3) == {}


def test_scaling_is_seen_from_what_was_wanted() -> None:
    assert scaling(5, [rs("n", 3, desired=3)])
    assert not scaling(3, [rs("n", 3, desired=3), rs("o", 0, desired=7)])
    assert not saturated(3, None)
