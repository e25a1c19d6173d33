"""Is everything that was applied up, and if not, what is missing?"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mesh.api import scheme, selectors
from mesh.cli import rest
from mesh.cli.errors import UserError

POLL_S = 0.06
# Proxies follow a change of the API within this time; then the gateway serves what the API says is ready.
SETTLE_S = 0.1
Objects = list[dict[str, Any]]


def wait(server: rest.Rest, nodes: int, wait_s: float, progress: Callable[[str], None]) -> None:
    """Return when nodes, workloads and endpoints are as wanted. Raises UserError naming what is not."""
    deadline, told = time.monotonic() + wait_s, ""
    while missing := list(unready(server, nodes)):
        text = f"waiting for {missing[0]}" + (f" and {len(missing) - 1} more" if len(missing) > 1 else "")
        if text != told:
            progress(text)
            told = text
        if time.monotonic() > deadline:
            reasons = list(pod_reasons(items(server, "pods"), items(server, "events")))[:3]
            raise UserError(
                f"not ready after {wait_s:.0f} s: {'; '.join(missing[:3])}" + "".join(f"; {r}" for r in reasons), 1
            )
        time.sleep(POLL_S)
    time.sleep(SETTLE_S)


def items(server: rest.Rest, word: str) -> Objects:
    kind = scheme.find(word)
    assert kind is not None
    found: Objects = server.call("GET", rest.collection_path(kind, None)).get("items", [])
    return found


def unready(server: rest.Rest, nodes: int) -> Iterator[str]:
    """What is not there yet, a phrase each."""
    up = sum(_condition(node, "Ready") for node in items(server, "nodes"))
    if up < nodes:
        yield f"nodes {up}/{nodes}"
    for word in ("deployments", "statefulsets"):
        for obj in items(server, word):
            spec, status = obj["spec"], obj.get("status") or {}
            want, have = spec.get("replicas", 1), status.get("readyReplicas") or 0
            if have < want or (status.get("observedGeneration") or 0) < obj["metadata"].get("generation", 0):
                yield f"{word[:-1]} {obj['metadata']['name']} {have}/{want}"
    for obj in items(server, "daemonsets"):
        status = obj.get("status") or {}
        want, have = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
        if have < want or (status.get("observedGeneration") or 0) < obj["metadata"].get("generation", 0):
            yield f"daemonset {obj['metadata']['name']} {have}/{want}"
    yield from _unlisted(items(server, "pods"), items(server, "services"), items(server, "endpoints"))


def _unlisted(pods: Objects, services: Objects, endpoints: Objects) -> Iterator[str]:
    """Services whose Endpoints do not yet list every ready pod."""
    listed = {_key(e): sum(len(s.get("addresses") or ()) for s in e.get("subsets") or ()) for e in endpoints}
    for service in services:
        wanted = (service.get("spec") or {}).get("selector")
        if not wanted:
            continue
        selector = selectors.from_labels(wanted)
        ready = sum(
            _condition(pod, "Ready")
            and not pod["metadata"].get("deletionTimestamp")
            and pod["metadata"].get("namespace") == service["metadata"].get("namespace")
            and selector.matches(pod["metadata"].get("labels"))
            for pod in pods
        )
        if listed.get(_key(service), 0) < ready:
            yield f"endpoints of service {service['metadata']['name']}"


def unserved(services: Objects, lowest_port: int) -> list[str]:
    """Services with a cluster address that this user cannot listen on: `NAME:PORT`."""
    return [
        f"{service['metadata']['name']}:{port['port']}"
        for service in services
        if (service.get("spec") or {}).get("clusterIP") not in (None, "", "None")
        for port in service["spec"].get("ports") or ()
        if port["port"] < lowest_port and port.get("protocol", "TCP") == "TCP"
    ]


def lowest_port() -> int:
    """The lowest port that this user may listen on."""
    if os.geteuid() == 0:
        return 1
    try:
        return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    except (OSError, ValueError):
        return 1


def pod_reasons(pods: Objects, events: Objects) -> Iterator[str]:
    """Why pods are not ready: what a waiting container says, else the last warning about the pod."""
    for pod in pods:
        ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        if ended or _condition(pod, "Ready") or pod["metadata"].get("deletionTimestamp"):
            continue
        said = list(_waiting(pod)) or _last_warning(pod, events)
        for text in said:
            yield f"pod {pod['metadata']['name']}: {text}"


def _waiting(pod: dict[str, Any]) -> Iterator[str]:
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting")
        if waiting and waiting.get("reason") not in ("ContainerCreating", "PodInitializing"):
            yield f"{waiting.get('reason')}: {waiting.get('message', '')}".rstrip(": ")


def _last_warning(pod: dict[str, Any], events: Objects) -> list[str]:
    about = [
        event
        for event in events
        if event.get("type") == "Warning"
        and (event.get("involvedObject") or {}).get("name") == pod["metadata"]["name"]
        and _key(event)[0] == _key(pod)[0]
    ]
    about.sort(key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
    if about:
        return [f"{about[-1].get('reason')}: {' '.join(str(about[-1].get('message')).split())}"]
    return ["a container runs but is not ready"] if (pod.get("spec") or {}).get("nodeName") else ["no node has it yet"]


def _key(obj: dict[str, Any]) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _condition(obj: dict[str, Any], wanted: str) -> bool:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return any(c["type"] == wanted and c["status"] == "True" for c in conditions)
