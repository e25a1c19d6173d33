import random

import pytest

from mesh.balance.least_request import LeastRequest
from mesh.balance.maglev import Maglev
from mesh.balance.make import make
from mesh.balance.random_choice import Random
from mesh.balance.ring import Ring
from mesh.balance.round_robin import RoundRobin
from mesh.routing.spec import LbOptions
from tests.unit.balance.conftest import hosts_of


@pytest.mark.parametrize("options", [None, LbOptions()], ids=["no options", "defaults"])
@pytest.mark.parametrize(
    ("policy", "kind"),
    [
        pytest.param("ROUND_ROBIN", RoundRobin, id="round robin"),
        pytest.param("LEAST_REQUEST", LeastRequest, id="least request"),
        pytest.param("RANDOM", Random, id="random"),
        pytest.param("RING_HASH", Ring, id="ring"),
        pytest.param("MAGLEV", Maglev, id="maglev"),
    ],
)
def test_each_policy_has_its_balancer(policy: str, kind: type, options: LbOptions | None) -> None:
    hosts = hosts_of(["a", "b"])
    balancer = make(policy, hosts, options, random.Random(1))
    assert isinstance(balancer, kind)
    assert balancer.pick(1) in hosts


def test_options_arrive() -> None:
    ring = make("RING_HASH", hosts_of(["a"]), LbOptions(minimum_ring_size=5, maximum_ring_size=5), random.Random(1))
    assert isinstance(ring, Ring)
    assert len(ring) == 5


def test_an_unknown_policy_is_said() -> None:
    with pytest.raises(ValueError, match="no balancer is called 'FASTEST'"):
        make("FASTEST", hosts_of(["a"]), None, random.Random(1))
