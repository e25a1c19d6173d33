"""Which services does a program find in its environment? Those that were there when it started, as in a cluster."""

from collections.abc import Iterable, Mapping

from mesh.api.core import Pod
from mesh.api.services import Service
from mesh.client.base import Client

NO_LINKS: Mapping[str, str] = {}
_MASTER = ("default", "kubernetes")


async def fetch(client: Client, pod: Pod) -> Mapping[str, str]:
    """Raises ApiError when the API cannot be asked."""
    wanted = (pod.spec.model_extra or {}).get("enableServiceLinks") is not False
    found = list((await client.list(Service, pod.namespace)).items) if wanted else []
    if pod.namespace != _MASTER[0] or not wanted:
        found += (await client.list(Service, _MASTER[0], field_selector=f"metadata.name={_MASTER[1]}")).items
    return links(found)


def links(services: Iterable[Service]) -> dict[str, str]:
    """NAME_SERVICE_HOST and its kin, of every service that has a cluster address."""
    env: dict[str, str] = {}
    for service in sorted(services, key=lambda service: service.name):
        address = service.spec.cluster_ip
        if not address or address == "None" or not service.spec.ports:
            continue
        name = _variable(service.name)
        first = service.spec.ports[0]
        env[f"{name}_SERVICE_HOST"] = address
        env[f"{name}_SERVICE_PORT"] = str(first.port)
        env[f"{name}_PORT"] = f"{(first.protocol or 'TCP').lower()}://{address}:{first.port}"
        for port in service.spec.ports:
            if port.name:
                env[f"{name}_SERVICE_PORT_{_variable(port.name)}"] = str(port.port)
            protocol = port.protocol or "TCP"
            prefix = f"{name}_PORT_{port.port}_{protocol.upper()}"
            env[prefix] = f"{protocol.lower()}://{address}:{port.port}"
            env |= {f"{prefix}_PROTO": protocol.lower(), f"{prefix}_PORT": str(port.port), f"{prefix}_ADDR": address}
    return env


def _variable(name: str) -> str:
    return name.upper().replace("-", "_").replace(".", "_")
