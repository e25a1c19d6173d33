"""Which kinds have users defined, beside those that are built in?"""

from collections.abc import Iterable, Iterator
from typing import Any

from mesh.api.scheme import BY_RESOURCE, Kind, defined


class Defined:
    """The kinds that CustomResourceDefinitions bring, by the definition's name."""

    def __init__(self, definitions: Iterable[dict[str, Any]] = ()) -> None:
        self._kinds: dict[str, Kind] = {}
        self._by_resource: dict[tuple[str, str, str], Kind] = {}
        for definition in definitions:
            self.add(definition)

    def __iter__(self) -> Iterator[Kind]:
        return iter(tuple(self._kinds.values()))

    def add(self, definition: dict[str, Any]) -> None:
        """Serve what a stored definition says, in place of what it said before."""
        self._kinds[definition["metadata"]["name"]] = defined(definition)
        self._index()

    def remove(self, name: str) -> Kind | None:
        """Serve it no more; the answer is the kind that it brought."""
        kind = self._kinds.pop(name, None)
        self._index()
        return kind

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        """The kind that lives at that path, built in or defined."""
        return BY_RESOURCE.get((group, version, plural)) or self._by_resource.get((group, version, plural))

    def _index(self) -> None:
        self._by_resource = {
            (group, version, kind.plural): kind
            for kind in self._kinds.values()
            for group, version in ((kind.group, kind.version), *kind.other_versions)
        }
