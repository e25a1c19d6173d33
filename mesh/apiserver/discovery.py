"""What does the server offer? The documents from which clients learn names, verbs and versions.

Old group-versions come last and without short names, so that `deploy` always means apps/v1.
"""

from collections.abc import Iterable
from typing import Any

from mesh.api.scheme import KINDS, Kind

Json = dict[str, Any]
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
AGGREGATED_BETA = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
VERSION: Json = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.4",
    "gitCommit": "0000000000000000000000000000000000000000",
    "gitTreeState": "clean",
    "buildDate": "2025-01-01T00:00:00Z",
    "goVersion": "go1.23.6",
    "compiler": "gc",
    "platform": "linux/amd64",
}
VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_PART_VERBS = ["get", "patch", "update"]
_OTHER_VERBS = {"finalize": ["update"], "eviction": ["create"], "log": ["get"]}
_STREAM_OPTIONS = {"attach": "PodAttachOptions", "exec": "PodExecOptions", "portforward": "PodPortForwardOptions"}
_OTHER_VERBS |= {name: ["create", "get"] for name in _STREAM_OPTIONS}
# `kubectl get all` prints in this order.
_ORDER = (
    "pods", "services", "daemonsets", "deployments", "replicasets", "statefulsets", "horizontalpodautoscalers",
    "jobs",
)  # fmt: skip
_LAST_GROUPS = ("extensions",)
_REVIEW_GROUP = "authorization.k8s.io"
_REVIEW: Json = {
    "name": "selfsubjectaccessreviews",
    "singularName": "selfsubjectaccessreview",
    "namespaced": False,
    "kind": "SelfSubjectAccessReview",
    "verbs": ["create"],
}
REVIEW_PATH = f"/apis/{_REVIEW_GROUP}/v1/selfsubjectaccessreviews"


def served(defined: Iterable[Kind] = ()) -> dict[str, dict[str, list[Kind]]]:
    """group -> version -> kinds; a group's preferred version first, old groups last. defined: by users."""
    found: dict[str, dict[str, list[Kind]]] = {}
    for kind in sorted(KINDS, key=lambda kind: _ORDER.index(kind.plural) if kind.plural in _ORDER else len(_ORDER)):
        found.setdefault(kind.group, {}).setdefault(kind.version, []).append(kind)
    own = tuple(defined)
    for kind in own:
        found.setdefault(kind.group, {}).setdefault(kind.version, []).append(kind)
    for kind in (*KINDS, *own):
        for group, version in kind.other_versions:
            found.setdefault(group, {}).setdefault(version, []).append(kind)
    return dict(sorted(found.items(), key=lambda item: item[0] in _LAST_GROUPS))


def subresources(kind: Kind) -> dict[str, tuple[str, str, str]]:
    """Name -> (group, version, kind) of what is read and written there; empty group and version: the kind's own."""
    parts: dict[str, tuple[str, str, str]] = {}
    if kind.has_status:
        parts["status"] = ("", "", kind.kind)
    if kind.has_scale:
        parts["scale"] = ("autoscaling", "v1", "Scale")
    if kind.kind == "Namespace":
        parts["finalize"] = ("", "", kind.kind)
    if kind.kind == "Pod":
        parts["eviction"] = ("policy", "v1", "Eviction")
        parts["log"] = ("", "", kind.kind)
        for part in ("attach", "exec", "portforward"):
            parts[part] = ("", "v1", _STREAM_OPTIONS[part])
    return parts


def part_verbs(part: str) -> list[str]:
    """What may be done at a subresource."""
    return _OTHER_VERBS.get(part, _PART_VERBS)


def api_versions(address: str) -> Json:
    """GET /api."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def group_list(defined: Iterable[Kind] = ()) -> Json:
    """GET /apis."""
    groups = [_group(name, versions) for name, versions in served(defined).items() if name]
    groups.append(_group(_REVIEW_GROUP, ["v1"]))
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(name: str, defined: Iterable[Kind] = ()) -> Json | None:
    """GET /apis/GROUP."""
    versions = ["v1"] if name == _REVIEW_GROUP else served(defined).get(name)
    return None if not name or versions is None else {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)}


def resource_list(name: str, version: str, defined: Iterable[Kind] = ()) -> Json | None:
    """GET /api/v1 and /apis/GROUP/VERSION."""
    group_version = f"{name}/{version}" if name else version
    if group_version == f"{_REVIEW_GROUP}/v1":
        return {
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": [_REVIEW],
        }  # fmt: skip
    kinds = served(defined).get(name, {}).get(version)
    if kinds is None:
        return None
    resources: list[Json] = []
    for kind in kinds:
        resources.append(
            {
                "name": kind.plural,
                "singularName": kind.singular,
                "namespaced": kind.namespaced,
                "kind": kind.kind,
                "verbs": VERBS,
                **_nicknames(kind, name),
            }
        )
        for part, (part_group, part_version, part_kind) in subresources(kind).items():
            where = {"group": part_group, "version": part_version} if part_group else {}
            resources.append(
                {
                    "name": f"{kind.plural}/{part}",
                    "singularName": "",
                    "namespaced": kind.namespaced,
                    **where,
                    "kind": part_kind,
                    "verbs": part_verbs(part),
                }
            )
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}


def aggregated(core: bool, version: str, defined: Iterable[Kind] = ()) -> Json:
    """GET /api and /apis in one document. version: v2 or v2beta1."""
    groups = [(name, versions) for name, versions in served(defined).items() if (name == "") is core]
    document: Json = {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": [
            {
                "metadata": {**({"name": name} if name else {}), "creationTimestamp": None},
                "versions": [
                    {
                        "version": number,
                        "freshness": "Current",
                        "resources": [_aggregated(kind, name, number) for kind in kinds],
                    }
                    for number, kinds in versions.items()
                ],
            }
            for name, versions in groups
        ],
    }
    if not core:
        review = {
            "resource": _REVIEW["name"],
            "responseKind": {"group": _REVIEW_GROUP, "version": "v1", "kind": _REVIEW["kind"]},
            "scope": "Cluster",
            "singularResource": _REVIEW["singularName"],
            "verbs": _REVIEW["verbs"],
        }
        served_once = [{"version": "v1", "freshness": "Current", "resources": [review]}]
        meta = {"name": _REVIEW_GROUP, "creationTimestamp": None}
        document["items"].append({"metadata": meta, "versions": served_once})
    return document


def wants_aggregated(accept: str) -> str | None:
    """`v2` or `v2beta1` when the client would rather have one document, the newer first."""
    plain = accept.replace(" ", "")
    for version in ("v2", "v2beta1"):
        if f"g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList" in plain:
            return version
    return None


def _group(name: str, versions: Iterable[str]) -> Json:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _nicknames(kind: Kind, group_name: str) -> Json:
    if group_name != kind.group:
        return {}
    short = {"shortNames": list(kind.short_names)} if kind.short_names else {}
    return {**short, **({"categories": list(kind.categories)} if kind.categories else {})}


def _aggregated(kind: Kind, name: str, version: str) -> Json:
    own = {"group": name, "version": version, "kind": kind.kind}
    parts = [
        {
            "subresource": part,
            "responseKind": {"group": found[0], "version": found[1], "kind": found[2]} if found[1] else own,
            "verbs": part_verbs(part),
        }
        for part, found in subresources(kind).items()
    ]
    return {
        "resource": kind.plural,
        "responseKind": own,
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        **_nicknames(kind, name),
        "verbs": VERBS,
        **({"subresources": parts} if parts else {}),
    }
