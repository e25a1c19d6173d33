"""What do the API's verbs do to stored objects?

The one place where an object is admitted: converted to its home version, defaulted, judged, given its names and
versions, and written. HTTP and the in-process client both come through here. Nothing waits: a verb is one step on the
event loop, so that no two writers ever meet in the middle.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Any

from mesh.api import admission, conversion, defaults, deletion, scheme, selectors, validation
from mesh.api.deletion import DeleteOptions
from mesh.api.errors import AlreadyExists, BadRequest, Conflict, Expired, Forbidden, NotFound
from mesh.api.extensions import accepted_status
from mesh.api.scheme import Kind
from mesh.apiserver import apply, eviction, plugins
from mesh.apiserver.apply_owners import OWN_WRITER, Managed, Writer, created, tracked
from mesh.apiserver.defined import Defined
from mesh.apiserver.watch import Scope, Watcher
from mesh.runtime.clock import Clock, rfc3339
from mesh.store import Record, Store, WrongVersion, record

Json = dict[str, Any]
_GENERATED_NAME_TRIES = 8
_DEFINITION = scheme.BY_GVK[("apiextensions.k8s.io/v1", "CustomResourceDefinition")]
_POD, _BUDGET = scheme.BY_GVK[("v1", "Pod")], scheme.BY_GVK[("policy/v1", "PodDisruptionBudget")]


def index(resource: str, obj: Json) -> dict[str, str]:
    """What field selectors may ask of an object: the store's index function."""
    kind = scheme.BY_NAME.get(resource)
    return selectors.selectable_values(obj, kind.selectable if kind else ())


@dataclass(frozen=True, slots=True)
class Listing:
    """Records in (namespace, name) order, and the version they were read at."""

    records: list[Record]
    version: int


class Registry:
    """The verbs. store must have been made with `index`."""

    def __init__(self, store: Store, clock: Clock, rng: Random) -> None:
        self.store, self.clock, self.rng = store, clock, rng
        self.kinds = Defined(found.load() for found in store.list(_DEFINITION.resource))

    def bootstrap(self, objects: Iterable[Json]) -> None:
        """Create what must exist from the start and does not yet."""
        for obj in objects:
            kind = scheme.BY_GVK[(obj["apiVersion"], obj["kind"])]
            namespace = obj["metadata"].get("namespace") or ""
            if self.store.get(kind.resource, namespace, obj["metadata"]["name"]) is None:
                self.create(kind, obj, namespace)

    def get(self, kind: Kind, namespace: str, name: str) -> Record:
        """One object. Raises NotFound."""
        found = self.store.get(kind.resource, namespace if kind.namespaced else "", name)
        if found is None:
            raise NotFound.of(kind.plural, kind.group, name)
        return found

    def list(self, kind: Kind, scope: Scope) -> Listing:
        """All objects in the scope."""
        selectors.check_fields(scope.fields, kind.resource, kind.selectable)
        if scope.fields.name is not None and scope.namespace is not None:
            one = self.store.get(kind.resource, scope.namespace, scope.fields.name)
            records = [one] if one is not None and scope.covers(one) else []
        else:
            records = self.store.list(kind.resource, scope.namespace)
            if not (scope.labels.empty and not scope.fields.terms):
                records = [found for found in records if scope.covers(found)]
        return Listing(records, self.store.version)

    def watch(self, kind: Kind, scope: Scope, version: int) -> Watcher:
        """Changes after `version`. Raises Expired when it is too old, or from another life of the store."""
        selectors.check_fields(scope.fields, kind.resource, kind.selectable)
        if version > self.store.version:
            raise Expired(f"too large resource version: {version}, current: {self.store.version}")
        return Watcher(self.store, kind.resource, scope, version)

    def create(
        self, kind: Kind, obj: Json, namespace: str = "", api_version: str = "", dry_run: bool = False,
        trusted: bool = False, writer: Writer = OWN_WRITER, managed: Managed | None = None,
    ) -> Record:  # fmt: skip
        """Admit and store a new object; takes `obj` over. Raises AlreadyExists, Invalid, BadRequest, Forbidden.

        api_version: the group-version that `obj` is written in, home when empty.  trusted: the object comes from a
        typed model, so that its shape needs no check.  managed: who owns which field; None: the writer owns all of
        it, and nobody keeps account where that is the mesh itself.
        """
        obj = conversion.to_home(kind, obj, api_version or kind.api_version)
        obj = admission.without_nulls(obj)
        admission.check_identity(kind, obj, namespace)
        generated = not obj["metadata"].get("name")
        shape = [] if trusted else validation.shape_causes(kind, obj)
        validation.refuse_if(kind, obj, shape, validation.needs_shape(shape))
        admission.prepare_create(kind, obj, rfc3339(self.clock.wall()), self.rng)
        defaults.apply(kind, obj, api_version or kind.api_version)
        plugins.on_create(kind, obj, self._stored)
        validation.refuse_if(kind, obj, validation.all_causes(kind, obj, None, shape))
        self._check_namespace(kind, obj["metadata"].get("namespace") or "")
        if managed is None and writer is not OWN_WRITER:
            managed = created(kind, obj, writer, rfc3339(self.clock.wall()))
        if managed is not None:
            obj["metadata"]["managedFields"] = managed
        if kind is _DEFINITION:
            obj["status"] = accepted_status(obj, rfc3339(self.clock.wall()))
        for _ in range(_GENERATED_NAME_TRIES):
            try:
                if dry_run:
                    return self._dry_create(kind, obj)
                made = self.store.create(kind.resource, obj)
                self._defined(kind, made)
                return made
            except WrongVersion:
                if not generated:
                    break
                obj["metadata"]["name"] = admission.generate_name(obj["metadata"]["generateName"], self.rng)
        raise AlreadyExists.of(kind.plural, kind.group, obj["metadata"]["name"])

    def update(
        self, kind: Kind, obj: Json, namespace: str, name: str, api_version: str = "", dry_run: bool = False,
        trusted: bool = False, writer: Writer = OWN_WRITER, managed: Managed | None = None,
    ) -> Record:  # fmt: skip
        """Replace an object but not its status; takes `obj` over. Raises NotFound, Conflict, Invalid.

        managed: who owns which field from now on; None works it out from what `writer` changes.
        """
        old_record = self.get(kind, namespace, name)
        old = old_record.load()
        obj = conversion.to_home(kind, obj, api_version or kind.api_version)
        obj = admission.without_nulls(obj)
        admission.check_identity(kind, obj, old_record.namespace, name)
        meta = obj["metadata"]
        admission.check_preconditions(kind, old, meta.get("uid"), meta.get("resourceVersion"))
        shape = [] if trusted else validation.shape_causes(kind, obj)
        validation.refuse_if(kind, obj, shape, validation.needs_shape(shape))
        said = meta.get("managedFields") if managed is None and not trusted else managed
        admission.prepare_update(kind, obj, old)
        defaults.carry_over(kind, obj, old)
        defaults.apply(kind, obj, api_version or kind.api_version)
        tracked(kind, old, obj, said, writer, None if managed is not None else rfc3339(self.clock.wall()))
        if obj == old:
            return old_record
        admission.check_binding(kind, obj, old)
        validation.refuse_if(kind, obj, validation.all_causes(kind, obj, old, shape))
        plugins.on_update(kind, obj, old, self._stored)
        admission.count_generation(kind, obj, old)
        return self._write(kind, obj, old_record, dry_run)

    def update_status(
        self, kind: Kind, obj: Json, namespace: str, name: str, api_version: str = "", dry_run: bool = False,
        trusted: bool = False, writer: Writer = OWN_WRITER, managed: Managed | None = None,
    ) -> Record:  # fmt: skip
        """Replace only the status. Raises NotFound, Conflict, Invalid."""
        old_record = self.get(kind, namespace, name)
        old = old_record.load()
        obj = admission.without_nulls(conversion.to_home(kind, obj, api_version or kind.api_version))
        admission.check_identity(kind, obj, old_record.namespace, name)
        meta = obj["metadata"]
        admission.check_preconditions(kind, old, meta.get("uid"), meta.get("resourceVersion"))
        new = admission.with_status(obj, old)
        part = Writer(writer.manager, "status")
        tracked(kind, old, new, managed, part, None if managed is not None else rfc3339(self.clock.wall()))
        if not trusted:
            validation.refuse_if(kind, new, validation.shape_causes(kind, new, whole=False))
        if new == old:
            return old_record
        return self._write(kind, new, old_record, dry_run)

    def finalize(self, kind: Kind, obj: Json, name: str) -> Record:
        """Replace a namespace's spec.finalizers; the last one gone removes a marked namespace."""
        old_record = self.get(kind, "", name)
        new = old_record.load()
        admission.check_preconditions(kind, new, None, (obj.get("metadata") or {}).get("resourceVersion"))
        new["spec"] = {**new.get("spec", {}), "finalizers": list((obj.get("spec") or {}).get("finalizers") or ())}
        if deletion.is_gone(kind, new):
            self._empty(name)
        return self._write(kind, new, old_record, False)

    def patch(
        self, kind: Kind, namespace: str, name: str, change: Callable[[Json], Json], api_version: str = "",
        subresource: str = "", dry_run: bool = False, writer: Writer = OWN_WRITER,
    ) -> Record:  # fmt: skip
        """Change an object as `change` (old -> new, both in api_version) says. Raises as `update` does."""
        version = api_version or kind.api_version
        old = self.get(kind, namespace, name)
        new = change(conversion.from_home(kind, old.load(), version))
        if subresource == "finalize":
            return self.finalize(kind, new, name)
        write = self.update_status if subresource == "status" else self.update
        return write(kind, new, old.namespace, name, version, dry_run, writer=writer)

    def apply(
        self, kind: Kind, config: Json, namespace: str, name: str, api_version: str, writer: Writer,
        force: bool = False, dry_run: bool = False,
    ) -> tuple[Record, bool]:  # fmt: skip
        """Server-side apply; the answer says whether the object is new. Raises Conflict and as `update` does."""
        now = rfc3339(self.clock.wall())
        config = admission.without_nulls(conversion.to_home(kind, config, api_version))
        admission.check_identity(kind, config, namespace, name)
        misshapen = [cause for cause in validation.shape_causes(kind, config) if cause.reason != "FieldValueRequired"]
        validation.refuse_if(kind, config, misshapen)
        old = self.store.get(kind.resource, namespace if kind.namespaced else "", name)
        if old is None:
            meta = config["metadata"]
            if writer.subresource:
                raise NotFound.of(kind.plural, kind.group, name)
            if meta.get("uid") or meta.get("resourceVersion"):
                raise Conflict(f'{kind.resource} "{name}" does not exist, but the configuration asks for a certain one')
            managed = apply.create(kind, config, writer, now)
            return self.create(kind, config, namespace, dry_run=dry_run, managed=managed), True
        live = old.load()
        admission.check_preconditions(
            kind, live, config["metadata"].get("uid"), config["metadata"].get("resourceVersion")
        )
        outcome = apply.apply(kind, live, config, writer, force, now)
        write = self.update_status if writer.subresource == "status" else self.update
        written = write(kind, outcome.obj, old.namespace, name, dry_run=dry_run, writer=writer, managed=outcome.managed)
        return written, False

    def delete(self, kind: Kind, namespace: str, name: str, options: DeleteOptions) -> tuple[Record, bool]:
        """Ask for removal; the answer is the last state, and whether it is gone already. Raises NotFound, Conflict."""
        old_record = self.get(kind, namespace, name)
        old = old_record.load()
        admission.check_preconditions(kind, old, options.uid, options.resource_version)
        wall = self.clock.wall()
        marked = deletion.plan_delete(kind, old, options, lambda seconds: rfc3339(wall + seconds))
        if options.dry_run:
            return old_record, marked is None
        if marked is None:
            return self._remove(kind, old_record), True
        if marked == old:
            return old_record, False
        return self._write(kind, marked, old_record, False), False

    def _stored(self, resource: str) -> Iterable[Json]:
        """All objects of a resource, for those who judge one by others."""
        return (found.load() for found in self.store.list(resource))

    def _write(self, kind: Kind, obj: Json, old: Record, dry_run: bool) -> Record:
        """Store a new version, or remove the object when nothing keeps it any more."""
        if dry_run:
            return record.make(kind.resource, obj, old.version, index)
        try:
            if deletion.is_gone(kind, obj):
                return self._remove(kind, old)
            written = self.store.replace(kind.resource, obj, old.version)
        except WrongVersion as error:
            raise Conflict.of(kind.plural, kind.group, old.name) from error
        self._defined(kind, written)
        return written

    def _remove(self, kind: Kind, old: Record) -> Record:
        """Remove an object; with a definition go the objects of its kind."""
        gone = self.store.delete(kind.resource, old.namespace, old.name, old.version)
        if kind is _DEFINITION and (own := self.kinds.remove(old.name)) is not None:
            for found in self.store.list(own.resource):
                self.store.delete(own.resource, found.namespace, found.name)
        return gone

    def _defined(self, kind: Kind, written: Record) -> None:
        """Serve what a definition says from now on."""
        if kind is _DEFINITION:
            self.kinds.add(written.load())

    def _empty(self, namespace: str) -> None:
        """Remove what is left of defined kinds in a namespace. Raises Conflict while a finalizer holds something."""
        for kind in self.kinds:
            for found in self.store.list(kind.resource, namespace) if kind.namespaced else ():
                _, gone = self.delete(kind, namespace, found.name, DeleteOptions(propagation="Background"))
                if not gone:
                    raise Conflict(f'namespaces "{namespace}" still holds {kind.resource} "{found.name}"')

    def evict(self, namespace: str, name: str, options: DeleteOptions) -> None:
        """Delete a pod if its disruption budget allows. Raises NotFound, TooManyRequests."""
        pod = self.get(_POD, namespace, name).load()
        admission.check_preconditions(_POD, pod, options.uid, options.resource_version)
        budgets = {found.name: found for found in self.store.list(_BUDGET.resource, namespace)}
        budget = eviction.budget_of(pod, (found.load() for found in budgets.values()))
        if budget is not None:
            status = eviction.grant(budget, pod, rfc3339(self.clock.wall()))
            if status is not None and not options.dry_run:
                self._write(_BUDGET, {**budget, "status": status}, budgets[budget["metadata"]["name"]], False)
        self.delete(_POD, namespace, name, options)

    def _dry_create(self, kind: Kind, obj: Json) -> Record:
        meta = obj["metadata"]
        existing = self.store.get(kind.resource, meta.get("namespace") or "", meta["name"])
        if existing is not None:
            raise WrongVersion(existing)
        return record.make(kind.resource, obj, self.store.version, index)

    def _check_namespace(self, kind: Kind, namespace: str) -> None:
        if not kind.namespaced:
            return
        if not namespace:
            raise BadRequest("an object of this kind needs a namespace")
        found = self.store.get("namespaces", "", namespace)
        if found is None:
            raise NotFound.of("namespaces", "", namespace)
        if found.fields.get("status.phase") == "Terminating":
            raise Forbidden(
                f"{kind.resource} is forbidden: unable to create new content in namespace {namespace} "
                "because it is being terminated",
                {"name": namespace, "kind": "namespaces", "causes": [
                    {"reason": "NamespaceTerminating", "message": f"namespace {namespace} is being terminated",
                     "field": "metadata.namespace"}]},
            )  # fmt: skip
