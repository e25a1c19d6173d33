"""Whose is an Ingress of a certain class?

There is one gateway, which stands for the controllers that people know. An IngressClass says by its controller whether
it is the gateway's; without one, the name of the class decides. Class `nlb` has addresses of its own.
"""

from collections.abc import Mapping

from mesh.api.load_balancers import INGRESS_CLASS, NLB
from mesh.api.services import Ingress

CLASSES = frozenset({"contour", "haproxy", "istio", "mesh", "nginx", "traefik"})
"""Classes that the gateway stands for where no IngressClass says whose they are."""
CONTROLLERS = frozenset(
    {
        "haproxy.org/ingress-controller",
        "istio.io/ingress-controller",
        "k8s.io/ingress-nginx",
        "loopmesh.io/gateway",
        "nginx.org/ingress-controller",
        "projectcontour.io/ingress-controller",
        "traefik.io/ingress-controller",
    }
)
"""Controllers that it stands for."""


def class_of(ingress: Ingress) -> str:
    """The class of an Ingress, by its field or the older annotation; empty: none."""
    return ingress.spec.ingress_class_name or ingress.metadata.annotation_map.get(INGRESS_CLASS, "")


def is_served(name: str, controllers: Mapping[str, str]) -> bool:
    """Whether Ingresses of a class are the gateway's, at the address for people. controllers: by IngressClass."""
    if not name:
        return True
    if name == NLB:
        return False
    return controllers[name] in CONTROLLERS if name in controllers else name in CLASSES
