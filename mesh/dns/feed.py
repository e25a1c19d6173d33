"""Where does the latest view come from?

From informers, piece by piece. A change only marks its service as old; the service is looked at again when the next
question comes, so a rollout of a thousand pods costs one look for each question and not a thousand, and what did not
change keeps its value: answers that follow from it may be remembered.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar

from mesh.api.core import Namespace
from mesh.api.meta import Object
from mesh.api.services import EndpointSlice, Ingress, Service
from mesh.dns.view import (
    Labels,
    ServiceKey,
    ServiceRecord,
    View,
    balancer_names,
    pointers_to,
    service_key,
    service_record,
    slice_key,
)

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
        ingresses: Listed[Ingress] | None = None,
        *,
        zone: str = "cluster.local",
        dns_address: str = "",
    ) -> None:
        self._view = View(zone=zone, dns_address=dns_address, serial=1)
        self._objects: dict[ServiceKey, Service] = {}
        self._slices: dict[ServiceKey, dict[str, EndpointSlice]] = defaultdict(dict)
        self._namespaces: Counter[str] = Counter()
        """Reasons why a namespace exists: itself, and the services in it."""
        self._pointers: dict[str, dict[Labels, None]] = defaultdict(dict)
        self._balancers: dict[tuple[str, str, str], dict[str, tuple[str, ...]]] = {}
        self._old: set[ServiceKey] = set()
        self._changed = False
        services.on_change(self._on_service)
        endpoint_slices.on_change(self._on_slice)
        namespaces.on_change(self._on_namespace)
        if ingresses is not None:
            ingresses.on_change(self._on_ingress)

    def _on_service(self, old: Service | None, new: Service | None) -> None:
        named = new or old
        assert named is not None
        key = service_key(named)
        if new is None:
            self._objects.pop(key, None)
        else:
            self._objects[key] = new
        self._count(key[0], (new is not None) - (old is not None))
        self._name_balancers("Service", old, new)
        self._old.add(key)

    def _on_slice(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        if old is not None:
            self._slices[slice_key(old)].pop(old.metadata.name or "", None)
            self._old.add(slice_key(old))
        if new is not None:
            self._slices[slice_key(new)][new.metadata.name or ""] = new
            self._old.add(slice_key(new))

    def _on_namespace(self, old: Namespace | None, new: Namespace | None) -> None:
        named = new or old
        assert named is not None
        self._count(named.metadata.name or "", (new is not None) - (old is not None))

    def _count(self, namespace: str, change: int) -> None:
        """One reason more or less for a namespace."""
        name = namespace.lower()
        self._namespaces[name] += change
        if self._namespaces[name] <= 0:
            del self._namespaces[name]
        self._changed = True

    def _on_ingress(self, old: Ingress | None, new: Ingress | None) -> None:
        self._name_balancers("Ingress", old, new)

    def _name_balancers(self, kind: str, old: Service | Ingress | None, new: Service | Ingress | None) -> None:
        owner = new or old
        assert owner is not None
        names = balancer_names(new) if new is not None else {}
        key = (kind, owner.metadata.namespace or "", owner.metadata.name or "")
        if names != self._balancers.get(key, {}):
            self._balancers[key] = names
            self._changed = True
        if not names:
            self._balancers.pop(key, None)

    def __call__(self) -> View:
        if self._old or self._changed:
            self._refresh()
        return self._view

    def _refresh(self) -> None:
        before = self._view
        records, pointers = dict(before.services), dict(before.pointers)
        for key in self._old:
            self._look(key, records, pointers)
        self._old.clear()
        self._changed = False
        self._view = View(
            services=MappingProxyType(records),
            namespaces=MappingProxyType(dict.fromkeys(self._namespaces, True)),
            pointers=MappingProxyType(pointers),
            balancers=MappingProxyType({name: of for names in self._balancers.values() for name, of in names.items()}),
            zone=before.zone,
            dns_address=before.dns_address,
            serial=before.serial + 1,
        )

    def _look(
        self, key: ServiceKey, records: dict[ServiceKey, ServiceRecord], pointers: dict[str, tuple[Labels, ...]]
    ) -> None:
        """Bring one service and the names of its addresses up to date."""
        service, before = self._objects.get(key), records.get(key)
        slices = self._slices.get(key)
        if slices is not None and not slices:
            del self._slices[key]
        now = None if service is None else service_record(service, (slices or {}).values())
        if now == before:
            return
        gone = dict.fromkeys(pointers_to(before)) if before is not None else {}
        come = dict.fromkeys(pointers_to(now)) if now is not None else {}
        for address, name in gone.keys() - come.keys():
            self._pointers[address].pop(name, None)
        for address, name in come.keys() - gone.keys():
            self._pointers[address][name] = None
        for address, _ in gone.keys() ^ come.keys():
            names = self._pointers[address]
            if names:
                pointers[address] = tuple(sorted(names))
            else:
                del self._pointers[address]
                pointers.pop(address, None)
        if now is None:
            records.pop(key, None)
        else:
            records[key] = now
