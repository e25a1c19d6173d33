"""Which loopback address does everything have?

The one module that knows the plan. Kubernetes' familiar ranges keep their shape under first octet 127. A second mesh
on the same machine takes the next block: every second octet moves by `block`, and the addresses for people get ports
of their own.
"""

from dataclasses import dataclass

MAX_NODES = 60
PODS_PER_NODE = 1021
OUTBOUND_PORT, ADMIN_PORT, METRICS_PORT = 15001, 15000, 15090
SIDECAR_PORTS = frozenset({OUTBOUND_PORT, ADMIN_PORT, METRICS_PORT})


@dataclass(frozen=True, slots=True)
class Plan:
    """The addresses of one mesh. block: 0 for the first mesh on the machine; at most 7 more fit."""

    block: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.block <= 7:
            raise ValueError(f"block {self.block}: a machine holds 8 meshes, 0 to 7")

    @property
    def people(self) -> str:
        """Where people meet the mesh: 127.0.0.1, and 127.0.BLOCK.1 for further meshes."""
        return f"127.0.{self.block}.1"

    gateway_port = 8080
    gateway_tls_port = 8443
    api_port = 8001
    dns_port = 1053

    def node(self, index: int) -> str:
        """127.18.0.i, i from 1 for index 0."""
        return f"127.{18 + 30 * (self.block // 4)}.{self.block % 4 * 64}.{index + 1}"

    def pod(self, index: int, host: int) -> str:
        """Address `host` (1..1021) of node `index`: 127.244.(4 index).0/22. In a meshed pod the sidecar owns it."""
        return self._pod(244 - 2 * self.block, index, host)

    def host_of(self, index: int, address: str) -> int | None:
        """The host part of a pod address of node `index`; None when it is no such address."""
        first = self.pod(index, 1).split(".")
        parts = address.split(".")
        if len(parts) != 4 or parts[:2] != first[:2] or not (parts[2].isdigit() and parts[3].isdigit()):
            return None
        host = (int(parts[2]) - 4 * index) * 256 + int(parts[3])
        return host if 1 <= host <= PODS_PER_NODE else None

    def app(self, index: int, host: int) -> str:
        """The same host part where the application of a meshed pod listens: 127.245 for the first mesh."""
        return self._pod(245 - 2 * self.block, index, host)

    def app_of(self, pod_ip: str) -> str:
        """The application address behind a meshed pod's address."""
        first, second, rest = pod_ip.split(".", 2)
        return f"{first}.{int(second) + 1}.{rest}"

    def pod_cidr(self, index: int) -> str:
        return f"127.{244 - 2 * self.block}.{4 * index}.0/22"

    @staticmethod
    def _pod(second: int, index: int, host: int) -> str:
        if not (0 <= index < MAX_NODES and 1 <= host <= PODS_PER_NODE):
            raise ValueError(f"node {index}, pod address {host}: outside 127.{second}.0.0/16")
        return f"127.{second}.{4 * index + host // 256}.{host % 256}"

    @property
    def service_prefix(self) -> str:
        """The first two octets of ClusterIPs: 127.96 for the first mesh."""
        return f"127.{96 + self.block}"

    @property
    def kubernetes_service(self) -> str:
        return f"{self.service_prefix}.0.1"

    @property
    def dns_service(self) -> str:
        return f"{self.service_prefix}.0.10"

    def load_balancer(self, zone: int, host: int) -> str:
        """127.20.ZONE.0/24."""
        return f"127.{20 + self.block}.{zone}.{host}"
