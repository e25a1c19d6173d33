"""What are a Namespace, a Node, a Pod and an Event?"""

from typing import Any

from pydantic import Field

from mesh.api.meta import Condition, IntOrString, Model, Object, ObjectReference


class NamespaceSpec(Model):
    finalizers: list[str] | None = None


class NamespaceStatus(Model):
    phase: str | None = None


class Namespace(Object):
    spec: NamespaceSpec = Field(default_factory=NamespaceSpec)
    status: NamespaceStatus = Field(default_factory=NamespaceStatus)


class Taint(Model):
    key: str
    value: str | None = None
    effect: str = "NoSchedule"
    time_added: str | None = None


class NodeSpec(Model):
    unschedulable: bool | None = None
    taints: list[Taint] | None = None
    pod_cidr: str | None = Field(default=None, alias="podCIDR")
    pod_cidrs: list[str] | None = Field(default=None, alias="podCIDRs")


class NodeAddress(Model):
    type: str
    address: str


class NodeCondition(Condition):
    last_heartbeat_time: str | None = None


class NodeStatus(Model):
    addresses: list[NodeAddress] | None = None
    conditions: list[NodeCondition] | None = None
    capacity: dict[str, str] | None = None
    allocatable: dict[str, str] | None = None
    node_info: dict[str, str] | None = None
    daemon_endpoints: dict[str, Any] | None = None
    volumes_attached: list[dict[str, str]] | None = None
    volumes_in_use: list[str] | None = None
    phase: str | None = None


class Node(Object):
    spec: NodeSpec = Field(default_factory=NodeSpec)
    status: NodeStatus = Field(default_factory=NodeStatus)


class EnvVar(Model):
    name: str
    value: str | None = None
    value_from: dict[str, Any] | None = None


class ContainerPort(Model):
    name: str | None = None
    container_port: int
    protocol: str = "TCP"
    host_port: int | None = None


class HttpGetAction(Model):
    path: str = "/"
    port: IntOrString
    host: str | None = None
    scheme: str = "HTTP"
    http_headers: list[dict[str, str]] | None = None


class TcpSocketAction(Model):
    port: IntOrString
    host: str | None = None


class Probe(Model):
    http_get: HttpGetAction | None = None
    tcp_socket: TcpSocketAction | None = None
    exec: dict[str, Any] | None = None
    grpc: dict[str, Any] | None = None
    initial_delay_seconds: int = 0
    period_seconds: int = 10
    timeout_seconds: int = 1
    success_threshold: int = 1
    failure_threshold: int = 3
    termination_grace_period_seconds: int | None = None


class VolumeMount(Model):
    name: str
    mount_path: str
    sub_path: str | None = None
    sub_path_expr: str | None = None
    read_only: bool | None = None


class Container(Model):
    name: str
    image: str = ""
    command: list[str] | None = None
    args: list[str] | None = None
    working_dir: str | None = None
    env: list[EnvVar] | None = None
    env_from: list[dict[str, Any]] | None = None
    ports: list[ContainerPort] | None = None
    resources: dict[str, Any] | None = None
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    startup_probe: Probe | None = None
    volume_mounts: list[VolumeMount] | None = None
    image_pull_policy: str | None = None
    lifecycle: dict[str, Any] | None = None
    restart_policy: str | None = None


class HostAlias(Model):
    ip: str
    hostnames: list[str] | None = None


class Volume(Model):
    name: str
    empty_dir: dict[str, Any] | None = None
    host_path: dict[str, Any] | None = None
    persistent_volume_claim: dict[str, Any] | None = None
    config_map: dict[str, Any] | None = None
    secret: dict[str, Any] | None = None
    projected: dict[str, Any] | None = None
    downward_api: dict[str, Any] | None = Field(default=None, alias="downwardAPI")
    ephemeral: dict[str, Any] | None = None

    def claim_name(self, pod_name: str) -> str | None:
        """The claim that it stands for in that pod, the pod's own where it is ephemeral; None for other volumes."""
        if self.persistent_volume_claim is not None:
            return str(self.persistent_volume_claim.get("claimName", ""))
        return f"{pod_name}-{self.name}" if self.ephemeral is not None else None


class Toleration(Model):
    key: str | None = None
    operator: str | None = None
    value: str | None = None
    effect: str | None = None
    toleration_seconds: int | None = None


class PodSpec(Model):
    containers: list[Container] = Field(default_factory=list)
    init_containers: list[Container] | None = None
    volumes: list[Volume] | None = None
    node_name: str | None = None
    node_selector: dict[str, str] | None = None
    restart_policy: str | None = None
    termination_grace_period_seconds: int | None = None
    service_account_name: str | None = None
    hostname: str | None = None
    subdomain: str | None = None
    tolerations: list[Toleration] | None = None
    affinity: dict[str, Any] | None = None
    dns_policy: str | None = None
    scheduler_name: str | None = None
    active_deadline_seconds: int | None = None
    host_aliases: list[HostAlias] | None = None


class ContainerState(Model):
    waiting: dict[str, Any] | None = None
    running: dict[str, Any] | None = None
    terminated: dict[str, Any] | None = None


class ContainerStatus(Model):
    name: str
    image: str = ""
    image_id: str = Field(default="", alias="imageID")
    container_id: str | None = Field(default=None, alias="containerID")
    ready: bool = False
    started: bool | None = None
    restart_count: int = 0
    state: ContainerState = Field(default_factory=ContainerState)
    last_state: ContainerState = Field(default_factory=ContainerState)


class PodIP(Model):
    ip: str


class PodCondition(Condition):
    last_probe_time: str | None = None


class PodStatus(Model):
    phase: str | None = None
    conditions: list[PodCondition] | None = None
    message: str | None = None
    reason: str | None = None
    host_ip: str | None = Field(default=None, alias="hostIP")
    pod_ip: str | None = Field(default=None, alias="podIP")
    pod_ips: list[PodIP] | None = Field(default=None, alias="podIPs")
    start_time: str | None = None
    qos_class: str | None = None
    init_container_statuses: list[ContainerStatus] | None = None
    container_statuses: list[ContainerStatus] | None = None


class PodTemplateMeta(Model):
    name: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    creation_timestamp: str | None = None


class PodTemplateSpec(Model):
    metadata: PodTemplateMeta = Field(default_factory=PodTemplateMeta)
    spec: PodSpec = Field(default_factory=PodSpec)


class Pod(Object):
    spec: PodSpec = Field(default_factory=PodSpec)
    status: PodStatus = Field(default_factory=PodStatus)

    @property
    def ready(self) -> bool:
        """True when the Ready condition is True."""
        return any(c.type == "Ready" and c.status == "True" for c in self.status.conditions or ())


class EventSource(Model):
    component: str | None = None
    host: str | None = None


class Event(Object):
    involved_object: ObjectReference = Field(default_factory=ObjectReference)
    reason: str | None = None
    message: str | None = None
    type: str | None = None
    source: EventSource | None = None
    count: int | None = None
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    event_time: str | None = None
    reporting_component: str | None = None
