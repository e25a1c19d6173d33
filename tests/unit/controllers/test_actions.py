"""What does a plan ask for, exactly?"""

from typing import Any

import pytest

from mesh.api.core import Node, Pod
from mesh.api.workloads import ReplicaSet
from mesh.controllers.actions import (
    Draft,
    Note,
    Plan,
    merge_diff,
    note,
    pinned,
    reference,
    status_patch,
    without_repeats,
)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param({"a": 1}, {"a": 1}, {}, id="equal"),
        pytest.param({"a": 1}, {"a": 2}, {"a": 2}, id="changed"),
        pytest.param({"a": 1, "b": 2}, {"a": 1}, {"b": None}, id="gone"),
        pytest.param({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, {"a": {"c": 3}}, id="nested"),
        pytest.param({"a": [1, 2]}, {"a": [1]}, {"a": [1]}, id="lists-are-whole"),
        pytest.param({}, {"a": {"b": 1}}, {"a": {"b": 1}}, id="new"),
    ],
)
def test_merge_diff(old: dict[str, Any], new: dict[str, Any], expected: dict[str, Any]) -> None:
    assert merge_diff(old, new) == expected


def replica_set(**status: Any) -> ReplicaSet:
    metadata = {"name": "web", "namespace": "default", "resourceVersion": "5", "uid": "u"}
    return ReplicaSet.model_validate({"metadata": metadata, "status": status})


def test_a_status_is_written_only_when_it_differs() -> None:
    assert status_patch(replica_set(replicas=2), {"replicas": 2, "readyReplicas": None}) is None
    patch = status_patch(replica_set(replicas=2, readyReplicas=1), {"replicas": 3, "readyReplicas": None})
    assert patch is not None
    assert (patch.key, patch.subresource) == (("default", "web"), "status")
    assert patch.patch == {"status": {"replicas": 3, "readyReplicas": None}}


def test_a_pinned_patch_names_the_version() -> None:
    patch = pinned(replica_set(), {"metadata": {"labels": {"a": "b"}}, "spec": {"replicas": 1}})
    assert patch.patch == {"metadata": {"labels": {"a": "b"}, "resourceVersion": "5"}, "spec": {"replicas": 1}}


def test_a_draft_keeps_the_earliest_wish_and_drops_nothing_else() -> None:
    draft = Draft()
    told = note(replica_set(), "R", "m")
    draft.add(None, told)
    for wish in (None, 9.0, 3.0, 5.0):
        draft.look_again(wish)
    assert draft.done().actions == (told,)
    assert draft.done().requeue_after_s == 3.0


def test_events_name_their_object() -> None:
    about = reference(replica_set())
    assert (about.api_version, about.kind, about.namespace, about.name, about.uid) == (
        "apps/v1", "ReplicaSet", "default", "web", "u",
    )  # fmt: skip
    node = reference(Node.model_validate({"metadata": {"name": "n"}}))
    assert (node.api_version, node.kind, node.namespace) == ("v1", "Node", None)
    assert isinstance(note(Pod(), "R", "m", "Warning"), Note)


def test_what_was_said_before_is_not_said_again() -> None:
    pod = Pod.model_validate({"metadata": {"name": "p", "namespace": "default", "uid": "u"}})
    first, second = note(pod, "Waits", "for a"), note(pod, "Waits", "for b")
    plan, told = without_repeats(Plan((first, second), 3.0), frozenset())
    assert plan == Plan((first, second), 3.0)
    plan, told = without_repeats(Plan((second,)), told)
    assert plan.actions == ()
    plan, _ = without_repeats(Plan((first,)), told)
    assert plan.actions == (first,), "what was true once more in between is news again"
