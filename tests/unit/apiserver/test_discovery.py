"""Clients learn names and verbs from these documents."""

import pytest

from mesh.api.scheme import KINDS
from mesh.apiserver import discovery


def test_core_comes_first_and_extensions_last() -> None:
    groups = list(discovery.served())
    assert groups[0] == ""
    assert groups[-1] == "extensions"
    assert list(discovery.served()["apps"]) == ["v1", "v1beta2", "v1beta1"]


def test_group_list_prefers_the_home_version() -> None:
    groups = {group["name"]: group for group in discovery.group_list()["groups"]}
    assert groups["apps"]["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}
    assert groups["networking.k8s.io"]["preferredVersion"]["version"] == "v1"
    assert "" not in groups


def test_every_kind_is_listed_with_singular_and_verbs() -> None:
    for kind in KINDS:
        document = discovery.resource_list(kind.group, kind.version)
        assert document is not None
        found = {resource["name"]: resource for resource in document["resources"]}
        assert found[kind.plural]["singularName"] == kind.singular
        assert found[kind.plural]["namespaced"] is kind.namespaced
        assert "watch" in found[kind.plural]["verbs"]
        assert (f"{kind.plural}/status" in found) is kind.has_status
        assert (f"{kind.plural}/scale" in found) is kind.has_scale


def test_old_group_versions_own_no_short_names() -> None:
    for group, version in (("extensions", "v1beta1"), ("networking.k8s.io", "v1beta1")):
        document = discovery.resource_list(group, version)
        assert document is not None
        if group == "extensions":
            assert all("shortNames" not in resource for resource in document["resources"])
        assert {resource["name"] for resource in document["resources"]} >= {"ingresses"}


def test_a_short_name_has_one_owner() -> None:
    owners: dict[str, set[str]] = {}
    for group, versions in discovery.served().items():
        for version in versions:
            for resource in (discovery.resource_list(group, version) or {})["resources"]:
                for short in resource.get("shortNames", ()):
                    owners.setdefault(short, set()).add(f"{resource['name']}.{group}")
    assert all(len(found) == 1 for found in owners.values()), owners
    assert owners["deploy"] == {"deployments.apps"}


def test_get_all_prints_in_the_usual_order() -> None:
    core = discovery.resource_list("", "v1")
    assert core is not None
    names = [resource["name"] for resource in core["resources"] if "all" in resource.get("categories", ())]
    assert names == ["pods", "services"]


@pytest.mark.parametrize("version", ["v2", "v2beta1"])
def test_aggregated(version: str) -> None:
    core, rest = discovery.aggregated(True, version), discovery.aggregated(False, version)
    assert core["apiVersion"] == f"apidiscovery.k8s.io/{version}"
    assert [group["metadata"].get("name") for group in core["items"]] == [None]
    assert [group["metadata"]["name"] for group in rest["items"]] == [
        *(name for name in discovery.served() if name), "authorization.k8s.io",
    ]  # fmt: skip
    apps = next(group for group in rest["items"] if group["metadata"]["name"] == "apps")
    deployments = apps["versions"][0]["resources"][1]
    assert deployments["resource"] == "deployments"
    assert deployments["shortNames"] == ["deploy"]
    parts = {part["subresource"]: part for part in deployments["subresources"]}
    assert parts["scale"]["responseKind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json", "v2"),
        ("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json", "v2beta1"),
        ("application/json, */*", None),
        ("", None),
    ],
)  # fmt: skip
def test_wants_aggregated(accept: str, expected: str | None) -> None:
    assert discovery.wants_aggregated(accept) == expected


@pytest.mark.parametrize(("name", "known"), [("apps", True), ("", False), ("nope", False)])
def test_group(name: str, known: bool) -> None:
    assert (discovery.group(name) is not None) is known


def test_version_has_the_nine_fields_a_client_insists_on() -> None:
    assert len(discovery.VERSION) == 9
    assert discovery.VERSION["gitVersion"] == "v1.32.4"
