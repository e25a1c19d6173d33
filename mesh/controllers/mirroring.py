"""Endpoints that people write for a Service without a selector: showing them as EndpointSlices, too.

Whoever routes reads slices alone, so without this a hand-made Endpoints object would lead nowhere.
"""

from typing import Any

from mesh.api.meta import ObjectMeta
from mesh.api.services import Endpoints, EndpointSlice, EndpointSubset, Service
from mesh.controllers.actions import Action, Create, Delete, Key, Plan, pinned
from mesh.controllers.endpoints_plan import MANAGED_LABEL, SERVICE_LABEL
from mesh.controllers.facts import controller_reference, terminating
from mesh.controllers.runtime import DONE, Context, Controller, Result

MANAGER = "endpointslicemirroring-controller.k8s.io"
SKIP_LABEL = "endpointslice.kubernetes.io/skip-mirror"


def plan_mirror(service: Service | None, source: Endpoints | None, slices: list[EndpointSlice]) -> list[Action]:
    """One slice a subset, as long as a Service without a selector has Endpoints of the same name."""
    wanted: dict[str, dict[str, Any]] = {}
    if service is not None and source is not None and _mirrored(service, source):
        for number, subset in enumerate(source.subsets or ()):
            wanted[f"{source.name}-mirror-{number}"] = _content(subset)
    have = {piece.name: piece for piece in slices}
    actions: list[Action] = [
        Delete(cls=EndpointSlice, key=piece.key, uid=piece.metadata.uid)
        for name, piece in have.items()
        if name not in wanted
    ]
    for name, content in wanted.items():
        piece = have.get(name)
        if piece is None and source is not None:
            actions.append(Create(obj=_new(source, name, content)))
        elif piece is not None and _shown(piece) != _shown(EndpointSlice.model_validate(content)):
            actions.append(pinned(piece, content))
    return actions


def _mirrored(service: Service, source: Endpoints) -> bool:
    if service.spec.selector or service.spec.type == "ExternalName" or terminating(service) or terminating(source):
        return False
    return source.metadata.label_map.get(SKIP_LABEL) != "true"


def _shown(piece: EndpointSlice) -> object:
    return piece.model_dump(include={"endpoints", "ports"}, exclude_none=True)


def _content(subset: EndpointSubset) -> dict[str, Any]:
    ports = [port.model_dump(by_alias=True, exclude_none=True) for port in subset.ports or ()]
    endpoints = []
    for ready, addresses in ((True, subset.addresses), (False, subset.not_ready_addresses)):
        for address in addresses or ():
            shown = address.model_dump(by_alias=True, exclude_none=True)
            shown["addresses"] = [shown.pop("ip")]
            endpoints.append({**shown, "conditions": {"ready": ready}})
    return {"endpoints": endpoints, "ports": [{"name": "", **port} for port in ports]}


def _new(source: Endpoints, name: str, content: dict[str, Any]) -> EndpointSlice:
    metadata = ObjectMeta(
        name=name,
        namespace=source.namespace,
        labels={SERVICE_LABEL: source.name, MANAGED_LABEL: MANAGER},
        owner_references=[controller_reference(source)],
    )
    return EndpointSlice.model_validate({"addressType": "IPv4", **content}).model_copy(update={"metadata": metadata})


class MirroringController(Controller):
    """Endpoints without a selecting Service -> EndpointSlices."""

    name = "endpoint-slice-mirroring-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.caches.services.on_change(self._changed)
        self.caches.endpoints.on_change(self._changed)

    def _changed(self, old: Service | Endpoints | None, new: Service | Endpoints | None) -> None:
        obj = new or old
        if obj is None:
            return
        service = self.caches.services.get(obj.name, obj.namespace)
        # A Service with a selector has slices of its own; large ones change often and are none of our business.
        if service is None or not service.spec.selector or isinstance(obj, Service):
            self.enqueue(obj.key)

    async def reconcile(self, key: Key) -> Result:
        ours = [
            piece
            for piece in self.caches.slices_by_service.get(key)
            if piece.metadata.label_map.get(MANAGED_LABEL) == MANAGER
        ]
        service = self.caches.services.get(key[1], key[0])
        source = self.caches.endpoints.get(key[1], key[0])
        if source is None and not ours:
            return DONE
        return await self.carry_out(Plan(tuple(plan_mirror(service, source, ours))))
