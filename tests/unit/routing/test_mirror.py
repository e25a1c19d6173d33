from typing import Any

import pytest

from mesh.routing.errors import Refused
from mesh.routing.mirror import MirrorPolicy, shadow
from tests.unit.routing.conftest import request, route, table


def _policy(**fields: Any) -> MirrorPolicy:
    return (
        table(route({"prefix": "/"}, route={"cluster": "c", "request_mirror_policies": [fields]}))
        .virtual_hosts[0]
        .routes[0]
        .mirrors[0]
    )


@pytest.mark.parametrize(
    ("authority", "copy"),
    [
        ("a", "a-shadow"),
        ("a:8080", "a-shadow:8080"),
        ("[::1]:80", "[::1]-shadow:80"),
        ("[::1]", "[::1]-shadow"),
    ],
)
def test_the_copys_authority(authority: str, copy: str) -> None:
    assert shadow(authority.encode()).decode() == copy
    assert _policy(cluster="m").authority(authority.encode()).decode() == copy
    assert _policy(cluster="m", disable_shadow_host_suffix_append=True).authority(b"a") == b"a"
    assert _policy(cluster="m", host_rewrite_literal="x").authority(b"a") == b"x"


@pytest.mark.parametrize(
    ("fraction", "draws", "wanted"),
    [
        pytest.param(None, [0, 99], [True, True], id="no fraction: always"),
        pytest.param({"numerator": 20}, [19, 20, 119, 120], [True, False, True, False], id="a fifth"),
        pytest.param({"numerator": 0}, [0], [False], id="never"),
        pytest.param({"numerator": 1, "denominator": "MILLION"}, [0, 1], [True, False], id="a millionth"),
    ],
)
def test_the_streams_own_draw_decides(fraction: Any, draws: list[int], wanted: list[bool]) -> None:
    more = {} if fraction is None else {"runtime_fraction": {"default_value": fraction}}
    policy = _policy(cluster="m", **more)
    assert [policy.wanted(request(draw=draw)) for draw in draws] == wanted


def test_a_half_of_a_hundred_goes_hand_in_hand_with_a_split() -> None:
    compiled = (
        table(
            route(
                {"prefix": "/"},
                route={
                    "weighted_clusters": {"clusters": [{"name": "a", "weight": 50}, {"name": "b", "weight": 50}]},
                    "request_mirror_policies": [
                        {"cluster": "m", "runtime_fraction": {"default_value": {"numerator": 50}}}
                    ],
                },
            )
        )
        .virtual_hosts[0]
        .routes[0]
    )
    for draw in range(0, 1000, 7):
        head = request(draw=draw)
        assert compiled.mirrors[0].wanted(head) == (compiled.weighted.choose(head).cluster == b"a")


def test_a_header_can_name_the_target() -> None:
    policy = _policy(cluster_header="X-Mirror")
    assert policy.target(request(x_mirror="m2")) == b"m2"
    assert policy.target(request()) == b""
    assert _policy(cluster="m").target(request()) == b"m"


@pytest.mark.parametrize("fields", [{}, {"cluster": "a", "cluster_header": "b"}], ids=["none", "both"])
def test_one_target_is_named(fields: Any) -> None:
    with pytest.raises(Refused, match=r"request_mirror_policies\[0\]\.cluster: name one cluster"):
        _policy(**fields)
