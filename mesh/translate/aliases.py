"""Which service does a service of type ExternalName stand for?

One that points to a service of the mesh is another name for it, as in Istio: same routes, same rules, same ports. One
that points elsewhere, to nothing, or in a circle stands for nothing, and its names lead nowhere.
"""

from collections import defaultdict
from collections.abc import Mapping

from mesh.translate.views import ServiceView

MOST_HOPS = 8
"""From one external name to the next. Source: what DNS follows."""


def stands_for(services: Mapping[str, ServiceView], host: str) -> ServiceView | None:
    """The service that a host means in the end: itself, or what its external name leads to; None for nothing."""
    for _ in range(MOST_HOPS + 1):
        service = services.get(host)
        if service is None or not service.external_name:
            return service
        host = service.external_name
    return None


def aliases(services: Mapping[str, ServiceView]) -> dict[str, tuple[ServiceView, ...]]:
    """Host of a service -> the external names that lead to it, in the order of their hosts."""
    found: dict[str, list[ServiceView]] = defaultdict(list)
    for host, service in services.items():
        target = stands_for(services, host) if service.external_name else None
        if target is not None:
            found[target.host].append(service)
    return {host: tuple(names) for host, names in found.items()}
