"""How does an HTTP request become a verb of the registry, and its outcome an answer?"""

from typing import Any

import orjson
from aiohttp import web

from mesh.api import conversion, deletion, fields, selectors
from mesh.api.errors import ApiError, BadRequest, MethodNotAllowed, NotFound
from mesh.api.scheme import Kind
from mesh.apiserver import apply, bodies, pages, scale
from mesh.apiserver.apply_owners import OWN_WRITER, Writer
from mesh.apiserver.numbers import whole
from mesh.apiserver.patch import APPLY_PATCH, apply_patch
from mesh.apiserver.paths import Target
from mesh.apiserver.registry import Registry
from mesh.apiserver.relay.place import SUBRESOURCES
from mesh.apiserver.relay.relay import Relay
from mesh.apiserver.respond import JSON_TYPE, Form, form_of, status_success
from mesh.apiserver.streaming import stream_watch
from mesh.apiserver.watch import Scope
from mesh.store import Record

Json = dict[str, Any]
_WRITERS = {"status": "update_status", "": "update"}


class Resources:
    """The verbs over HTTP."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._relay = Relay(registry)

    async def handle(self, request: web.Request, target: Target) -> web.StreamResponse:
        """Answer a request for a resource. Raises ApiError."""
        if target.subresource in SUBRESOURCES and target.kind.kind == "Pod":
            return await self._relay.handle(request, target)
        form = form_of(target.kind, target.api_version, request.headers.get("Accept", ""), request.query)
        if target.subresource == "scale" and target.kind.has_scale:
            return await self._scale(request, target)
        if target.subresource == "eviction" and target.kind.kind == "Pod":
            return await self._evict(request, target)
        if target.subresource not in ("", "status", "finalize") or not _has(target.kind, target.subresource):
            raise NotFound("the server could not find the requested resource")
        if target.name and not (target.watch or request.query.get("watch") in ("true", "1")):
            return await self._object(request, target, form)
        return await self._collection(request, target, form)

    async def _object(self, request: web.Request, target: Target, form: Form) -> web.StreamResponse:
        if request.method == "GET":
            found = self.registry.get(target.kind, target.namespace, target.name)
            return self._answer(form, found)
        if request.method == "PUT":
            obj = _whole_object(await _json(request))
            warnings = self._judge(request, target, obj)
            return self._answer(form, self._replace(request, target, obj), warnings=warnings)
        if request.method == "PATCH":
            return await self._patch(request, target, form)
        if request.method == "DELETE" and not target.subresource:
            options = await _delete_options(request, target)
            record, gone = self.registry.delete(target.kind, target.namespace, target.name, options)
            if gone and not target.kind.shows_deleted:
                return _json_answer(status_success(target.kind, record))
            return self._answer(form, record)
        raise MethodNotAllowed(f"{request.method} is not supported on {target.kind.plural}/{target.subresource}")

    async def _collection(self, request: web.Request, target: Target, form: Form) -> web.StreamResponse:
        scope = _scope(request, target)
        query = request.query
        if request.method == "GET" and (target.watch or query.get("watch") in ("true", "1")):
            return await stream_watch(request, self.registry, target.kind, scope, form)
        if request.method == "GET":
            listing = self.registry.list(target.kind, scope)
            limit = query.get("limit", "") if query.get("resourceVersion") != "0" else ""  # version 0 is never cut
            page = pages.page_of(listing.records, listing.version, limit, query.get("continue", ""))
            return _json_answer(form.many(page.records, page.version, self.registry.clock.wall(), page.more))
        if request.method == "POST" and (target.namespace or not target.kind.namespaced):
            obj = _whole_object(await _json(request))
            warnings = self._judge(request, target, obj)
            made = self.registry.create(
                target.kind, obj, target.namespace, target.api_version, _dry_run(request),
                writer=_writer(request, target)[0],
            )  # fmt: skip
            return self._answer(form, made, status=201, warnings=warnings)
        if request.method == "DELETE":
            options = await _delete_options(request, target)
            listing = self.registry.list(target.kind, scope)
            for found in listing.records:
                self.registry.delete(target.kind, found.namespace, found.name, options)
            return _json_answer(form.many(listing.records, listing.version, self.registry.clock.wall()))
        raise MethodNotAllowed(f"{request.method} is not supported on {target.kind.plural} here")

    def _replace(self, request: web.Request, target: Target, obj: Json) -> Record:
        if target.subresource == "finalize":
            return self.registry.finalize(target.kind, obj, target.name)
        write = getattr(self.registry, _WRITERS[target.subresource])
        record: Record = write(
            target.kind, obj, target.namespace, target.name, target.api_version, _dry_run(request),
            writer=_writer(request, target)[0],
        )  # fmt: skip
        return record

    async def _patch(self, request: web.Request, target: Target, form: Form) -> web.StreamResponse:
        content_type = request.content_type if "Content-Type" in request.headers else ""
        if content_type == APPLY_PATCH:
            return await self._apply(request, target, form)
        writer, _ = _writer(request, target)
        change = apply_patch(target.kind, content_type, bodies.decode_json(await request.read()))
        warnings: list[str] = []

        def judged(old: Json) -> Json:
            before = fields.findings(target.kind, old, target.api_version)
            new = change(old)
            after = fields.findings(target.kind, new, target.api_version)
            warnings.extend(_warnings(request, target, after.without(before)))
            return new

        record = self.registry.patch(
            target.kind, target.namespace, target.name, judged, target.api_version, target.subresource,
            _dry_run(request), writer,
        )  # fmt: skip
        return self._answer(form, record, warnings=warnings)

    async def _apply(self, request: web.Request, target: Target, form: Form) -> web.StreamResponse:
        writer, force = _writer(request, target, is_apply=True)
        if target.subresource not in ("", "status"):
            raise MethodNotAllowed(f"server-side apply is not supported on {target.kind.plural}/{target.subresource}")
        config = apply.check_config(bodies.decode(await request.read(), "application/yaml"))
        warnings = self._judge(request, target, config)
        record, new = self.registry.apply(
            target.kind, config, target.namespace, target.name, target.api_version, writer, force, _dry_run(request)
        )
        return self._answer(form, record, status=201 if new else 200, warnings=warnings)

    async def _scale(self, request: web.Request, target: Target) -> web.StreamResponse:
        kind = target.kind
        if request.method == "PUT":
            body = await _json(request)
            record = self._rescale(request, target, lambda _: body)
        elif request.method == "PATCH":
            content_type = request.content_type if "Content-Type" in request.headers else ""
            if content_type == APPLY_PATCH:
                record = await self._apply_scale(request, target)
            else:
                change = apply_patch(kind, content_type, bodies.decode_json(await request.read()))
                record = self._rescale(request, target, change)
        elif request.method == "GET":
            record = self.registry.get(kind, target.namespace, target.name)
        else:
            raise MethodNotAllowed(f"{request.method} is not supported on {kind.plural}/scale")
        return _json_answer(orjson.dumps(scale.scale_of(record.load())))

    async def _apply_scale(self, request: web.Request, target: Target) -> Record:
        """A Scale that is applied is a workload of which nothing but the count is applied."""
        writer, force = _writer(request, target, is_apply=True)
        config = scale.workload_config(
            target.kind, apply.check_config(bodies.decode(await request.read(), "application/yaml"))
        )
        record, _ = self.registry.apply(
            target.kind, config, target.namespace, target.name, target.kind.api_version, writer, force,
            _dry_run(request),
        )  # fmt: skip
        return record

    async def _evict(self, request: web.Request, target: Target) -> web.StreamResponse:
        if request.method != "POST":
            raise MethodNotAllowed(f"{request.method} is not supported on pods/eviction")
        body = await _json(request)
        if not isinstance(body, dict) or body.get("kind", "Eviction") != "Eviction":
            raise BadRequest("the body is not an Eviction")
        meta = body.get("metadata") or {}
        if not isinstance(meta, dict) or meta.get("name", target.name) != target.name:
            raise BadRequest("the name in the Eviction is not the name of the pod on the URL")
        asked = body.get("deleteOptions") or {}
        if not isinstance(asked, dict):
            raise BadRequest("deleteOptions must be an object")
        if _dry_run(request):
            asked = {**asked, "dryRun": ["All"]}
        self.registry.evict(target.namespace, target.name, deletion.options_from(asked))
        done = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
        return _json_answer(orjson.dumps(done), 201)

    def _rescale(self, request: web.Request, target: Target, change: Any) -> Record:
        def rescaled(obj: Json) -> Json:
            return scale.with_replicas(target.kind, obj, change(scale.scale_of(obj)))

        return self.registry.patch(
            target.kind, target.namespace, target.name, rescaled, dry_run=_dry_run(request),
            writer=_writer(request, target)[0],
        )  # fmt: skip

    def _judge(self, request: web.Request, target: Target, obj: Json) -> list[str]:
        return _warnings(request, target, fields.findings(target.kind, obj, target.api_version))

    def _answer(
        self, form: Form, record: Record, status: int = 200, warnings: list[str] | None = None
    ) -> web.StreamResponse:
        response = _json_answer(form.one(record, self.registry.clock.wall()), status)
        for text in warnings or ():
            shown = text.encode("ascii", "backslashreplace").decode().replace("\\", "\\\\").replace('"', '\\"')
            response.headers.add("Warning", f'299 - "{shown}"')
        return response


async def review(request: web.Request) -> web.StreamResponse:
    """May I? Everybody who reaches the API may do everything."""
    if request.method != "POST":
        raise MethodNotAllowed(f"{request.method} is not supported on selfsubjectaccessreviews")
    body = _whole_object(await _json(request))
    answer = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", **body}
    answer.setdefault("metadata", {})
    answer["status"] = {"allowed": True, "reason": "there is no authorization here"}
    return _json_answer(orjson.dumps(answer), 201)


def status_answer(error: ApiError) -> web.Response:
    """The Status body of a refusal."""
    return _json_answer(orjson.dumps(error.status()), error.code)


def _json_answer(body: bytes, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, content_type=JSON_TYPE)


def _has(kind: Kind, subresource: str) -> bool:
    if subresource == "finalize":
        return kind.kind == "Namespace"
    return not subresource or kind.has_status


async def _json(request: web.Request) -> Any:
    content_type = request.content_type if "Content-Type" in request.headers else ""
    return bodies.decode(await request.read(), content_type)


def _whole_object(value: Any) -> Json:
    if not isinstance(value, dict):
        raise BadRequest("the body is not an object with apiVersion, kind and metadata")
    for name in ("apiVersion", "kind"):
        if not isinstance(value.get(name, ""), str):
            raise BadRequest(f"{name} must be text")
    return value


def _warnings(request: web.Request, target: Target, found: fields.Findings) -> list[str]:
    return fields.judge(target.kind, found, target.api_version, request.query.get("fieldValidation", ""))


def _writer(request: web.Request, target: Target, is_apply: bool = False) -> tuple[Writer, bool]:
    """Who writes, and whether by force. Without a name it is the program, by its User-Agent. Raises Invalid."""
    manager = request.query.get("fieldManager", "")
    force = request.query.get("force", "") in ("true", "1")
    apply.check_options(manager, force, is_apply)
    program = request.headers.get("User-Agent", "").partition("/")[0][:128]
    if not manager and program == OWN_WRITER.manager and not target.subresource:
        return OWN_WRITER, force
    return Writer(manager or program or "unknown", target.subresource), force


def _dry_run(request: web.Request) -> bool:
    asked = request.query.getall("dryRun", [])
    if any(value != "All" for value in asked):
        raise BadRequest(f'dryRun: "{asked[0]}": the only value is All')
    return bool(asked)


async def _delete_options(request: web.Request, target: Target) -> deletion.DeleteOptions:
    body = await _json(request) if request.can_read_body else {}
    if not isinstance(body, dict):
        raise BadRequest("the body is not a DeleteOptions object")
    body = dict(body)
    query = request.query
    if "propagationPolicy" in query:
        body.setdefault("propagationPolicy", query["propagationPolicy"])
    if "gracePeriodSeconds" in query:
        body.setdefault("gracePeriodSeconds", whole("gracePeriodSeconds", query["gracePeriodSeconds"]))
    if _dry_run(request):
        body["dryRun"] = ["All"]
    if body.get("propagationPolicy") is None and target.api_version in conversion.ORPHANING:
        body["propagationPolicy"] = "Orphan"
    return deletion.options_from(body)


def _scope(request: web.Request, target: Target) -> Scope:
    labels = selectors.parse(request.query.get("labelSelector", ""))
    text = request.query.get("fieldSelector", "")
    if target.name:  # a watch on one object in the old form /watch/.../NAME
        text = f"{text},metadata.name={target.name}" if text else f"metadata.name={target.name}"
    return Scope(target.namespace or None, labels, selectors.parse_fields(text))
