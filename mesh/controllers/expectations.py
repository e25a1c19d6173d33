"""Does the cache show yet what was written?

A controller that counts pods in a cache that lags behind its own writes would create them twice. So it writes down
which pods it is about to create or delete, and does not count again before the cache has shown each of them.
"""

from dataclasses import dataclass, field

from mesh.controllers.actions import Key


@dataclass(slots=True)
class _Pending:
    created: set[Key] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    until: float = 0.0


class Expectations:
    """Per owner: pods under way. patience_s: after so long the cache is believed to have missed something."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._pending: dict[Key, _Pending] = {}

    def _of(self, owner: Key, now: float) -> _Pending:
        pending = self._pending.setdefault(owner, _Pending())
        pending.until = now + self._patience_s
        return pending

    def creating(self, owner: Key, pod: Key, now: float) -> None:
        """About to create `pod`; say so before, since the cache may be quicker than the answer."""
        self._of(owner, now).created.add(pod)

    def deleting(self, owner: Key, uid: str, now: float) -> None:
        """About to delete the pod of that uid."""
        self._of(owner, now).deleted.add(uid)

    def created(self, owner: Key, pod: Key) -> bool:
        """The cache shows `pod`, or it was never made. True when nothing is awaited any more because of it."""
        pending = self._pending.get(owner)
        if pending is None or pod not in pending.created:
            return False
        pending.created.discard(pod)
        return self._settle(owner, pending)

    def deleted(self, owner: Key, uid: str) -> bool:
        """The cache shows that the pod goes, or it was never deleted. True as for `created`."""
        pending = self._pending.get(owner)
        if pending is None or uid not in pending.deleted:
            return False
        pending.deleted.discard(uid)
        return self._settle(owner, pending)

    def _settle(self, owner: Key, pending: _Pending) -> bool:
        if pending.created or pending.deleted:
            return False
        del self._pending[owner]
        return True

    def leaving(self, owner: Key) -> frozenset[str]:
        """Uids of pods that were deleted although the cache still shows them as they were."""
        pending = self._pending.get(owner)
        return frozenset(pending.deleted) if pending is not None else frozenset()

    def coming(self, owner: Key) -> int:
        """How many pods were created that the cache does not show."""
        pending = self._pending.get(owner)
        return len(pending.created) if pending is not None else 0

    def forget(self, owner: Key) -> None:
        """The owner is gone."""
        self._pending.pop(owner, None)

    def wait_s(self, owner: Key, now: float) -> float | None:
        """Seconds to go on waiting at most; None when the cache may be believed."""
        pending = self._pending.get(owner)
        if pending is None:
            return None
        if pending.until <= now:
            del self._pending[owner]
            return None
        return pending.until - now
