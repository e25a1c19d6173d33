"""Is what is looked up in an index what a look at everything would find?"""

import random
from typing import Any

from mesh.api.core import Pod
from mesh.api.meta import LabelSelector
from mesh.api.selectors import from_labels, from_model
from mesh.api.services import Service
from mesh.controllers.cache import Index, SelectorIndex, select, workload_selector
from tests.unit.controllers.world import World, deployment


class Feed:
    """Imitates an informer: callbacks, told by hand."""

    def __init__(self) -> None:
        self.callbacks: list[Any] = []

    def on_change(self, callback: Any) -> None:
        self.callbacks.append(callback)

    def tell(self, old: Any, new: Any) -> None:
        for callback in self.callbacks:
            callback(old, new)


def pod(name: str, **labels: str) -> Pod:
    return Pod.model_validate({"metadata": {"name": name, "namespace": "default", "labels": labels}})


def by_label(obj: Pod) -> list[tuple[str, str, str]]:
    return [(obj.namespace, k, v) for k, v in obj.metadata.label_map.items()]


def test_an_index_follows_every_change() -> None:
    feed, rng = Feed(), random.Random(3)
    index: Index[Pod] = Index(feed, by_label)  # type: ignore[arg-type]
    now: dict[str, Pod] = {}
    for _ in range(500):
        name = f"p{rng.randint(0, 9)}"
        old = now.pop(name, None)
        new = pod(name, app=rng.choice("abc"), tier=rng.choice("xy")) if rng.random() < 0.7 else None
        if new is not None:
            now[name] = new
        if old is not None or new is not None:
            feed.tell(old, new)
    for value in "abc":
        expected = {name for name, obj in now.items() if obj.metadata.label_map["app"] == value}
        key = ("default", "app", value)
        assert {obj.name for obj in index.get(key)} == expected
        assert index.count(key) == len(expected)
    for obj in list(now.values()):
        feed.tell(obj, None)
    assert [index.get(("default", "app", value)) for value in "abc"] == [[], [], []]


def test_select_uses_any_exact_pair() -> None:
    feed = Feed()
    index: Index[Pod] = Index(feed, by_label)  # type: ignore[arg-type]
    for number in range(4):
        feed.tell(None, pod(f"p{number}", app="web", track="canary" if number == 0 else "stable"))
    found = select(index, "default", from_labels({"app": "web", "track": "canary"}))
    assert [obj.name for obj in found] == ["p0"]
    assert select(index, "elsewhere", from_labels({"app": "web"})) == []


def service(name: str, selector: dict[str, str] | None) -> Service:
    metadata = {"name": name, "namespace": "default"}
    return Service.model_validate({"metadata": metadata, "spec": {"selector": selector}})


def test_a_pod_finds_the_services_that_select_it() -> None:
    feed = Feed()
    index: SelectorIndex[Service] = SelectorIndex(
        feed,  # type: ignore[arg-type]
        lambda s: from_labels(s.spec.selector) if s.spec.selector else None,
    )
    narrow, wide, none = (
        service("narrow", {"app": "web", "v": "1"}),
        service("wide", {"app": "web"}),
        service("x", None),
    )
    for obj in (narrow, wide, none):
        feed.tell(None, obj)

    def names(**labels: str) -> list[str]:
        return sorted(s.name for s in index.selecting("default", labels))

    assert names(app="web", v="1") == ["narrow", "wide"]
    assert names(app="web", v="2") == ["wide"]
    assert names() == []
    assert index.selecting("other", {"app": "web"}) == []
    feed.tell(wide, service("wide", {"app": "db"}))
    assert (names(app="web", v="1"), names(app="db")) == (["narrow"], ["wide"])
    feed.tell(narrow, None)
    assert names(app="web", v="1") == []


def test_a_selector_of_expressions_alone_is_found_too() -> None:
    feed = Feed()
    expression = LabelSelector.model_validate({"matchExpressions": [{"key": "app", "operator": "Exists"}]})
    index: SelectorIndex[Service] = SelectorIndex(feed, lambda s: from_model(expression))  # type: ignore[arg-type]
    feed.tell(None, service("any", {"a": "b"}))
    assert [s.name for s in index.selecting("default", {"app": "x"})] == ["any"]


def test_a_workload_without_selector_takes_its_templates_labels() -> None:
    assert workload_selector(None, {"app": "web"}).matches({"app": "web", "v": "1"})
    assert not workload_selector(LabelSelector(match_labels={"app": "db"}), {"app": "web"}).matches({"app": "web"})


async def test_the_shared_caches_agree_with_the_store(world: World) -> None:
    await world.apply(deployment(replicas=3))
    await world.settle()
    caches = world.manager.caches
    (rs,) = caches.replica_sets.list()
    pods = {pod.name for pod in await world.all(Pod)}
    assert {pod.name for pod in caches.pods_by_owner.get(rs.metadata.uid)} == pods
    assert {pod.name for node in ("node-1", "node-2") for pod in caches.pods_by_node.get(node)} == pods
    assert {pod.name for pod in caches.pods_by_label.get(("default", "app", "web"))} == pods
    assert caches.orphan_pods.get(("default", "app", "web")) == []
