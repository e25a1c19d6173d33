"""What does a load balancer know of an endpoint?

Nothing but a weight, the requests under way to it, and its key (`ip:port`, or the hash key that its metadata
gives). Proxies hand in their own endpoint objects; balancers read these three and return the object.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar


class Host(Protocol):
    @property
    def weight(self) -> int: ...

    @property
    def active(self) -> int: ...

    @property
    def key(self) -> bytes: ...


H = TypeVar("H", bound=Host)
H_co = TypeVar("H_co", bound=Host, covariant=True)


class Balancer(Protocol[H_co]):
    """Picks hosts. `hash_value` and `attempt` mean something to ring and maglev only."""

    def pick(self, hash_value: int | None = None, attempt: int = 0) -> H_co | None: ...


def equal_weights(hosts: Sequence[Host]) -> bool:
    return all(host.weight == hosts[0].weight for host in hosts)
