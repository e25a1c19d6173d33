"""The schema documents say where to patch, and no more."""

from mesh.api.scheme import KINDS
from mesh.apiserver import openapi


def test_every_group_version_is_listed_and_found() -> None:
    paths = openapi.index()["paths"]
    for kind in KINDS:
        for group, version in ((kind.group, kind.version), *kind.other_versions):
            root = f"apis/{group}/{version}" if group else f"api/{version}"
            assert paths[root]["serverRelativeURL"].startswith(f"/openapi/v3/{root}?hash=")
            document = openapi.document(group, version)
            assert document is not None
            patches = [entry["patch"] for entry in document["paths"].values()]
            kinds = {patch["x-kubernetes-group-version-kind"]["kind"] for patch in patches}
            assert kind.kind in kinds


def test_patches_take_dry_run_and_field_validation() -> None:
    document = openapi.document("config.istio.io", "v1alpha2")
    assert document is not None
    path, entry = next(iter(document["paths"].items()))
    assert path == "/apis/config.istio.io/v1alpha2/namespaces/{namespace}/routerules/{name}"
    assert [parameter["name"] for parameter in entry["patch"]["parameters"]] == ["dryRun", "fieldValidation"]
    assert "requestBody" not in entry["patch"]


def test_hashes_follow_the_content() -> None:
    assert openapi.index() == openapi.index()
    urls = [entry["serverRelativeURL"] for entry in openapi.index()["paths"].values()]
    assert len({url.partition("hash=")[2] for url in urls}) == len(urls)


def test_unknown_versions_have_no_document() -> None:
    assert openapi.document("apps", "v9") is None
