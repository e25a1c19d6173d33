"""What does somebody hear who names an external service that DNS cannot lead to?

Decides. DNS answers such a service as the specification has it, and a client sees no more than that there is no
address; so the service gets a Warning that says why.
"""

from __future__ import annotations

from collections.abc import Callable

from mesh.api.services import Service
from mesh.dns.view import ServiceKey, service_key, service_record
from mesh.dns.zone import CHAIN_LIMIT, TOO_LONG

Tell = Callable[[Service, str, str], None]
"""(service, reason, message)"""
CIRCLE, LONG, ADDRESS, OUTSIDE = "DNSCircle", "DNSChainTooLong", "DNSNoRecord", "DNSOutside"


class ExternalNames:
    """Follows where ExternalName services point to. forwarding: whether names outside the mesh are asked for."""

    def __init__(self, tell: Tell, *, zone: str = "cluster.local", forwarding: bool = False) -> None:
        self._tell, self._zone, self._forwarding = tell, zone, forwarding
        self._services: dict[ServiceKey, Service] = {}

    def on_service(self, old: Service | None, new: Service | None) -> None:
        """For an informer: take in a change, and tell what is wrong now."""
        if old is not None:
            self._services.pop(service_key(old), None)
        if new is None or new.spec.type != "ExternalName":
            return
        self._services[service_key(new)] = new
        if old is None or old.spec != new.spec:
            self._judge(new)

    def _judge(self, service: Service) -> None:
        way, last = self._way(service)
        end = self._inside(last)
        names = " -> ".join([*(".".join(reversed(key)) for key in way), last.removesuffix(f".svc.{self._zone}")])
        if not _target(service):
            self._tell(service, ADDRESS, no_record(service.spec.external_name or ""))
        elif end is not None and end in way:
            # Whoever closes the circle, all in it are concerned; who only leads into it, nobody else.
            for key in way if end == way[0] else way[:1]:
                self._tell(self._services[key], CIRCLE, f"external names in a circle lead to no address: {names}")
        elif len(way) > CHAIN_LIMIT:
            self._tell(service, LONG, f"{TOO_LONG}: {names}")
        elif end is None and not self._forwarding:
            self._tell(service, OUTSIDE, outside(last))

    def _way(self, service: Service) -> tuple[list[ServiceKey], str]:
        """The external services on the way from one, each once, and the name to which the last of them points."""
        way, name = [service_key(service)], _target(service)
        while (key := self._inside(name)) in self._services and key is not None and key not in way:
            way.append(key)
            name = _target(self._services[key])
        return way, name

    def _inside(self, name: str) -> ServiceKey | None:
        """The service that a name means, there or not; None for names outside the mesh."""
        if not f".{name}".endswith(f".{self._zone}"):
            return None
        labels = name.removesuffix(f".svc.{self._zone}").split(".")
        return (labels[-1], labels[-2]) if len(labels) >= 2 else ("", name)


def _target(service: Service) -> str:
    return service_record(service, ()).target


def no_record(name: str) -> str:
    return (
        f"externalName {name!r} is no name that a CNAME can carry, so DNS has no record for this service; "
        "for an address use a service without a selector and an EndpointSlice"
    )


def outside(name: str) -> str:
    return (
        f"{name} is outside the mesh: DNS answers with that name alone (mesh up --dns-forward SERVER asks for its "
        "address too), and neither sidecars nor the gateway call it"
    )
