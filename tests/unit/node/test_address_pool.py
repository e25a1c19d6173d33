import pytest

from mesh.node.address_pool import AddressPool, NodeFull
from mesh.node.addresses import PODS_PER_NODE


def test_an_address_rests_until_all_others_had_their_turn() -> None:
    pool = AddressPool()
    seen = []
    for _ in range(PODS_PER_NODE + 1):
        host = pool.take()
        pool.give_back(host)
        seen.append(host)
    assert seen == [*range(1, PODS_PER_NODE + 1), 1]


def test_what_is_in_use_is_passed_over() -> None:
    pool = AddressPool(first=PODS_PER_NODE - 1)
    assert pool.claim(PODS_PER_NODE)
    assert [pool.take(), pool.take(avoid={1, 2})] == [PODS_PER_NODE - 1, 3]


@pytest.mark.parametrize("host", [0, PODS_PER_NODE + 1, 7])
def test_what_cannot_be_claimed(host: int) -> None:
    pool = AddressPool(first=7)
    pool.take()
    assert not pool.claim(host)


def test_a_full_node_says_so() -> None:
    pool = AddressPool()
    assert len({pool.take() for _ in range(PODS_PER_NODE)}) == PODS_PER_NODE
    with pytest.raises(NodeFull, match="all 1021 pod addresses"):
        pool.take()
