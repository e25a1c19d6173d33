"""What may be tuned, and which addresses do the controllers hand out?

The addresses come from the emulator as plain values: the plan of addresses belongs to the nodes.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

ServiceKey = tuple[str, str]


def _unknown(name: str) -> bool:
    return False


async def _no_totals(pod_ips: Sequence[str]) -> Mapping[str, float]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One value for all controllers; the defaults suit the first mesh on a machine."""

    service_prefix: str = "127.96"
    """First two octets of the ClusterIP range, a /16. Source: the address plan."""

    reserved_cluster_ips: Mapping[ServiceKey, str] = field(
        default_factory=lambda: {("default", "kubernetes"): "127.96.0.1", ("kube-system", "kube-dns"): "127.96.0.10"}
    )
    """Addresses kept for the services of that namespace and name; nobody else gets them."""

    node_port_first: int = 30000
    """Lowest NodePort. Source: Kubernetes' default range."""

    node_port_last: int = 32767
    """Highest NodePort, included."""

    load_balancer_address: Callable[[int, int], str] | None = None
    """(index of a zone, number of a load balancer from 1 to 254) -> its address there; None leaves all pending."""

    zones: tuple[str, ...] = ()
    """The zones that have a subnet, in order: a network load balancer has an address in each. Empty: one, unnamed."""

    gateway_address: str = "127.0.0.1"
    """The address that every Ingress reports: where the gateway listens."""

    api_address: tuple[str, int] | None = None
    """Where the API server listens; None makes no `kubernetes` service."""

    dns_address: tuple[str, int] | None = None
    """Where the DNS server listens; None makes no `kube-dns` service."""

    node_grace_s: float = 4.0
    """Seconds without a heartbeat after which a node counts as lost. Four missed beats of one second each."""

    eviction_s: float = 0.0
    """Seconds between the loss of a node and the replacement of its pods. 0, since a lost node is a dead process."""

    node_alive: Callable[[str], bool] = _unknown
    """Node name -> is its process known to run? Pods of a silent node that lives keep their names until it is gone."""

    detach_s: float = 0.0
    """Seconds for which a lost node keeps the volumes attached to it although its pods are gone. 0, since a lost node
    is a dead process; Kubernetes, which can not know, waits 6 minutes."""

    volume_dir: str | None = None
    """The folder below which each volume that is made has a directory of its own; None keeps what is there."""

    name_rest_s: float = 0.2
    """Seconds between the end of a StatefulSet's pod and the next of its name. A cluster needs about as long, and
    `kubectl delete pod` counts on it: it looks twice whether the name is gone, some ten milliseconds apart."""

    job_backoff_s: float = 10.0
    """Seconds between a Job's first failure and its next try; doubled with each. Source: Kubernetes."""

    autoscale_interval_s: float = 15.0
    """Seconds between two looks of an autoscaler. Source: Kubernetes' --horizontal-pod-autoscaler-sync-period."""

    request_totals: Callable[[Sequence[str]], Awaitable[Mapping[str, float]]] = _no_totals
    """Pod addresses -> how many requests each pod has answered; who cannot say is left out."""

    event_ttl_s: float = 3600.0
    """Seconds after its last occurrence for which an event is kept. Source: Kubernetes' --event-ttl."""

    max_events: int = 10_000
    """Most events kept at once; the oldest go first."""

    pod_batch: int = 64
    """Most pods that one ReplicaSet creates or deletes at the same time; batches double up to it."""

    expectation_s: float = 10.0
    """Seconds to wait for the cache to show what was written before it is believed to have missed it."""
