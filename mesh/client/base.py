"""What can anybody in the house ask of the API?

Two clients keep this contract: `http.HttpClient` over a socket, and the API server's own in-process one. Objects
that come back belong to the caller; changing one changes nothing until it is written.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from mesh.api.meta import Object

T = TypeVar("T", bound=Object)
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"


@dataclass(frozen=True, slots=True)
class ListResult(Generic[T]):
    """Objects in (namespace, name) order, and the version from which a watch continues."""

    items: list[T]
    resource_version: str


@dataclass(frozen=True, slots=True)
class WatchEvent(Generic[T]):
    """One change. BOOKMARK carries only a resourceVersion."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    object: T


class Client(Protocol):
    """Typed verbs. Errors are those of `mesh.api.errors`."""

    async def get(self, cls: type[T], name: str, namespace: str | None = None) -> T:
        """One object. Raises NotFound."""
        ...

    async def list(
        self, cls: type[T], namespace: str | None = None, label_selector: str = "", field_selector: str = ""
    ) -> ListResult[T]:
        """All objects that match; namespace None means every namespace."""
        ...

    async def create(self, obj: T) -> T:
        """Store a new object. Raises AlreadyExists, Invalid."""
        ...

    async def update(self, obj: T) -> T:
        """Replace an object (not its status). Raises Conflict when its resourceVersion is not the latest."""
        ...

    async def update_status(self, obj: T) -> T:
        """Replace only the status. Raises Conflict, NotFound."""
        ...

    async def patch(
        self,
        cls: type[T],
        name: str,
        patch: dict[str, Any] | Sequence[dict[str, Any]],
        namespace: str | None = None,
        subresource: str = "",
        content_type: str = MERGE_PATCH,
    ) -> T:
        """Change part of an object. Raises NotFound, Invalid, Conflict (when the patch names a resourceVersion)."""
        ...

    async def delete(
        self,
        cls: type[T],
        name: str,
        namespace: str | None = None,
        *,
        propagation: str | None = None,
        grace_period_s: int | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> None:
        """Ask for removal. A pod with a grace period is only marked; its node removes it with grace 0."""
        ...

    def watch(
        self,
        cls: type[T],
        resource_version: str,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[WatchEvent[T]]:
        """Changes after `resource_version`, until closed. Raises Expired when that version is too old."""
        ...
