"""Server-side apply over HTTP: statuses, dry run, and plain writes in between."""

from typing import Any

import aiohttp

Obj = dict[str, Any]
APPLY = {"Content-Type": "application/apply-patch+yaml"}
MERGE = {"Content-Type": "application/merge-patch+json"}
ROOT = "/apis/apps/v1/namespaces/default/deployments"
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: REPLICAS
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "httpd:2.4"}]}
"""


async def send(
    http: aiohttp.ClientSession, method: str, path: str, body: str, headers: dict[str, str], **query: str
) -> tuple[int, Obj]:
    async with http.request(method, path, data=body, headers=headers, params=query) as response:
        return response.status, await response.json()


async def put(http: aiohttp.ClientSession, body: str, manager: str = "ann", **query: str) -> tuple[int, Obj]:
    return await send(http, "PATCH", f"{ROOT}/web", body, APPLY, fieldManager=manager, **query)


def web(replicas: int = 2) -> str:
    return WEB.replace("REPLICAS", str(replicas))


def managers(obj: Obj) -> list[tuple[str, str, str]]:
    entries = obj["metadata"].get("managedFields", [])
    return [(entry["manager"], entry["operation"], entry.get("subresource", "")) for entry in entries]


async def test_create_change_and_the_same_again(http: aiohttp.ClientSession) -> None:
    status, made = await put(http, web())
    assert (status, made["spec"]["strategy"]["type"], managers(made)) == (201, "RollingUpdate", [("ann", "Apply", "")])
    assert await put(http, web()) == (200, made)
    status, changed = await put(http, web(5))
    assert (status, changed["spec"]["replicas"], changed["metadata"]["generation"]) == (200, 5, 2)


async def test_dry_run_writes_nothing(http: aiohttp.ClientSession) -> None:
    assert (await put(http, web(), dryRun="All"))[0] == 201
    async with http.get(f"{ROOT}/web") as response:
        assert response.status == 404
    _, made = await put(http, web())
    status, tried = await put(http, web(9), dryRun="All")
    assert (status, tried["spec"]["replicas"]) == (200, 9)
    assert await put(http, web()) == (200, made)


async def test_a_scale_is_somebody_elses_write(http: aiohttp.ClientSession) -> None:
    await put(http, web())
    headers = {**MERGE, "User-Agent": "scaler/1.0 (x)"}
    assert (await send(http, "PATCH", f"{ROOT}/web/scale", '{"spec":{"replicas":7}}', headers))[0] == 200
    status, refused = await put(http, web(3))
    assert (status, refused["reason"]) == (409, "Conflict")
    (cause,) = refused["details"]["causes"]
    assert (cause["reason"], cause["field"]) == ("FieldManagerConflict", ".spec.replicas")
    assert cause["message"].startswith('conflict with "scaler" with subresource "scale" using apps/v1 at ')
    status, forced = await put(http, web(3), force="true")
    assert (status, forced["spec"]["replicas"], managers(forced)) == (200, 3, [("ann", "Apply", "")])


async def test_who_makes_an_object_owns_it(http: aiohttp.ClientSession) -> None:
    status, made = await send(http, "POST", ROOT, web(), {"Content-Type": "application/yaml"}, fieldManager="x")
    assert (status, managers(made)) == (201, [("x", "Update", "")])
    (entry,) = made["metadata"]["managedFields"]
    assert entry["fieldsV1"]["f:spec"]["f:progressDeadlineSeconds"] == {}
    status, refused = await put(http, web(3))
    assert status == 409
    assert refused["message"].startswith('Apply failed with 1 conflict: conflict with "x" using apps/v1 at ')
    status, taken = await put(http, web(3), force="true")
    assert (status, managers(taken)) == (200, [("ann", "Apply", ""), ("x", "Update", "")])
    merge = {**MERGE, "User-Agent": "editor/2"}
    _, edited = await send(http, "PATCH", f"{ROOT}/web", '{"metadata":{"labels":{"a":"b"}}}', merge)
    assert ("editor", "Update", "") in managers(edited)


async def test_what_the_mesh_makes_is_tracked_from_the_first_apply_on(http: aiohttp.ClientSession) -> None:
    own = {"Content-Type": "application/yaml", "User-Agent": "loopmesh"}
    status, made = await send(http, "POST", ROOT, web(), own)
    assert (status, managers(made)) == (201, [])
    assert (await put(http, web(3)))[0] == 409
    status, taken = await put(http, web(3), force="true")
    assert (status, managers(taken)) == (200, [("ann", "Apply", ""), ("before-first-apply", "Update", "")])


async def test_status_is_applied_apart(http: aiohttp.ClientSession) -> None:
    await put(http, web())
    status = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, status: {replicas: 4}}"
    code, made = await send(http, "PATCH", f"{ROOT}/web/status", status, APPLY, fieldManager="bob")
    assert (code, made["status"], made["spec"]["replicas"]) == (200, {"replicas": 4}, 2)
    assert ("bob", "Apply", "status") in managers(made)
    _, again = await put(http, web())
    assert again["status"] == {"replicas": 4}


def scale(replicas: int, **meta: str) -> str:
    shown = "".join(f", {name}: {value}" for name, value in meta.items())
    return (
        f"{{apiVersion: autoscaling/v1, kind: Scale, metadata: {{name: web{shown}}}, spec: {{replicas: {replicas}}}}}"
    )


async def test_a_scale_is_applied(http: aiohttp.ClientSession) -> None:
    async def apply(body: str, **query: str) -> tuple[int, Obj]:
        return await send(http, "PATCH", f"{ROOT}/web/scale", body, APPLY, fieldManager="hpa", **query)

    assert (await apply(scale(4)))[0] == 404
    await put(http, web())
    status, refused = await apply(scale(4))
    assert (status, refused["details"]["causes"][0]["field"]) == (409, ".spec.replicas")
    status, made = await apply(scale(4), force="true")
    assert (status, made["kind"], made["spec"]) == (200, "Scale", {"replicas": 4})
    async with http.get(f"{ROOT}/web") as response:
        live = await response.json()
    assert ("hpa", "Apply", "scale") in managers(live)
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "httpd:2.4"
    assert (await put(http, web(3)))[0] == 409
    assert (await apply(scale(5), dryRun="All"))[1]["spec"] == {"replicas": 5}
    assert (await apply(scale(5)))[1]["spec"] == {"replicas": 5}
    assert (await apply(scale(-1)))[0] == 422
    assert (await apply(scale(1, resourceVersion="'1'")))[0] == 409
    assert (await apply(web(1)))[0] == 400


async def test_owners_can_be_forgotten(http: aiohttp.ClientSession) -> None:
    await put(http, web())
    wrong = '{"metadata":{"managedFields":[{"operation":"Steal"}]}}'
    assert (await send(http, "PATCH", f"{ROOT}/web", wrong, MERGE))[0] == 400
    patch = '{"metadata":{"managedFields":[{}]}}'
    status, bare = await send(http, "PATCH", f"{ROOT}/web", patch, MERGE)
    assert (status, managers(bare)) == (200, [])


async def test_refusals(http: aiohttp.ClientSession) -> None:
    assert (await put(http, web().replace("replicas", "replics"), fieldValidation="Strict"))[0] == 400
    assert (await put(http, web(-1)))[0] == 422
    assert (await put(http, web().replace("metadata: {name: web}", "metadata: {name: other}")))[0] == 400
    assert (await put(http, web().replace("{name: web}", "{name: web, uid: abc}")))[0] == 409
    assert (await put(http, "a: ["))[0] == 400
    assert (await put(http, web().replace("containers: [", "containers: [{name: c, image: x}, ")))[0] == 400
    await put(http, web())
    stale = web().replace("{name: web}", '{name: web, resourceVersion: "1"}')
    assert (await put(http, stale))[0] == 409


async def test_old_spellings_share_their_owners(http: aiohttp.ClientSession) -> None:
    await put(http, web())
    old = web(3).replace("apps/v1", "apps/v1beta2")
    path = "/apis/apps/v1beta2/namespaces/default/deployments/web"
    status, made = await send(http, "PATCH", path, old, APPLY, fieldManager="ann")
    assert (status, made["apiVersion"], made["spec"]["replicas"]) == (200, "apps/v1beta2", 3)
    assert managers(made) == [("ann", "Apply", "")]
