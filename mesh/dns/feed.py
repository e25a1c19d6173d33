"""Where does the latest view come from?

From informers. A change only marks the view as old; it is built again when the next question asks for it, so a
rollout of a thousand pods costs one view and not a thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, Protocol, TypeVar

from mesh.api.core import Namespace
from mesh.api.meta import Object
from mesh.api.services import EndpointSlice, Service
from mesh.dns.view import View, view

T_co = TypeVar("T_co", bound=Object, covariant=True)


class Listed(Protocol, Generic[T_co]):
    """The part of an informer that is needed here."""

    def list(self) -> Iterable[T_co]: ...

    def on_change(self, callback: Callable[[Any, Any], None], /) -> object: ...


class Feed:
    """Callable that gives the view of this moment."""

    def __init__(
        self,
        services: Listed[Service],
        endpoint_slices: Listed[EndpointSlice],
        namespaces: Listed[Namespace],
        *,
        zone: str = "cluster.local",
        dns_address: str = "",
    ) -> None:
        self._services, self._slices, self._namespaces = services, endpoint_slices, namespaces
        self._zone, self._dns_address = zone, dns_address
        self._serial = 0
        self._view: View | None = None
        for source in (services, endpoint_slices, namespaces):
            source.on_change(self._changed)

    def _changed(self, old: object, new: object) -> None:
        self._view = None

    def __call__(self) -> View:
        if self._view is None:
            self._serial += 1
            self._view = view(
                self._services.list(),
                self._slices.list(),
                self._namespaces.list(),
                zone=self._zone,
                dns_address=self._dns_address,
                serial=self._serial,
            )
        return self._view
