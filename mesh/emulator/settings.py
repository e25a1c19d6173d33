"""What may be chosen about a mesh? One value, handed down to every process as JSON."""

import json
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mesh.dns.upstream import server_address
from mesh.node.addresses import ADMIN_PORT, MAX_NODES, METRICS_PORT, Plan

MAX_ZONES = 16
ZONE_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
"""A label's value: nodes carry it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    name: str = "default"
    """Names the running state; a DNS label."""

    nodes: int = 2
    """Node processes, 1 to 60. Two, so that one can be lost."""

    block: int = 0
    """Which block of addresses (`node.addresses`); further meshes on a machine take the next free one."""

    state_dir: str = ""
    """Where objects, volumes and logs live."""

    gateway_port: int = Plan.gateway_port
    gateway_tls_port: int = Plan.gateway_tls_port
    """Where Ingresses with certificates are served by TLS; bound only while there are any."""
    api_port: int = Plan.api_port
    dns_port: int = Plan.dns_port
    """The addresses for people; only these can collide with other programs."""

    dns_forward: str = ""
    """Address of the DNS server that is asked for names outside the cluster; empty: they are refused."""

    node_grace_s: float = 4.0
    """Without a heartbeat for so long a node is NotReady and its pods are replaced. A cluster takes 40 s."""

    volume_grace_s: float = 0.0
    """For so long after its loss a node keeps the disks attached to it. A cluster, which cannot know whether such a
    node still writes, takes 6 minutes; here a lost node is a dead process."""

    images: dict[str, str] = field(default_factory=dict)
    """Image name -> command of a user's own program."""

    access_log: bool = False
    """Every proxy writes Envoy's default access log line per request to its process's log."""

    separate_gateway: bool = False
    """Give the gateway a process of its own: for load tests, at the price of some 65 MB of memory."""

    zones: tuple[str, ...] = ()
    """Names of the zones that have a subnet. A network load balancer has an address in each, nodes there or not."""

    nodes_in: tuple[str, ...] = ()
    """Those of them that the nodes are in, in turn; empty for the first zone alone."""

    def __post_init__(self) -> None:
        for name, names in (("zones", self.zones), ("nodes_in", self.nodes_in)):
            object.__setattr__(self, name, tuple(names))  # JSON knows lists alone
        self._check_zones()
        if not 1 <= self.nodes <= MAX_NODES:
            raise ValueError(f"--nodes {self.nodes}: 1 to {MAX_NODES}")
        if not 1.0 <= self.node_grace_s <= 600:
            raise ValueError(f"--node-grace {self.node_grace_s}: 1 to 600 seconds")
        if not 0.0 <= self.volume_grace_s <= 3600:
            raise ValueError(f"--volume-grace {self.volume_grace_s}: 0 to 3600 seconds")
        if self.dns_forward:
            self._check_forward()
        taken = {ADMIN_PORT: "the gateway's admin pages", METRICS_PORT: "the gateway's metrics"}
        for option, port in self._ports:
            if not 1 <= port <= 65535:
                raise ValueError(f"{option} {port}: 1 to 65535")
            if port in taken:
                raise ValueError(f"{option} {port}: the port of {taken[port]}; choose another")
            taken[port] = option

    def _check_forward(self) -> None:
        try:
            server = server_address(self.dns_forward)
        except ValueError as error:
            raise ValueError(f"--dns-forward {error}") from None
        if server in ((self.plan.people, self.dns_port), (self.plan.dns_service, self.dns_port)):
            raise ValueError(f"--dns-forward {self.dns_forward}: that is the mesh's own DNS server; name another")

    def _check_zones(self) -> None:
        if len(self.zones) > MAX_ZONES:
            raise ValueError(f"--zones {','.join(self.zones)}: at most {MAX_ZONES}")
        for option, names in (("--zones", self.zones), ("--nodes-in", self.nodes_in)):
            for name in names:
                if not ZONE_NAME.fullmatch(name):
                    raise ValueError(f"{option} {name!r}: a zone's name is of letters, digits, '-', '_' and '.'")
        if len(set(self.zones)) < len(self.zones):
            raise ValueError(f"--zones {','.join(self.zones)}: a zone is named twice")
        for name in self.nodes_in:
            if name not in self.zones:
                raise ValueError(f"--nodes-in {name}: not one of --zones {','.join(self.zones) or '(none given)'}")

    def zone_of(self, index: int) -> str:
        """The zone of a node; empty without zones."""
        where = self.nodes_in or self.zones[:1]
        return where[index % len(where)] if where else ""

    @classmethod
    def for_test(cls, state_dir: Path, **changes: Any) -> "Settings":
        """Quick and private: one node, short grace."""
        return replace(cls(name="test", nodes=1, state_dir=str(state_dir), node_grace_s=2.0), **changes)

    @property
    def plan(self) -> Plan:
        return Plan(self.block)

    @property
    def _ports(self) -> tuple[tuple[str, int], ...]:
        return (
            ("--gateway-port", self.gateway_port),
            ("--api-port", self.api_port),
            ("--dns-port", self.dns_port),
            ("--gateway-tls-port", self.gateway_tls_port),
        )

    @property
    def api_url(self) -> str:
        return f"http://{self.plan.people}:{self.api_port}"

    @property
    def gateway_url(self) -> str:
        return f"http://{self.plan.people}:{self.gateway_port}"

    @property
    def gateway_tls_url(self) -> str:
        return f"https://{self.plan.people}:{self.gateway_tls_port}"

    @property
    def dns_address(self) -> str:
        return f"{self.plan.people}:{self.dns_port}"

    def node_name(self, index: int) -> str:
        """node-1, node-2, ..."""
        return f"node-{index + 1}"

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Settings":
        return cls(**json.loads(text))
