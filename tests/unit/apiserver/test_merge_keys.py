"""Which lists are merged, and on what."""

import pytest

from mesh.api.scheme import BY_NAME, KINDS
from mesh.apiserver.merge_keys import PLAIN, Shape, shape_of

TEMPLATE = "spec.template.spec."


def at(resource: str, path: str) -> Shape:
    shape = shape_of(BY_NAME[resource])
    for step in path.split("."):
        shape = shape.fields.get(step, PLAIN)
    return shape


@pytest.mark.parametrize(
    ("resource", "path", "key"),
    [
        ("deployments.apps", TEMPLATE + "containers", "name"),
        ("deployments.apps", TEMPLATE + "containers.ports", "containerPort"),
        ("deployments.apps", TEMPLATE + "containers.volumeMounts", "mountPath"),
        ("deployments.apps", TEMPLATE + "initContainers.env", "name"),
        ("deployments.apps", TEMPLATE + "hostAliases", "ip"),
        ("deployments.apps", TEMPLATE + "tolerations", None),
        ("deployments.apps", TEMPLATE + "containers.args", None),
        ("pods", "spec.volumes", "name"),
        ("pods", "status.podIPs", "ip"),
        ("nodes", "status.addresses", "type"),
        ("nodes", "spec.taints", None),
        ("services", "spec.ports", "port"),
        ("ingresses.networking.k8s.io", "spec.rules", None),
        ("endpoints", "subsets", None),
    ],
)
def test_keys(resource: str, path: str, key: str | None) -> None:
    assert at(resource, path).key == key


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_owners_and_finalizers_are_merged_everywhere(kind: object) -> None:
    meta = shape_of(kind).fields["metadata"]  # type: ignore[arg-type]
    assert meta.fields["ownerReferences"].key == "uid"
    assert meta.fields["finalizers"].primitive
