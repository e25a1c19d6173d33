"""Which host does a name mean, and by which names is a host called?

Hosts are the fully qualified names of services. Cluster names follow Istio: `outbound|PORT|SUBSET|HOST`, where the
subset is the label set written out, `k=v,k2=v2` by key.
"""

from collections.abc import Iterator, Mapping

from mesh.api.traffic import IstioService

DOMAIN = "cluster.local"


def service_host(name: str, namespace: str, domain: str = DOMAIN) -> str:
    return f"{name}.{namespace}.svc.{domain}"


def resolve(service: IstioService, namespace: str, domain: str = DOMAIN) -> str:
    """The host that an IstioService names, seen from a rule in `namespace`. Labels play no part."""
    if service.service:
        return service.service
    namespace = service.namespace or namespace
    if service.domain:
        return f"{service.name}.{namespace}.{service.domain}"
    return service_host(service.name or "", namespace, domain)


def subset_text(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def outbound_name(port: int, subset: str, host: str) -> str:
    return f"outbound|{port}|{subset}|{host}"


def inbound_name(port: int) -> str:
    return f"inbound|{port}||"


def short_names(name: str, namespace: str, caller_namespace: str, domain: str = DOMAIN) -> Iterator[str]:
    """Every name by which a caller may reach a service (or one pod of it: name is then POD.SERVICE)."""
    if namespace == caller_namespace:
        yield name
    yield f"{name}.{namespace}"
    yield f"{name}.{namespace}.svc"
    yield f"{name}.{namespace}.svc.{domain}"


def with_port(names: Iterator[str] | list[str], port: int) -> Iterator[str]:
    """Domains of one port: each name with `:port`; bare as well for port 80, which clients leave out."""
    for name in names:
        if port == 80:
            yield name
        yield f"{name}:{port}"
