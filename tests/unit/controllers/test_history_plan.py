"""Which revision is present, and which may be forgotten?"""

from typing import Any

import pytest

from mesh.api.workloads import ControllerRevision, DaemonSet, StatefulSet
from mesh.controllers.actions import Create, Patch
from mesh.controllers.history_plan import data_of, plan_forgetting, plan_history, template_of


def template(image: str) -> dict[str, Any]:
    return {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "c", "image": image}]}}


def owner(image: str = "v2", *, collisions: int = 0, limit: int | None = None) -> StatefulSet:
    return StatefulSet.model_validate(
        {
            "metadata": {"name": "db", "namespace": "default", "uid": "db", "annotations": {"why": "because"}},
            "spec": {"template": template(image), "revisionHistoryLimit": limit},
            "status": {"collisionCount": collisions},
        }
    )


def revision(number: int, image: str, **metadata: Any) -> ControllerRevision:
    data = {"spec": {"template": {"$patch": "replace", **template(image)}}}
    meta = {"name": f"db-{image}", "namespace": "default", "uid": f"u{number}", **metadata}
    return ControllerRevision.model_validate({"metadata": meta, "data": data, "revision": number})


@pytest.mark.parametrize(
    ("stored", "number", "written"),
    [
        pytest.param([], 1, Create, id="the-first"),
        pytest.param([revision(1, "v1")], 2, Create, id="a-new-one"),
        pytest.param([revision(1, "v1"), revision(2, "v2")], 2, None, id="the-present-one"),
        pytest.param([revision(1, "v2"), revision(2, "v1")], 3, Patch, id="an-old-one-again"),
        pytest.param([revision(1, "v2", deletionTimestamp="then")], 1, Create, id="one-that-goes-does-not-count"),
    ],
)
def test_the_present_revision(stored: list[ControllerRevision], number: int, written: type | None) -> None:
    history = plan_history(owner(), stored)
    assert (type(history.write) if history.write else None) is written
    wanted = history.write.patch["revision"] if isinstance(history.write, Patch) else history.present.revision
    assert wanted == number
    assert history.known[history.present.name] is history.present


def test_a_new_revision_says_whose_it_is_and_why() -> None:
    made = plan_history(owner(), []).present
    assert made.metadata.annotation_map == {"why": "because"}
    assert made.metadata.label_map["app"] == "db"
    assert made.name == f"db-{made.metadata.label_map['controller.kubernetes.io/hash']}"
    assert made.metadata.controller is not None
    assert made.metadata.controller.uid == "db"


def test_a_collision_gives_another_name() -> None:
    names = {plan_history(owner(collisions=count), []).present.name for count in range(4)}
    assert len(names) == 4


def test_a_name_of_our_own_with_another_template_is_not_taken_twice() -> None:
    name = plan_history(owner(), []).present.name
    taken = revision(1, "v1", name=name)
    assert plan_history(owner(), [taken]).present.name != name


def test_a_daemon_sets_revision_carries_the_label_of_its_pods() -> None:
    daemon_set = DaemonSet.model_validate({"metadata": {"name": "a", "uid": "a"}, "spec": {"template": template("v1")}})
    labels = plan_history(daemon_set, []).present.metadata.label_map
    assert labels["controller-revision-hash"] == labels["controller.kubernetes.io/hash"]


def test_a_template_comes_back_as_it_went() -> None:
    spec = owner().spec.template
    assert template_of(ControllerRevision(data=data_of(spec))) == spec
    assert template_of(ControllerRevision(data={"spec": "nonsense"})).spec.containers == []


@pytest.mark.parametrize(
    ("limit", "in_use", "forgotten"),
    [
        pytest.param(None, set(), [], id="ten-are-kept"),
        pytest.param(2, set(), ["db-v1", "db-v2"], id="the-oldest-go"),
        pytest.param(0, {"db-v1", "db-v4"}, ["db-v2", "db-v3"], id="what-is-used-stays"),
        pytest.param(1, {"db-v4", "db-v3"}, ["db-v1"], id="what-is-used-does-not-count"),
    ],
)
def test_forgetting(limit: int | None, in_use: set[str], forgotten: list[str]) -> None:
    stored = [revision(number, f"v{number}") for number in (3, 1, 4, 2)]
    assert [action.key[1] for action in plan_forgetting(owner(limit=limit), stored, in_use)] == forgotten
