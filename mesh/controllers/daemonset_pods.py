"""Of what is a DaemonSet's pod for one node made, and may it be there?

Source: Kubernetes' daemon controller. The pod names its node in its affinity, and the scheduler puts it there; it bears
what a node's troubles would otherwise do to a pod.
"""

from typing import Any

from mesh.api.core import Node, Pod, PodTemplateSpec, Toleration
from mesh.api.workloads import DaemonSet
from mesh.controllers.scheduling import selected
from mesh.controllers.templates import REVISION_LABEL, pod_from
from mesh.controllers.tolerance import NOT_READY, UNREACHABLE, UNSCHEDULABLE, untolerated

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
NODE_NAME = "metadata.name"
OWN_TOLERATIONS: tuple[tuple[str, str], ...] = (
    (NOT_READY, "NoExecute"),
    (UNREACHABLE, "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    (UNSCHEDULABLE, "NoSchedule"),
)
_NETWORK = ("node.kubernetes.io/network-unavailable", "NoSchedule")


def daemon_pod(owner: DaemonSet, name: str, node: str, code: str) -> Pod:
    """The pod for that node. code: the hash of the present revision."""
    template = owner.spec.template
    pod = pod_from(template, owner, name, f"{owner.name}-")
    pod.metadata.labels = {**pod.metadata.label_map, REVISION_LABEL: code}
    affinity: dict[str, Any] = dict(template.spec.affinity or {})
    to_node = {"matchFields": [{"key": NODE_NAME, "operator": "In", "values": [node]}]}
    affinity["nodeAffinity"] = {**(affinity.get("nodeAffinity") or {}), REQUIRED: {"nodeSelectorTerms": [to_node]}}
    pod.spec = template.spec.model_copy(update={"affinity": affinity, "tolerations": tolerations(template)})
    return pod


def tolerations(template: PodTemplateSpec) -> list[Toleration]:
    """The template's own, and those that every daemon has."""
    given = list(template.spec.tolerations or ())
    shares_network = bool((template.spec.model_extra or {}).get("hostNetwork"))
    for key, effect in (*OWN_TOLERATIONS, *([_NETWORK] if shares_network else [])):
        added = Toleration(key=key, operator="Exists", effect=effect)
        if added not in given:
            given.append(added)
    return given


def node_of(pod: Pod) -> str | None:
    """The node that it is on, or that it was made for."""
    if pod.spec.node_name:
        return pod.spec.node_name
    required = ((pod.spec.affinity or {}).get("nodeAffinity") or {}).get(REQUIRED) or {}
    for term in required.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if field.get("key") == NODE_NAME and field.get("operator") == "In" and len(field.get("values") or ()) == 1:
                return str(field["values"][0])
    return None


def belongs(owner: DaemonSet, node: Node) -> tuple[bool, bool]:
    """(a pod should be there, one that is there may stay).

    Taints with NoSchedule keep new ones away, those with NoExecute drive off what is there.
    """
    spec = owner.spec.template.spec
    probe = Pod(spec=spec.model_copy(update={"tolerations": tolerations(owner.spec.template)}))
    if (spec.node_name and spec.node_name != node.name) or not selected(probe, node):
        return False, False
    taints = node.spec.taints or ()
    if untolerated(probe, taints, frozenset({"NoSchedule", "NoExecute"})) is None:
        return True, True
    return False, untolerated(probe, taints, frozenset({"NoExecute"})) is None
