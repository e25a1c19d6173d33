"""How is DNS put together from the API's objects, and where does it listen?"""

from mesh.api.core import Namespace
from mesh.api.services import EndpointSlice, Ingress, Service
from mesh.client.informer import Informers
from mesh.controllers.actions import note
from mesh.controllers.events import Recorder
from mesh.dns.external import ExternalNames
from mesh.dns.feed import Feed
from mesh.dns.forward import Forwarder
from mesh.dns.server import DnsServer
from mesh.dns.upstream import server_address
from mesh.emulator.settings import Settings


class Names:
    """DNS for people at its own port, and for programs in the mesh at the cluster's address."""

    def __init__(self, settings: Settings, informers: Informers, recorder: Recorder) -> None:
        plan, elsewhere = settings.plan, settings.dns_forward
        services = informers.of(Service)
        feed = Feed(
            services,
            informers.of(EndpointSlice),
            informers.of(Namespace),
            informers.of(Ingress),
            dns_address=plan.dns_service,
        )
        forward = Forwarder(*server_address(elsewhere)) if elsewhere else None
        self._servers = [
            DnsServer(feed, address, settings.dns_port, forward, well_known=address == plan.dns_service)
            for address in (plan.people, plan.dns_service)
        ]
        self._recorder = recorder
        services.on_change(ExternalNames(self._warn, forwarding=forward is not None).on_service)

    def _warn(self, service: Service, reason: str, message: str) -> None:
        self._recorder.record(note(service, reason, message, "Warning"), "dns")

    async def start(self) -> None:
        """Raises BindError."""
        for server in self._servers:
            await server.start()

    async def close(self) -> None:
        """Stop answering. Safe to call twice, and before the start."""
        for server in self._servers:
            await server.close()
