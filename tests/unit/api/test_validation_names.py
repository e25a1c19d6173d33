"""Names, labels, ports and amounts."""

from collections.abc import Callable
from typing import Any

import pytest

from mesh.api import validation_names as names

L63, L64 = "a" * 63, "a" * 64


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (names.dns_label, ["a", "0a", "a-b", L63], ["", "A", "-a", "a-", "a.b", "a_b", L64, "a\n"]),
        (names.dns_label_1035, ["a", "a1", "a-b"], ["", "0a", "1", "-a", "A", L64]),
        (names.dns_subdomain, ["a", "a.b", "0.a-b", "a" * 253], ["", "a..b", ".a", "a.", "A.b", "a_b", "a" * 254]),
        (
            names.qualified_name,
            ["a", "A_b.c", "example.com/x", f"a/{L63}"],
            ["", "a/", "/a", "a/b/c", "A/b", L64, "a b"],
        ),
        (names.label_value, ["", "a", "A.b_c-d", "v1.0.0", L63], ["-a", "a-", "a b", L64, "ä"]),
        (names.port_name, ["http", "a", "http-2", "a1"], ["", "-a", "a--b", "123", "HTTP", "a" * 16]),
        (names.env_name, ["A", "a.b", "a-b", "1"], ["", "a=b", "a\tb", "ä"]),
        (names.port_number, [1, 65535], [0, -1, 65536]),
        (names.quantity, ["1", "100m", "0.5", "64Mi", "1e3", "2G", ".5", 1, 0.5], ["", "x", "1Q", "64 Mi", True, None]),
        (names.ip_address, ["127.0.0.1", "::1"], ["", "a", "1.2.3", "1.2.3.256"]),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_rules(rule: Callable[[Any], str | None], good: list[Any], bad: list[Any]) -> None:
    assert {value: rule(value) for value in good} == dict.fromkeys(good)
    assert [value for value in bad if rule(value) is None] == []


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        (0, False),
        (5, False),
        ("25%", False),
        ("0%", False),
        (-1, True),
        ("25", True),
        ("x%", True),
        ("", True),
        (True, False),
    ],
)
def test_int_or_percent(value: Any, wrong: bool) -> None:
    assert bool(names.int_or_percent("f", value)) is wrong


@pytest.mark.parametrize(
    ("value", "wrong"),
    [(80, False), ("http", False), (0, True), (70000, True), ("80", True), (True, True), ([], False)],
)
def test_port_reference(value: Any, wrong: bool) -> None:
    assert bool(names.port_reference("f", value)) is wrong


def test_not_negative_names_each_field() -> None:
    found = names.not_negative({"a": -1, "b": 0, "c": -2, "d": "x"}, "spec", "a", "b", "c", "d", "e")
    assert [cause.field for cause in found] == ["spec.a", "spec.c"]
