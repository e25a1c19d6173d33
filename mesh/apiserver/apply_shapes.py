"""Which parts of an object are owned piece by piece, and which only as a whole?

Server-side apply asks more of a list than a strategic merge does: ports are told apart by number and protocol, and
selectors belong to one manager as a whole. A field that is not named is an object whose members are owned one by one,
or a list that is owned as a whole.
"""

from dataclasses import dataclass, field

from mesh.api.scheme import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownable:
    """How one field is owned.

    keys: a list of objects, told apart by these members; `MEMBER=VALUE` names what an absent one stands for.
    plain_set: a list of plain values that are owned one by one.  whole: an object with one owner.
    fields: what is special below (in each element, for a list).
    """

    keys: tuple[str, ...] = ()
    plain_set: bool = False
    whole: bool = False
    fields: dict[str, "Ownable"] = field(default_factory=dict)


PIECES = Ownable()
_WHOLE = Ownable(whole=True)
_BY_NAME = Ownable(keys=("name",))
_META = Ownable(fields={"ownerReferences": Ownable(keys=("uid",)), "finalizers": Ownable(plain_set=True)})
_CONDITIONS = Ownable(fields={"conditions": Ownable(keys=("type",))})
_ENV_SOURCE = Ownable(fields={"fieldRef": _WHOLE, "configMapKeyRef": _WHOLE, "secretKeyRef": _WHOLE})
_CONTAINER = {
    "ports": Ownable(keys=("containerPort", "protocol=TCP")),
    "env": Ownable(keys=("name",), fields={"valueFrom": _ENV_SOURCE}),
    "volumeMounts": Ownable(keys=("mountPath",)),
    "volumeDevices": Ownable(keys=("devicePath",)),
}
_CONTAINERS = Ownable(keys=("name",), fields=_CONTAINER)
_POD_SPEC = Ownable(
    fields={
        "containers": _CONTAINERS,
        "initContainers": _CONTAINERS,
        "ephemeralContainers": _CONTAINERS,
        "volumes": _BY_NAME,
        "resourceClaims": _BY_NAME,
        "imagePullSecrets": _BY_NAME,
        "schedulingGates": _BY_NAME,
        "hostAliases": Ownable(keys=("ip",)),
        "topologySpreadConstraints": Ownable(keys=("topologyKey", "whenUnsatisfiable=DoNotSchedule")),
        "nodeSelector": _WHOLE,
    }
)
_TEMPLATE = Ownable(fields={"metadata": _META, "spec": _POD_SPEC})
_WORKLOAD = Ownable(
    fields={
        "metadata": _META,
        "spec": Ownable(fields={"template": _TEMPLATE, "selector": _WHOLE}),
        "status": _CONDITIONS,
    }
)
_SERVICE_PORTS = Ownable(keys=("port", "protocol=TCP"))
_BY_KIND = {
    "Pod": Ownable(
        fields={
            "metadata": _META,
            "spec": _POD_SPEC,
            "status": Ownable(fields={"conditions": Ownable(keys=("type",)), "podIPs": Ownable(keys=("ip",))}),
        }
    ),
    "Deployment": _WORKLOAD,
    "ReplicaSet": _WORKLOAD,
    "StatefulSet": _WORKLOAD,
    "DaemonSet": _WORKLOAD,
    "Job": _WORKLOAD,
    "PersistentVolume": Ownable(
        fields={
            "metadata": _META,
            "spec": Ownable(fields={"claimRef": _WHOLE, "nodeAffinity": Ownable(fields={"required": _WHOLE})}),
        }
    ),
    "PersistentVolumeClaim": Ownable(
        fields={"metadata": _META, "spec": Ownable(fields={"selector": _WHOLE}), "status": _CONDITIONS}
    ),
    "Service": Ownable(
        fields={
            "metadata": _META,
            "spec": Ownable(fields={"ports": _SERVICE_PORTS, "selector": _WHOLE}),
            "status": _CONDITIONS,
        }
    ),
    "Node": Ownable(
        fields={
            "metadata": _META,
            "spec": Ownable(fields={"podCIDRs": Ownable(plain_set=True)}),
            "status": Ownable(fields={"conditions": Ownable(keys=("type",)), "addresses": Ownable(keys=("type",))}),
        }
    ),
    "PodDisruptionBudget": Ownable(
        fields={"metadata": _META, "spec": Ownable(fields={"selector": _WHOLE}), "status": _CONDITIONS}
    ),
    "HorizontalPodAutoscaler": Ownable(fields={"metadata": _META, "status": _CONDITIONS}),
    "Namespace": Ownable(fields={"metadata": _META, "status": _CONDITIONS}),
    "ServiceAccount": Ownable(fields={"metadata": _META, "secrets": _BY_NAME}),
}
_ELSE = Ownable(fields={"metadata": _META})


def ownable(kind: Kind) -> Ownable:
    """How the parts of a whole object are owned."""
    return _ELSE if kind.custom else _BY_KIND.get(kind.kind, _ELSE)
