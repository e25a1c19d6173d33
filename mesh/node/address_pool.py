"""Which address does the next pod of a node get? The one that has rested longest, so that nobody mistakes a new pod
for one that has gone."""

from collections.abc import Collection

from mesh.node.addresses import PODS_PER_NODE


class NodeFull(Exception):
    """Every pod address of the node is in use."""


class AddressPool:
    """The host parts 1 to 1021 of one node, handed out in turn. first: where to begin."""

    def __init__(self, first: int = 1) -> None:
        self._next = first
        self._used: set[int] = set()

    def take(self, avoid: Collection[int] = ()) -> int:
        """A free host part. avoid: those that pods still claim which have not come back yet. Raises NodeFull."""
        for _ in range(PODS_PER_NODE):
            host, self._next = self._next, self._next % PODS_PER_NODE + 1
            if host not in self._used and host not in avoid:
                self._used.add(host)
                return host
        raise NodeFull(f"all {PODS_PER_NODE} pod addresses of the node are in use")

    def claim(self, host: int) -> bool:
        """Take this very one, as a pod does that returns with its node; False when it is another pod's."""
        if host in self._used or not 1 <= host <= PODS_PER_NODE:
            return False
        self._used.add(host)
        return True

    def give_back(self, host: int) -> None:
        self._used.discard(host)
