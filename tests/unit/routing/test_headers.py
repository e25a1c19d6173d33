from typing import Any

import pytest

from mesh.routing.decision import Decision
from mesh.routing.errors import Refused
from mesh.routing.headers import HeaderPlan, apply, compile_level, overwrite, plan_of
from tests.unit.routing.conftest import message, request


def _level(add: Any = (), remove: Any = (), which: str = "request") -> Any:
    config = message(
        "envoy.config.route.v3.route:RouteConfiguration",
        {f"{which}_headers_to_add": list(add), f"{which}_headers_to_remove": list(remove)},
    )
    return compile_level(
        getattr(config, f"{which}_headers_to_add"), getattr(config, f"{which}_headers_to_remove"), "r", which
    )


def _add(key: str, value: str, action: str = "APPEND_IF_EXISTS_OR_ADD", **more: Any) -> Any:
    return {"header": {"key": key, "value": value}, "append_action": action, **more}


def _apply(plan: HeaderPlan | None, before: str) -> str:
    """Lines are written `name=value name=value`."""
    headers = [tuple(part.encode() for part in line.split("=", 1)) for line in before.split()]
    decision = Decision(0.0)
    decision.request = request(x_user="jo")
    assert plan is not None
    apply(plan, headers, decision)  # type: ignore[arg-type]
    return " ".join(f"{name.decode()}={value.decode()}" for name, value in headers)


@pytest.mark.parametrize(
    ("add", "remove", "before", "after"),
    [
        pytest.param([_add("x", "1")], [], "a=0 x=0", "a=0 x=0 x=1", id="append"),
        pytest.param([_add("x", "1", "ADD_IF_ABSENT")], [], "a=0", "a=0 x=1", id="absent: added"),
        pytest.param([_add("x", "1", "ADD_IF_ABSENT")], [], "x=0 a=0", "x=0 a=0", id="there: left"),
        pytest.param([_add("x", "1", "OVERWRITE_IF_EXISTS_OR_ADD")], [], "x=0 a=0 x=2", "a=0 x=1", id="overwrite"),
        pytest.param([_add("x", "1", "OVERWRITE_IF_EXISTS_OR_ADD")], [], "a=0", "a=0 x=1", id="overwrite nothing: add"),
        pytest.param([_add("x", "1", "OVERWRITE_IF_EXISTS")], [], "x=0 a=0", "a=0 x=1", id="overwrite if there"),
        pytest.param([_add("x", "1", "OVERWRITE_IF_EXISTS")], [], "a=0", "a=0", id="overwrite if there: it is not"),
        pytest.param([], ["X"], "x=0 a=0 x=1", "a=0", id="remove every line"),
        pytest.param([_add("x", "1"), _add("x", "2")], ["x"], "x=0 a=0", "a=0 x=1 x=2", id="remove, then add"),
        pytest.param(
            [_add("a", "1"), _add("b", "2", "OVERWRITE_IF_EXISTS_OR_ADD")],
            [],
            "z=0",
            "z=0 b=2 a=1",
            id="overwrites first",
        ),
        pytest.param([_add("X-Up", "1")], [], "", "x-up=1", id="names in lower case"),
        pytest.param([_add("x", "%REQ(x-user)%")], [], "", "x=jo", id="format"),
        pytest.param([_add("x", "%REQ(x-none)%")], [], "a=0", "a=0", id="an empty value is dropped"),
        pytest.param([_add("x", "", keep_empty_value=True)], [], "a=0", "a=0 x=", id="an empty value is kept"),
        pytest.param([_add("x", "")], ["a"], "a=0", "", id="an empty constant is dropped"),
        pytest.param(
            [_add("server", "mine", "OVERWRITE_IF_EXISTS_OR_ADD")], [], "server=a b=0", "server=mine b=0", id="server"
        ),
        pytest.param(
            [{"header": {"key": "x", "value": "1"}, "append": False}], [], "x=0 a=0", "a=0 x=1", id="old spelling"
        ),
    ],
)
def test_one_level(add: Any, remove: Any, before: str, after: str) -> None:
    assert _apply(plan_of([_level(add, remove)]), before) == after


def test_constant_additions_of_several_levels_become_one() -> None:
    plan = plan_of([_level([_add("x", "1")]), None, _level([_add("x", "2"), _add("e", "")])])
    assert plan is not None
    assert len(plan.levels) == 1
    assert plan.levels[0].constant == ((b"x", b"1"), (b"x", b"2"))
    assert _apply(plan, "a=0") == "a=0 x=1 x=2"


def test_levels_see_what_the_levels_before_did() -> None:
    plan = plan_of([_level([_add("x", "1")]), _level([_add("y", "2", "ADD_IF_ABSENT")], ["x"])])
    assert _apply(plan, "a=0") == "a=0 y=2"


def test_values_are_written_before_anything_changes() -> None:
    level = _level([_add("x-user", "new", "OVERWRITE_IF_EXISTS_OR_ADD"), _add("was", "%REQ(x-user)%")])
    headers = [(b"x-user", b"old")]
    decision = Decision(0.0)
    decision.request = request(x_user="old")
    apply(HeaderPlan((level,)), headers, decision)
    assert headers == [(b"x-user", b"new"), (b"was", b"old")]


def test_nothing_to_do_is_no_plan() -> None:
    assert plan_of([None, None]) is None
    assert _level() is None


@pytest.mark.parametrize("name", [":path", "host", "Host", ""])
def test_names_that_are_not_mutated(name: str) -> None:
    with pytest.raises(Refused, match=r"r\.request_headers_to_add\[0\]\.header\.key"):
        _level([_add(name, "1")])
    with pytest.raises(Refused, match=r"r\.response_headers_to_remove\[0\]"):
        _level([], [name], "response")


def test_overwrite_in_place_drops_further_lines() -> None:
    headers = [(b"server", b"a"), (b"b", b"0"), (b"server", b"c")]
    overwrite(headers, b"server", b"x")
    assert headers == [(b"server", b"x"), (b"b", b"0")]
