"""Who is taken, and who is let go?"""

from typing import Any

from mesh.api.core import Pod
from mesh.api.selectors import EVERYTHING, from_labels
from mesh.api.workloads import ReplicaSet
from mesh.controllers.ownership import plan_claims

WEB = from_labels({"app": "web"})


def owner(**metadata: Any) -> ReplicaSet:
    return ReplicaSet.model_validate({"metadata": {"name": "rs", "namespace": "default", "uid": "rs", **metadata}})


def pod(name: str, app: str, **metadata: Any) -> Pod:
    base = {"name": name, "namespace": "default", "labels": {"app": app}, "resourceVersion": "9"}
    return Pod.model_validate({"metadata": {**base, **metadata}})


MINE = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": "rs", "controller": True}]


def test_orphans_are_adopted_at_the_version_that_was_seen() -> None:
    (patch,) = plan_claims(owner(), WEB, [], [pod("a", "web")])
    assert patch.patch["metadata"]["resourceVersion"] == "9"
    (reference,) = patch.patch["metadata"]["ownerReferences"]
    assert (reference["uid"], reference["controller"], reference["blockOwnerDeletion"]) == ("rs", True, True)


def test_those_who_left_the_selector_are_released() -> None:
    kept, left = pod("a", "web", ownerReferences=MINE), pod("b", "debug", ownerReferences=MINE)
    (patch,) = plan_claims(owner(), WEB, [kept, left], [])
    assert (patch.key, patch.patch["metadata"]["ownerReferences"]) == (("default", "b"), None)


def test_nothing_is_claimed_by_who_goes_or_selects_everything() -> None:
    going = owner(deletionTimestamp="2026-01-01T00:00:00Z")
    assert plan_claims(going, WEB, [pod("b", "debug", ownerReferences=MINE)], [pod("a", "web")]) == []
    assert plan_claims(owner(), EVERYTHING, [], [pod("a", "web")]) == []
    leaving = pod("a", "web", deletionTimestamp="2026-01-01T00:00:00Z")
    assert plan_claims(owner(), WEB, [], [leaving]) == []
