"""Which node, which container and which path does a request about a running pod mean?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mesh.api.errors import ApiError, BadRequest
from mesh.runtime.net import is_loopback

Json = dict[str, Any]
WHERE = {"log": "containerLogs", "exec": "exec", "attach": "attach", "portforward": "portForward"}
SUBRESOURCES = frozenset(WHERE)
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


class NoSuchPlace(ApiError):
    """The node of the pod cannot be asked."""

    code, reason = 500, "InternalError"


@dataclass(frozen=True, slots=True)
class Kubelet:
    """Where a node answers."""

    address: str
    port: int


def node_of(pod: Json) -> str:
    """The name of the pod's node. Raises BadRequest."""
    name = (pod.get("spec") or {}).get("nodeName")
    if not name:
        raise BadRequest(f"pod {pod['metadata']['name']} does not have a host assigned")
    return str(name)


def kubelet_of(node: Json) -> Kubelet:
    """What a node says about itself. Raises NoSuchPlace.

    The status of a node can be written by anybody who may use the API: only loopback is ever connected to.
    """
    status = node.get("status") or {}
    endpoint = (status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}
    port = endpoint.get("Port")
    for entry in status.get("addresses") or ():
        if entry.get("type") == "InternalIP" and isinstance(port, int) and 0 < port < 65536:
            address = str(entry.get("address"))
            if address != "localhost" and is_loopback(address):
                return Kubelet(address, port)
    raise NoSuchPlace(f"node {node['metadata']['name']} does not say on which loopback address it answers")


def container_of(pod: Json, asked: str) -> str:
    """The container that is meant. Raises BadRequest."""
    meta, spec = pod["metadata"], pod.get("spec") or {}
    names = [str(container.get("name")) for container in spec.get("containers") or ()]
    if asked:
        init = [str(container.get("name")) for container in spec.get("initContainers") or ()]
        if asked not in (*names, *init):
            raise BadRequest(f"container {asked} is not valid for pod {meta['name']}")
        return asked
    chosen = (meta.get("annotations") or {}).get(DEFAULT_CONTAINER)
    if chosen in names:
        return str(chosen)
    if len(names) == 1:
        return names[0]
    raise BadRequest(
        f"a container name must be specified for pod {meta['name']}, choose one of: [{' '.join(names)}]"
    )  # fmt: skip


def path_of(subresource: str, pod: Json, container: str, query: str) -> str:
    """The node's path for it. query: as the client wrote it."""
    meta = pod["metadata"]
    steps = [WHERE[subresource], meta.get("namespace") or "", meta["name"]]
    if subresource != "portforward":
        steps.append(container)
    return "/" + "/".join(quote(step, safe="") for step in steps) + (f"?{query}" if query else "")


def head_of(method: str, path: str, kubelet: Kubelet, headers: Iterable[tuple[str, str]]) -> bytes:
    """The request to the node: of the client's headers those that open a stream."""
    kept = [(name, value) for name, value in headers if _opens_a_stream(name.lower())]
    if not any(name.lower() == "connection" for name, _ in kept):
        kept.append(("Connection", "close"))
    lines = [f"{method} {path} HTTP/1.1", f"Host: {kubelet.address}:{kubelet.port}"]
    lines += [f"{name}: {value}" for name, value in kept]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _opens_a_stream(name: str) -> bool:
    return name in ("upgrade", "connection", "x-stream-protocol-version") or name.startswith("sec-websocket-")


def wants_upgrade(headers: Mapping[str, str]) -> bool:
    return "upgrade" in headers.get("Connection", "").lower() and bool(headers.get("Upgrade"))
