"""The verbs over HTTP, as clients see them."""

import io
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from yarl import URL

from mesh.apiserver.server import ApiServer

Make = Callable[..., dict[str, Any]]
PODS, DEPLOYMENTS = "/api/v1/namespaces/default/pods", "/apis/apps/v1/namespaces/default/deployments"
OLD = "/apis/extensions/v1beta1/namespaces/default/deployments"
RULES = "/apis/config.istio.io/v1alpha2/namespaces/default/routerules"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}


async def call(
    http: aiohttp.ClientSession, method: str, path: str, body: Any = None, **options: Any
) -> tuple[int, dict[str, Any]]:
    async with http.request(method, path, json=body, **options) as response:
        return response.status, await response.json()


async def test_create_then_get_then_list(http: aiohttp.ClientSession, pod: Make) -> None:
    status, made = await call(http, "POST", PODS, pod())
    assert (status, made["status"]["phase"]) == (201, "Pending")
    assert await call(http, "GET", f"{PODS}/a") == (200, made)
    status, listed = await call(http, "GET", PODS)
    assert (status, listed["kind"], listed["items"]) == (200, "PodList", [made])
    assert (await call(http, "GET", "/api/v1/pods"))[1]["items"] == [made]
    assert (await call(http, "GET", "/api/v1/namespaces/other/pods"))[1]["items"] == []


async def test_selectors_in_the_query(http: aiohttp.ClientSession, pod: Make) -> None:
    for name, labels in (("a", {"app": "x"}), ("b", {"app": "y"})):
        await call(http, "POST", PODS, pod(name, labels=labels))

    async def names(**query: str) -> list[str]:
        listed = (await call(http, "GET", PODS, params=query))[1]
        return [item["metadata"]["name"] for item in listed["items"]]

    assert await names(labelSelector="app in (x)") == ["a"]
    assert await names(fieldSelector="metadata.name=b") == ["b"]
    assert await names(labelSelector="app", limit="1", resourceVersion="0") == ["a", "b"]


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        pytest.param(PODS, {"labelSelector": "a in b"}, 400, id="label-selector"),
        pytest.param(PODS, {"fieldSelector": "spec.image=x"}, 400, id="field-selector"),
        pytest.param(PODS, {"continue": "x"}, 400, id="continue"),
        pytest.param(PODS, {"watch": "true", "resourceVersion": "x"}, 400, id="watch-version"),
        pytest.param(PODS, {"watch": "true", "timeoutSeconds": "x"}, 400, id="watch-timeout"),
        pytest.param(PODS, {"watch": "true", "resourceVersion": "5"}, 410, id="watch-too-old"),
        pytest.param(f"{PODS}/none", {}, 404, id="no-such-pod"),
        pytest.param(f"{PODS}/none/log", {}, 404, id="no-such-subresource"),
        pytest.param(f"{PODS}/none/scale", {}, 404, id="no-scale-here"),
    ],
)
async def test_refused_reads(http: aiohttp.ClientSession, path: str, query: dict[str, str], code: int) -> None:
    status, answer = await call(http, "GET", path, params=query)
    assert (status, answer["kind"], answer["code"]) == (code, "Status", code)


async def test_path_tricks(http: aiohttp.ClientSession, server: ApiServer) -> None:
    async with http.get(URL(f"{server.url}{PODS}/..%2f..", encoded=True)) as response:
        assert (response.status, (await response.json())["reason"]) == (400, "BadRequest")


async def test_the_namespace_is_text(http: aiohttp.ClientSession, pod: Make) -> None:
    obj = pod()
    obj["metadata"]["namespace"] = 5
    assert (await call(http, "POST", PODS, obj))[0] == 400


async def test_every_mistake_is_told_at_once(http: aiohttp.ClientSession, deployment: Make) -> None:
    bad = deployment(replicas=-1, selector=None)
    bad["spec"]["template"]["spec"]["containers"] = [{"name": "My_C", "ports": [{"containerPort": "x"}]}]
    status, answer = await call(http, "POST", DEPLOYMENTS, bad)
    assert (status, answer["reason"]) == (422, "Invalid")
    assert {cause["field"] for cause in answer["details"]["causes"]} == {
        "spec.replicas", "spec.selector", "spec.template.spec.containers[0].name",
        "spec.template.spec.containers[0].image", "spec.template.spec.containers[0].ports[0].containerPort",
    }  # fmt: skip


async def test_strict_validation_names_unknown_fields(http: aiohttp.ClientSession, deployment: Make) -> None:
    bad = deployment(bogusField=1)
    status, answer = await call(http, "POST", DEPLOYMENTS, bad, params={"fieldValidation": "Strict"})
    assert status == 400
    assert answer["message"] == (
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
        'unknown field "spec.bogusField"'
    )
    async with http.post(DEPLOYMENTS, json=bad) as response:
        assert response.status == 201
        assert response.headers.getall("Warning") == ['299 - "unknown field \\"spec.bogusField\\""']


async def test_what_nothing_executes_is_flagged_once(http: aiohttp.ClientSession, deployment: Make) -> None:
    obj = deployment()
    obj["spec"]["template"]["spec"]["hostNetwork"] = True
    async with http.post(DEPLOYMENTS, json=obj, params={"fieldValidation": "Strict"}) as response:
        assert response.status == 201
        assert "spec.template.spec.hostNetwork is stored" in response.headers["Warning"]
    merge = {"Content-Type": "application/merge-patch+json"}
    async with http.patch(f"{DEPLOYMENTS}/web", json={"spec": {"replicas": 2}}, headers=merge) as response:
        assert "Warning" not in response.headers
    new = {"spec": {"bogus": 1}}
    async with http.patch(f"{DEPLOYMENTS}/web", json=new, headers=merge, params={"fieldValidation": "Strict"}) as r:
        assert r.status == 400


async def test_update_and_conflict(http: aiohttp.ClientSession, deployment: Make) -> None:
    _, made = await call(http, "POST", DEPLOYMENTS, deployment())
    made["spec"]["replicas"] = 3
    status, changed = await call(http, "PUT", f"{DEPLOYMENTS}/web", made)
    assert (status, changed["spec"]["replicas"], changed["metadata"]["generation"]) == (200, 3, 2)
    status, answer = await call(http, "PUT", f"{DEPLOYMENTS}/web", made)
    assert (status, answer["reason"]) == (409, "Conflict")
    changed["status"] = {"replicas": 3}
    status, answer = await call(http, "PUT", f"{DEPLOYMENTS}/web/status", changed)
    assert (status, answer["status"]) == (200, {"replicas": 3})


@pytest.mark.parametrize(
    ("content_type", "patch", "replicas"),
    [
        pytest.param("application/merge-patch+json", {"spec": {"replicas": 4}}, 4, id="merge"),
        pytest.param("application/strategic-merge-patch+json", {"spec": {"replicas": 5}}, 5, id="strategic"),
        pytest.param(
            "application/json-patch+json", [{"op": "add", "path": "/spec/replicas", "value": 6}], 6, id="json"
        ),
        pytest.param("application/merge-patch+json", {"spec": {"replicas": None}}, 1, id="back-to-default"),
    ],
)
async def test_patch(
    http: aiohttp.ClientSession, deployment: Make, content_type: str, patch: Any, replicas: int
) -> None:
    await call(http, "POST", DEPLOYMENTS, deployment(replicas=2))
    status, answer = await call(http, "PATCH", f"{DEPLOYMENTS}/web", patch, headers={"Content-Type": content_type})
    assert (status, answer["spec"]["replicas"]) == (200, replicas)


@pytest.mark.parametrize(
    ("path", "content_type", "code"),
    [
        pytest.param(f"{DEPLOYMENTS}/web", "application/json", 415, id="plain-json"),
        pytest.param(f"{DEPLOYMENTS}/web", "application/apply-patch+yaml", 422, id="apply-without-a-manager"),
        pytest.param(f"{DEPLOYMENTS}/web?fieldManager=a", "application/apply-patch+yaml", 400, id="apply-nothing"),
        pytest.param(f"{DEPLOYMENTS}/web?force=true", "application/merge-patch+json", 422, id="force-a-merge"),
        pytest.param(f"{RULES}/r", "application/strategic-merge-patch+json", 415, id="strategic-on-a-custom-kind"),
        pytest.param(f"{DEPLOYMENTS}/none", "application/merge-patch+json", 404, id="no-such-object"),
    ],
)
async def test_refused_patches(http: aiohttp.ClientSession, path: str, content_type: str, code: int) -> None:
    status, answer = await call(http, "PATCH", path, {}, headers={"Content-Type": content_type})
    assert (status, answer["kind"]) == (code, "Status")


async def test_delete_answers_a_status_with_the_uid(http: aiohttp.ClientSession, deployment: Make) -> None:
    _, made = await call(http, "POST", DEPLOYMENTS, deployment())
    status, answer = await call(http, "DELETE", f"{DEPLOYMENTS}/web", {"propagationPolicy": "Background"})
    assert (status, answer["status"], answer["details"]["uid"]) == (200, "Success", made["metadata"]["uid"])
    assert (await call(http, "DELETE", f"{DEPLOYMENTS}/web"))[0] == 404


async def test_delete_of_a_pod_on_a_node_answers_the_pod(http: aiohttp.ClientSession, pod: Make) -> None:
    obj = pod()
    obj["spec"]["nodeName"] = "n1"
    await call(http, "POST", PODS, obj)
    status, answer = await call(http, "DELETE", f"{PODS}/a", params={"gracePeriodSeconds": "5"})
    assert (status, answer["metadata"]["deletionGracePeriodSeconds"]) == (200, 5)
    status, answer = await call(http, "DELETE", f"{PODS}/a", {"gracePeriodSeconds": 0})
    assert (answer["kind"], answer["metadata"]["name"]) == ("Pod", "a")
    assert (await call(http, "GET", f"{PODS}/a"))[0] == 404


@pytest.mark.parametrize(
    ("path", "lingers"),
    [pytest.param(OLD, True, id="old-versions-orphan"), pytest.param(DEPLOYMENTS, False, id="apps-v1-does-not")],
)
async def test_default_policy_differs_by_version(
    http: aiohttp.ClientSession, deployment: Make, path: str, lingers: bool
) -> None:
    await call(http, "POST", DEPLOYMENTS, deployment())
    _, answer = await call(http, "DELETE", f"{path}/web")
    assert (answer.get("metadata", {}).get("finalizers") == ["orphan"]) is lingers


@pytest.mark.parametrize(
    ("body", "query"),
    [
        pytest.param({"propagationPolicy": "Sideways"}, {}, id="policy"),
        pytest.param([], {}, id="no-object"),
        pytest.param(None, {"gracePeriodSeconds": "soon"}, id="grace"),
        pytest.param(None, {"dryRun": "Some"}, id="dry-run"),
    ],
)
async def test_refused_delete_options(
    http: aiohttp.ClientSession, deployment: Make, body: Any, query: dict[str, str]
) -> None:
    await call(http, "POST", DEPLOYMENTS, deployment())
    assert (await call(http, "DELETE", f"{DEPLOYMENTS}/web", body, params=query))[0] == 400
    assert (await call(http, "GET", f"{DEPLOYMENTS}/web"))[0] == 200


async def test_delete_collection_by_label(http: aiohttp.ClientSession, pod: Make) -> None:
    for name, labels in (("a", {"app": "x"}), ("b", {"app": "y"})):
        await call(http, "POST", PODS, pod(name, labels=labels))
    status, answer = await call(http, "DELETE", PODS, params={"labelSelector": "app=x"})
    assert (status, [item["metadata"]["name"] for item in answer["items"]]) == (200, ["a"])
    left = (await call(http, "GET", PODS))[1]["items"]
    assert [item["metadata"]["name"] for item in left] == ["b"]


async def test_scale(http: aiohttp.ClientSession, deployment: Make) -> None:
    await call(http, "POST", DEPLOYMENTS, deployment())
    path = f"{DEPLOYMENTS}/web/scale"
    status, scale = await call(http, "GET", path)
    assert (status, scale["kind"], scale["spec"], scale["status"]["selector"]) == (
        200, "Scale", {"replicas": 1}, "app=web",
    )  # fmt: skip
    merge = {"Content-Type": "application/merge-patch+json"}
    assert (await call(http, "PATCH", path, {"spec": {"replicas": 5}}, headers=merge))[1]["spec"] == {"replicas": 5}
    assert (await call(http, "PUT", path, scale))[0] == 409
    del scale["metadata"]["resourceVersion"]
    assert (await call(http, "PUT", path, {**scale, "spec": {"replicas": 2}}))[1]["spec"] == {"replicas": 2}
    assert (await call(http, "PUT", path, {**scale, "spec": {"replicas": -2}}))[0] == 422
    _, found = await call(http, "GET", f"{DEPLOYMENTS}/web")
    assert (found["spec"]["replicas"], found["metadata"]["generation"]) == (2, 3)


async def test_answers_come_in_the_version_that_was_asked(http: aiohttp.ClientSession, deployment: Make) -> None:
    obj = deployment()
    obj["apiVersion"] = "extensions/v1beta1"
    status, made = await call(http, "POST", OLD, obj)
    assert (status, made["apiVersion"]) == (201, "extensions/v1beta1")
    assert (await call(http, "GET", f"{DEPLOYMENTS}/web"))[1]["apiVersion"] == "apps/v1"
    assert (await call(http, "GET", OLD))[1]["items"][0]["apiVersion"] == "extensions/v1beta1"
    assert (await call(http, "POST", DEPLOYMENTS, obj))[0] == 400


async def test_tables(http: aiohttp.ClientSession, pod: Make) -> None:
    await call(http, "POST", PODS, pod())
    for path in (PODS, f"{PODS}/a"):
        _, found = await call(http, "GET", path, headers=TABLE)
        assert found["kind"] == "Table"
        assert found["rows"][0]["cells"][:3] == ["a", "0/1", "Pending"]
        assert found["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


async def test_dry_run(http: aiohttp.ClientSession, pod: Make) -> None:
    status, made = await call(http, "POST", PODS, pod(), params={"dryRun": "All"})
    assert (status, made["spec"]["restartPolicy"]) == (201, "Always")
    assert (await call(http, "GET", f"{PODS}/a"))[0] == 404


async def test_namespace_deletion_in_three_steps(http: aiohttp.ClientSession, pod: Make) -> None:
    status, answer = await call(http, "DELETE", "/api/v1/namespaces/other")
    assert (status, answer["status"]) == (200, {"phase": "Terminating"})
    assert (await call(http, "POST", "/api/v1/namespaces/other/pods", pod(namespace="other")))[0] == 403
    answer["spec"]["finalizers"] = []
    assert (await call(http, "PUT", "/api/v1/namespaces/other/finalize", answer))[0] == 200
    assert (await call(http, "GET", "/api/v1/namespaces/other"))[0] == 404
    assert (await call(http, "DELETE", "/api/v1/namespaces/default"))[0] == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("POST", f"{PODS}/a", id="post-to-an-object"),
        pytest.param("PUT", PODS, id="put-to-a-collection"),
        pytest.param("POST", "/api/v1/pods", id="post-without-a-namespace"),
        pytest.param("DELETE", f"{DEPLOYMENTS}/a/scale", id="delete-a-scale"),
        pytest.param("DELETE", f"{PODS}/a/status", id="delete-a-status"),
    ],
)
async def test_verbs_that_do_not_exist(http: aiohttp.ClientSession, method: str, path: str) -> None:
    status, answer = await call(http, method, path, {})
    assert (status, answer["reason"]) == (405, "MethodNotAllowed")


async def test_yaml_bodies(http: aiohttp.ClientSession) -> None:
    text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: dev}\n"
    async with http.post("/api/v1/namespaces", data=text, headers={"Content-Type": "application/yaml"}) as response:
        assert response.status == 201
        assert (await response.json())["metadata"]["labels"] == {"kubernetes.io/metadata.name": "dev"}


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        pytest.param(b"{", "application/json", 400, id="broken-json"),
        pytest.param(b"[]", "application/json", 400, id="a-list"),
        pytest.param(b'"x"', "application/json", 400, id="a-text"),
        pytest.param(b'{"metadata": []}', "application/json", 422, id="metadata-is-a-list"),
        pytest.param(b'{"metadata": {"name": 5}}', "application/json", 422, id="name-is-a-number"),
        pytest.param(b'{"kind": 5}', "application/json", 400, id="kind-is-a-number"),
        pytest.param(b'{"metadata": {"name": "a"}, "spec": "x"}', "application/json", 422, id="spec-is-a-text"),
        pytest.param(b'{"metadata": {"name": "a", "labels": ["x"]}}', "application/json", 422, id="labels-are-a-list"),
        pytest.param(
            b'{"metadata": {"name": "a", "annotations": "x"}}', "application/json", 422, id="annotations-text"
        ),
        pytest.param(b'{"metadata": {"generateName": 5}}', "application/json", 422, id="generate-name-is-a-number"),
        pytest.param(b'{"metadata": {"name": "a", "finalizers": 5}}', "application/json", 422, id="finalizers-number"),
        pytest.param(b'{"metadata": {"name": "a", "ownerReferences": 5}}', "application/json", 422, id="owners-number"),
        pytest.param(b"k8s\0", "application/vnd.kubernetes.protobuf", 415, id="protobuf"),
        pytest.param(b"<xml/>", "text/xml", 415, id="xml"),
        pytest.param(b"[" * 300 + b"]" * 300, "application/json", 400, id="deep"),
        pytest.param(b"x" * (3 * 1024 * 1024 + 10), "application/json", 413, id="too-large"),
    ],
)
async def test_hostile_bodies(http: aiohttp.ClientSession, body: bytes, content_type: str, code: int) -> None:
    for path in (PODS, DEPLOYMENTS, "/api/v1/namespaces/default/services", "/api/v1/namespaces", RULES):
        async with http.post(path, data=io.BytesIO(body), headers={"Content-Type": content_type}) as response:
            answer = await response.json()
            assert (response.status, answer["code"], answer["kind"]) == (code, code, "Status"), path
            assert "\n" not in answer["message"]
    assert (await call(http, "GET", PODS))[1]["items"] == []
