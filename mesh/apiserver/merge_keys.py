"""By which key are the elements of a list matched when a strategic merge patch meets them?

The table of struct tags in the Kubernetes API types, for the kinds that are stored here. A field that is not named is
merged when it is an object and replaced when it is a list.
"""

from dataclasses import dataclass, field

from mesh.api.scheme import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How one field is merged.

    key: a list of objects matched on this member; None replaces the list.  primitive: a list of plain values, merged as
    a set.  replace: an object that is taken as a whole.  retain: patches say which of its members stay.  fields: what
    is special below (in each element, for a list).
    """

    key: str | None = None
    primitive: bool = False
    replace: bool = False
    retain: bool = False
    fields: dict[str, "Shape"] = field(default_factory=dict)


PLAIN = Shape()
_META = Shape(fields={"ownerReferences": Shape(key="uid"), "finalizers": Shape(primitive=True)})
_CONDITIONS = Shape(fields={"conditions": Shape(key="type")})
_CONTAINER = {
    "ports": Shape(key="containerPort"),
    "env": Shape(key="name"),
    "volumeMounts": Shape(key="mountPath"),
    "volumeDevices": Shape(key="devicePath"),
}
_POD_SPEC = Shape(
    fields={
        "containers": Shape(key="name", fields=_CONTAINER),
        "initContainers": Shape(key="name", fields=_CONTAINER),
        "ephemeralContainers": Shape(key="name", fields=_CONTAINER),
        "volumes": Shape(key="name", retain=True),
        "resourceClaims": Shape(key="name"),
        "imagePullSecrets": Shape(key="name"),
        "schedulingGates": Shape(key="name"),
        "hostAliases": Shape(key="ip"),
        "topologySpreadConstraints": Shape(key="topologyKey"),
    }
)
_TEMPLATE = Shape(fields={"metadata": _META, "spec": _POD_SPEC})
_WORKLOAD = Shape(fields={"metadata": _META, "spec": Shape(fields={"template": _TEMPLATE}), "status": _CONDITIONS})
_DEPLOYMENT = Shape(
    fields={
        "metadata": _META,
        "spec": Shape(fields={"template": _TEMPLATE, "strategy": Shape(retain=True)}),
        "status": _CONDITIONS,
    }
)
_BY_KIND = {
    "Pod": Shape(
        fields={
            "metadata": _META,
            "spec": _POD_SPEC,
            "status": Shape(
                fields={"conditions": Shape(key="type"), "podIPs": Shape(key="ip"), "hostIPs": Shape(key="ip")}
            ),
        }
    ),
    "Deployment": _DEPLOYMENT,
    "ReplicaSet": _WORKLOAD,
    "StatefulSet": _WORKLOAD,
    "DaemonSet": _WORKLOAD,
    "Job": _WORKLOAD,
    "PersistentVolumeClaim": Shape(fields={"metadata": _META, "status": _CONDITIONS}),
    "Service": Shape(
        fields={"metadata": _META, "spec": Shape(fields={"ports": Shape(key="port")}), "status": _CONDITIONS}
    ),
    "Node": Shape(
        fields={
            "metadata": _META,
            "spec": Shape(fields={"podCIDRs": Shape(primitive=True)}),
            "status": Shape(fields={"conditions": Shape(key="type"), "addresses": Shape(key="type")}),
        }
    ),
    "Namespace": Shape(fields={"metadata": _META, "status": _CONDITIONS}),
    "PodDisruptionBudget": Shape(
        fields={"metadata": _META, "spec": Shape(fields={"selector": Shape(replace=True)}), "status": _CONDITIONS}
    ),
}
_ELSE = Shape(fields={"metadata": _META})


def shape_of(kind: Kind) -> Shape:
    """The merge rules of a whole object."""
    return _BY_KIND.get(kind.kind, _ELSE)
