"""URLs name resources, or nothing."""

import pytest

from mesh.api.errors import BadRequest
from mesh.apiserver.paths import parse


@pytest.mark.parametrize(
    ("path", "kind", "version", "namespace", "name", "subresource"),
    [
        ("/api/v1/pods", "Pod", "v1", "", "", ""),
        ("/api/v1/namespaces/default/pods", "Pod", "v1", "default", "", ""),
        ("/api/v1/namespaces/default/pods/", "Pod", "v1", "default", "", ""),
        ("/api/v1/namespaces/default/pods/a", "Pod", "v1", "default", "a", ""),
        ("/api/v1/namespaces/default/pods/a/status", "Pod", "v1", "default", "a", "status"),
        ("/api/v1/namespaces", "Namespace", "v1", "", "", ""),
        ("/api/v1/namespaces/default", "Namespace", "v1", "", "default", ""),
        ("/api/v1/namespaces/default/status", "Namespace", "v1", "", "default", "status"),
        ("/api/v1/namespaces/default/finalize", "Namespace", "v1", "", "default", "finalize"),
        ("/api/v1/nodes/n1", "Node", "v1", "", "n1", ""),
        ("/apis/apps/v1/deployments", "Deployment", "apps/v1", "", "", ""),
        ("/apis/apps/v1/namespaces/d/deployments/x/scale", "Deployment", "apps/v1", "d", "x", "scale"),
        ("/apis/extensions/v1beta1/namespaces/d/ingresses/x", "Ingress", "extensions/v1beta1", "d", "x", ""),
        ("/apis/config.istio.io/v1alpha2/routerules", "RouteRule", "config.istio.io/v1alpha2", "", "", ""),
        ("/api/v1/namespaces/pods", "Namespace", "v1", "", "pods", ""),
        ("/api/v1/namespaces/default/pods/a%2Eb", "Pod", "v1", "default", "a.b", ""),
    ],
)
def test_resources(path: str, kind: str, version: str, namespace: str, name: str, subresource: str) -> None:
    target = parse(path)
    assert target is not None
    assert (target.kind.kind, target.api_version, target.namespace, target.name, target.subresource) == (
        kind, version, namespace, name, subresource,
    )  # fmt: skip
    assert not target.watch


def test_the_old_watch_prefix() -> None:
    target = parse("/api/v1/watch/namespaces/default/pods/a")
    assert target is not None
    assert (target.watch, target.namespace, target.name) == (True, "default", "a")


@pytest.mark.parametrize(
    "path",
    [
        "/", "/api", "/api/v1", "/apis/apps/v1", "/api/v2/pods", "/api/v1/gadgets", "/apis/apps/v9/deployments",
        "/version", "/api/v1/namespaces/d/nodes", "/api/v1/namespaces/d/pods/a/b/c", "/apis/apps/v1/pods", "//",
        "/api/v1/namespaces/d/gadgets/x",
    ],
)  # fmt: skip
def test_everything_else_is_no_resource(path: str) -> None:
    assert parse(path) is None


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/default/pods/..",
        "/api/v1/namespaces/default/pods/%2e%2e",
        "/api/v1/namespaces/default/pods/a%2Fb",
        "/api/v1/namespaces/../pods",
        "/api/v1/namespaces/default/pods/a%00b",
        "/api/v1/namespaces/default/pods/a%0d%0ab",
        "/api/v1/namespaces/default/pods/a%25b",
        "/api/v1/namespaces/default/pods/" + "a" * 300,
    ],
)
def test_path_tricks_are_refused(path: str) -> None:
    with pytest.raises(BadRequest):
        parse(path)
