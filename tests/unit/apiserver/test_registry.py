"""The verbs: who may write what, and what a write does."""

from collections.abc import Callable
from typing import Any

import pytest

from mesh.api.deletion import DeleteOptions
from mesh.api.errors import AlreadyExists, BadRequest, Conflict, Expired, Forbidden, Invalid, NotFound
from mesh.api.scheme import BY_NAME
from mesh.api.selectors import parse, parse_fields
from mesh.apiserver.registry import Registry
from mesh.apiserver.watch import Scope

POD, DEPLOYMENT, NAMESPACE, SERVICE, NODE = (
    BY_NAME[name] for name in ("pods", "deployments.apps", "namespaces", "services", "nodes")
)
Make = Callable[..., dict[str, Any]]


def test_create_gives_identity_defaults_and_a_first_status(registry: Registry, deployment: Make) -> None:
    made = registry.create(DEPLOYMENT, deployment(), "default").load()
    meta = made["metadata"]
    assert meta["generation"] == 1
    assert meta["creationTimestamp"] == "2027-01-15T08:00:00Z"
    assert meta["uid"]
    assert int(meta["resourceVersion"]) == registry.store.version
    assert made["spec"]["replicas"] == 1
    assert "status" not in made


def test_names_are_generated_and_never_collide(registry: Registry, pod: Make) -> None:
    names = set()
    for _ in range(50):
        obj = pod()
        del obj["metadata"]["name"]
        obj["metadata"]["generateName"] = "web-"
        names.add(registry.create(POD, obj, "default").name)
    assert len(names) == 50


@pytest.mark.parametrize(
    ("change", "namespace", "error"),
    [
        pytest.param({}, "nowhere", NotFound, id="no-such-namespace"),
        pytest.param({}, "", BadRequest, id="no-namespace"),
        pytest.param({"metadata": {"name": "a", "namespace": "other"}}, "default", BadRequest, id="another-namespace"),
        pytest.param({"spec": {"containers": []}}, "default", Invalid, id="breaks-a-rule"),
        pytest.param({"kind": "Service"}, "default", BadRequest, id="another-kind"),
    ],
)
def test_create_refuses(
    registry: Registry, pod: Make, change: dict[str, Any], namespace: str, error: type[Exception]
) -> None:
    obj = {**pod(), **change}
    if namespace != "default":
        obj["metadata"]["namespace"] = namespace
    before = registry.store.version
    with pytest.raises(error):
        registry.create(POD, obj, namespace)
    assert registry.store.version == before


def test_a_name_exists_once(registry: Registry, pod: Make) -> None:
    registry.create(POD, pod(), "default")
    with pytest.raises(AlreadyExists, match='pods "a" already exists'):
        registry.create(POD, pod(), "default")


def test_a_terminating_namespace_takes_nothing_new(registry: Registry, pod: Make) -> None:
    registry.delete(NAMESPACE, "", "other", DeleteOptions())
    with pytest.raises(Forbidden, match="because it is being terminated") as caught:
        registry.create(POD, pod(namespace="other"), "other")
    assert (caught.value.details or {})["causes"][0]["reason"] == "NamespaceTerminating"


def test_a_namespace_goes_when_it_is_finalized(registry: Registry) -> None:
    record, gone = registry.delete(NAMESPACE, "", "other", DeleteOptions())
    assert not gone
    assert record.load()["status"]["phase"] == "Terminating"
    registry.patch(NAMESPACE, "", "other", lambda old: {**old, "spec": {"finalizers": []}}, subresource="finalize")
    with pytest.raises(NotFound):
        registry.get(NAMESPACE, "", "other")


def test_a_plain_write_does_not_touch_finalizers_of_a_namespace(registry: Registry) -> None:
    registry.patch(NAMESPACE, "", "other", lambda old: {**old, "spec": {"finalizers": []}})
    assert registry.get(NAMESPACE, "", "other").load()["spec"] == {"finalizers": ["kubernetes"]}


def test_spec_and_status_are_written_apart(registry: Registry, deployment: Make) -> None:
    made = registry.create(DEPLOYMENT, deployment(), "default").load()
    both = {**made, "status": {"replicas": 7}, "spec": {**made["spec"], "replicas": 2}}
    plain = registry.update(DEPLOYMENT, {**both}, "default", "web").load()
    assert (plain["spec"]["replicas"], plain.get("status"), plain["metadata"]["generation"]) == (2, None, 2)
    again = {**both, "metadata": {**both["metadata"], "resourceVersion": plain["metadata"]["resourceVersion"]}}
    again["spec"] = {**again["spec"], "replicas": 9}
    status = registry.update_status(DEPLOYMENT, again, "default", "web").load()
    assert (status["spec"]["replicas"], status["status"]) == (2, {"replicas": 7})
    assert status["metadata"]["generation"] == 2


def test_the_stale_writer_loses(registry: Registry, deployment: Make) -> None:
    seen = registry.create(DEPLOYMENT, deployment(), "default").load()
    registry.patch(DEPLOYMENT, "default", "web", lambda old: {**old, "spec": {**old["spec"], "replicas": 3}})
    for write in (registry.update, registry.update_status):
        with pytest.raises(Conflict, match="the object has been modified"):
            write(DEPLOYMENT, {**seen, "status": {"replicas": 1}}, "default", "web")


def test_without_a_version_the_last_writer_wins(registry: Registry, deployment: Make) -> None:
    registry.create(DEPLOYMENT, deployment(), "default")
    assert registry.update(DEPLOYMENT, deployment(replicas=4), "default", "web").load()["spec"]["replicas"] == 4


def test_a_write_that_changes_nothing_is_no_write(registry: Registry, deployment: Make) -> None:
    made = registry.create(DEPLOYMENT, deployment(), "default")
    assert registry.update(DEPLOYMENT, made.load(), "default", "web") is made
    assert registry.patch(DEPLOYMENT, "default", "web", lambda old: old) is made
    assert registry.update_status(DEPLOYMENT, made.load(), "default", "web") is made
    assert registry.update(DEPLOYMENT, deployment(), "default", "web") is made


def test_a_removed_field_gets_its_default_again(registry: Registry, deployment: Make) -> None:
    registry.create(DEPLOYMENT, deployment(replicas=5), "default")
    changed = registry.patch(
        DEPLOYMENT, "default", "web", lambda old: {**old, "spec": {**old["spec"], "replicas": None}}
    )
    assert changed.load()["spec"]["replicas"] == 1


def test_a_pull_policy_is_set_once(registry: Registry, deployment: Make) -> None:
    made = registry.create(DEPLOYMENT, deployment(), "default").load()
    made["spec"]["template"]["spec"]["containers"][0]["image"] = "httpd:latest"
    changed = registry.update(DEPLOYMENT, made, "default", "web").load()
    assert changed["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"


def test_a_pod_is_bound_once(registry: Registry, pod: Make) -> None:
    registry.create(POD, pod(), "default")

    def bind(node: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
        return lambda old: {**old, "spec": {**old["spec"], "nodeName": node}}

    registry.patch(POD, "default", "a", bind("n1"))
    registry.patch(POD, "default", "a", bind("n1"))
    with pytest.raises(Conflict, match='already assigned to node "n1"'):
        registry.patch(POD, "default", "a", bind("n2"))


def test_a_service_address_is_given_once(registry: Registry) -> None:
    spec = {"selector": {"a": "b"}, "ports": [{"port": 80}]}
    registry.create(SERVICE, {"metadata": {"name": "s"}, "spec": spec}, "default")

    def address(ip: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
        return lambda old: {**old, "spec": {**old["spec"], "clusterIP": ip}}

    given = registry.patch(SERVICE, "default", "s", address("127.96.0.7")).load()
    assert given["spec"]["clusterIPs"] == ["127.96.0.7"]
    with pytest.raises(Invalid, match="field is immutable"):
        registry.patch(SERVICE, "default", "s", address("127.96.0.8"))
    kept = registry.update(SERVICE, {"metadata": {"name": "s"}, "spec": {**spec, "ports": [{"port": 81}]}},
                           "default", "s")  # fmt: skip
    assert kept.load()["spec"]["clusterIP"] == "127.96.0.7"


def test_deleting_a_pod_on_a_node_takes_two_steps(registry: Registry, pod: Make) -> None:
    bound = pod()
    bound["spec"]["nodeName"] = "n1"
    made = registry.create(POD, bound, "default")
    marked, gone = registry.delete(POD, "default", "a", DeleteOptions())
    assert not gone
    assert marked.load()["metadata"]["deletionTimestamp"] == "2027-01-15T08:00:30Z"
    again, gone = registry.delete(POD, "default", "a", DeleteOptions())
    assert (again, gone) == (marked, False)
    with pytest.raises(Conflict, match="Precondition failed"):
        registry.delete(POD, "default", "a", DeleteOptions(grace_period_s=0, uid="another"))
    _, gone = registry.delete(POD, "default", "a", DeleteOptions(grace_period_s=0, uid=made.uid))
    assert gone


def test_finalizers_keep_an_object_until_they_are_gone(registry: Registry, deployment: Make) -> None:
    registry.create(DEPLOYMENT, deployment(), "default")
    record, gone = registry.delete(DEPLOYMENT, "default", "web", DeleteOptions(propagation="Foreground"))
    assert not gone
    assert record.load()["metadata"]["finalizers"] == ["foregroundDeletion"]

    def without(old: dict[str, Any]) -> dict[str, Any]:
        return {**old, "metadata": {k: v for k, v in old["metadata"].items() if k != "finalizers"}}

    registry.patch(DEPLOYMENT, "default", "web", without)
    with pytest.raises(NotFound):
        registry.get(DEPLOYMENT, "default", "web")


def test_dry_run_does_everything_but_keep_it(registry: Registry, deployment: Make) -> None:
    before = registry.store.version
    made = registry.create(DEPLOYMENT, deployment(), "default", dry_run=True)
    assert made.load()["spec"]["replicas"] == 1
    with pytest.raises(Invalid):
        registry.create(DEPLOYMENT, deployment(replicas=-1), "default", dry_run=True)
    assert registry.store.version == before
    registry.create(DEPLOYMENT, deployment(), "default")
    with pytest.raises(AlreadyExists):
        registry.create(DEPLOYMENT, deployment(), "default", dry_run=True)
    after = registry.store.version
    changed = registry.update(DEPLOYMENT, deployment(replicas=5), "default", "web", dry_run=True)
    assert changed.load()["spec"]["replicas"] == 5
    _, gone = registry.delete(DEPLOYMENT, "default", "web", DeleteOptions(dry_run=True))
    assert gone
    assert registry.store.version == after
    assert registry.get(DEPLOYMENT, "default", "web").load()["spec"]["replicas"] == 1


def test_an_old_spelling_is_stored_in_its_home_with_its_own_defaults(registry: Registry, deployment: Make) -> None:
    obj = deployment()
    obj["apiVersion"] = "extensions/v1beta1"
    del obj["spec"]["selector"]
    made = registry.create(DEPLOYMENT, obj, "default", "extensions/v1beta1").load()
    assert made["apiVersion"] == "apps/v1"
    assert made["spec"]["selector"] == {"matchLabels": {"app": "web"}}
    assert made["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 1}
    changed = registry.patch(
        DEPLOYMENT, "default", "web",
        lambda old: {**old, "spec": {**old["spec"], "replicas": 2}}, "extensions/v1beta1",
    )  # fmt: skip
    assert changed.load()["spec"]["replicas"] == 2


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        pytest.param(Scope(), ["default/a", "default/b", "other/a"], id="everything"),
        pytest.param(Scope("default"), ["default/a", "default/b"], id="namespace"),
        pytest.param(Scope(None, parse("app=x")), ["default/a"], id="labels"),
        pytest.param(Scope(None, fields=parse_fields("metadata.name=a")), ["default/a", "other/a"], id="name"),
        pytest.param(Scope("other", fields=parse_fields("metadata.name=a")), ["other/a"], id="one"),
        pytest.param(Scope("other", fields=parse_fields("metadata.name=b")), [], id="none"),
        pytest.param(Scope(None, fields=parse_fields("status.phase=Pending")), ["default/a", "default/b", "other/a"],
                     id="status"),
        pytest.param(Scope(None, fields=parse_fields("spec.nodeName=n1")), ["default/b"], id="node"),
    ],
)  # fmt: skip
def test_list(registry: Registry, pod: Make, scope: Scope, expected: list[str]) -> None:
    registry.create(POD, pod("a", labels={"app": "x"}), "default")
    bound = pod("b")
    bound["spec"]["nodeName"] = "n1"
    registry.create(POD, bound, "default")
    registry.create(POD, pod("a", "other"), "other")
    listing = registry.list(POD, scope)
    assert [f"{found.namespace}/{found.name}" for found in listing.records] == expected
    assert listing.version == registry.store.version


def test_unsupported_field_selectors_are_refused(registry: Registry) -> None:
    with pytest.raises(BadRequest, match=r"field label not supported: spec\.image"):
        registry.list(POD, Scope(fields=parse_fields("spec.image=x")))
    with pytest.raises(BadRequest):
        registry.watch(POD, Scope(fields=parse_fields("spec.image=x")), 0)


def test_a_watch_from_the_future_is_told_to_list_again(registry: Registry) -> None:
    with pytest.raises(Expired):
        registry.watch(POD, Scope(), registry.store.version + 1)


def test_bootstrap_creates_only_what_is_missing(registry: Registry) -> None:
    before = registry.get(NAMESPACE, "", "default")
    registry.bootstrap([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}])
    assert registry.get(NAMESPACE, "", "default") is before


def test_cluster_scoped_kinds_ignore_namespaces(registry: Registry) -> None:
    registry.create(NODE, {"metadata": {"name": "n1", "namespace": "default"}, "status": {"phase": "x"}})
    assert registry.get(NODE, "anything", "n1").load()["status"] == {"phase": "x"}
