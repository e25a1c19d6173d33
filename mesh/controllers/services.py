"""Services: handing out cluster addresses and node ports."""

import logging

from mesh.api.errors import AlreadyExists
from mesh.api.services import Endpoints, EndpointSlice, Service
from mesh.controllers.actions import Key, note
from mesh.controllers.runtime import DONE, Context, Controller, Result
from mesh.controllers.services_plan import Exhausted, Pool, plan_service

log = logging.getLogger("mesh.controllers")
RETRY_EXHAUSTED_S = 5.0
KUBERNETES = ("default", "kubernetes")
DNS = ("kube-system", "kube-dns")
_NOT_MIRRORED = {"endpointslice.kubernetes.io/skip-mirror": "true"}


class ServicesController(Controller):
    """Service -> clusterIP, nodePort, healthCheckNodePort. What is stored is held before anything new is given."""

    name = "service-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._pool = Pool(
            prefix=self.settings.service_prefix,
            first=self.settings.node_port_first,
            last=self.settings.node_port_last,
            reserved=self.settings.reserved_cluster_ips,
        )
        self.caches.services.on_change(self._service_changed)
        self.enqueue(KUBERNETES)
        self.enqueue(DNS)

    def _service_changed(self, old: Service | None, new: Service | None) -> None:
        if old is not None:
            self._pool.let_go(old, new)
            self.enqueue(old.key)
        if new is not None:
            self._pool.hold(new)
            self.enqueue(new.key)

    async def reconcile(self, key: Key) -> Result:
        service = self.caches.services.get(key[1], key[0])
        if service is None:
            await self._built_in(key)
            return DONE
        if service.metadata.deletion_timestamp:
            return DONE
        conflict = self._pool.conflict(service)
        if conflict is not None:
            self.say(note(service, *conflict, "Warning"))
        plan = plan_service(service, self._pool)
        if isinstance(plan, Exhausted):
            self.say(note(service, "AllocationFailed", plan.message, "Warning"))
            return Result(RETRY_EXHAUSTED_S)
        if plan is not None:
            await self.perform(plan)
        return DONE

    async def _built_in(self, key: Key) -> None:
        """The services that a cluster always has; somebody who deletes them gets them back."""
        if key == KUBERNETES and self.settings.api_address is not None:
            await self._make(key, *self.settings.api_address, port=443, name="https", protocols=("TCP",))
        elif key == DNS and self.settings.dns_address is not None:
            await self._make(key, *self.settings.dns_address, port=53, name="dns", protocols=("UDP", "TCP"))

    async def _make(
        self, key: Key, address: str, target: int, *, port: int, name: str, protocols: tuple[str, ...]
    ) -> None:
        namespace, service = key
        ports = [_port(name, port, protocol, len(protocols)) | {"targetPort": target} for protocol in protocols]
        targets = [_port(name, target, protocol, len(protocols)) for protocol in protocols]
        owned = self.settings.reserved_cluster_ips.get(key)
        spec = {"type": "ClusterIP", "ports": ports, **({"clusterIP": owned, "clusterIPs": [owned]} if owned else {})}
        metadata = {"name": service, "namespace": namespace, "labels": {"component": service}}
        subset = {"addresses": [{"ip": address}], "ports": targets}
        piece = {
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
            "ports": targets,
            "metadata": {**metadata, "labels": {"kubernetes.io/service-name": service}},
        }
        for obj in (
            Service.model_validate({"metadata": metadata, "spec": spec}),
            Endpoints.model_validate({"metadata": {**metadata, "labels": _NOT_MIRRORED}, "subsets": [subset]}),
            EndpointSlice.model_validate(piece),
        ):
            try:
                await self.context.client.create(obj)
            except AlreadyExists:
                log.debug("built-in object is there already kind=%s name=%s", type(obj).__name__, service)


def _port(name: str, number: int, protocol: str, count: int) -> dict[str, object]:
    return {"name": name if count == 1 else f"{name}-{protocol.lower()}", "port": number, "protocol": protocol}
