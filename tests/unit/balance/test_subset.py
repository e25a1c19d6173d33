import random

import pytest

from mesh.balance.pool import Member
from mesh.balance.subset import SubsetPools
from mesh.routing.spec import LbOptions
from tests.unit.balance.conftest import PlainHost, hosts_of


def _pools(fallback: str) -> SubsetPools[PlainHost]:
    options = LbOptions(
        subset_keys=(("version",), ("env", "version")),
        subset_fallback=fallback,
        default_subset=(("env", "prod"),),
    )
    pools: SubsetPools[PlainHost] = SubsetPools("ROUND_ROBIN", options, random.Random(1))
    labels = [{"version": "v1", "env": "prod"}, {"version": "v2", "env": "prod"}, {"version": "v2"}]
    pools.update([(Member(host), label) for host, label in zip(hosts_of(["a", "b", "c"]), labels, strict=True)])
    return pools


def _keys(pools: SubsetPools[PlainHost], labels: tuple[tuple[str, str], ...]) -> str:
    pool = pools.pool(labels)
    return "" if pool is None else "".join(sorted({pool.pick().key.decode() for _ in range(6)}))


@pytest.mark.parametrize(
    ("labels", "none", "any_endpoint", "default"),
    [
        pytest.param((), "abc", "abc", "abc", id="nothing asked"),
        pytest.param((("version", "v1"),), "a", "a", "a", id="one label"),
        pytest.param((("version", "v2"),), "bc", "bc", "bc", id="one label, two hosts"),
        pytest.param((("env", "prod"), ("version", "v2")), "b", "b", "b", id="two labels"),
        pytest.param((("version", "v9"),), "", "abc", "ab", id="no such value"),
        pytest.param((("env", "prod"),), "", "abc", "ab", id="no selector for these keys"),
    ],
)
def test_who_is_picked(labels: tuple[tuple[str, str], ...], none: str, any_endpoint: str, default: str) -> None:
    assert _keys(_pools("NO_FALLBACK"), labels) == none
    assert _keys(_pools("ANY_ENDPOINT"), labels) == any_endpoint
    assert _keys(_pools("DEFAULT_SUBSET"), labels) == default
