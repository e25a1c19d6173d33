"""What do a pod's claims have against the nodes?"""

from typing import Any

import pytest

from mesh.api.core import Node
from mesh.api.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from mesh.controllers.actions import Patch
from mesh.controllers.volume_scheduling import (
    AFFINITY,
    NONE_THERE,
    ONE_POD,
    UNBOUND,
    Wanted,
    settle,
    waits,
    weigh,
)
from tests.unit.controllers import storage

DONE = {"pv.kubernetes.io/bind-completed": "yes"}
NODES = [
    Node.model_validate({"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "zone": zone}}})
    for name, zone in (("n1", "a"), ("n2", "b"))
]


def made(**fields: Any) -> StorageClass:
    return StorageClass.model_validate(storage.storage_class("s", volumeBindingMode="WaitForFirstConsumer", **fields))


LATE, LOCAL = made(), made(provisioner="kubernetes.io/no-provisioner")
SOON = StorageClass.model_validate(storage.storage_class("s"))
IN_B = made(allowedTopologies=[{"matchLabelExpressions": [{"key": "zone", "values": ["b"]}]}])


def volume(name: str = "v", **fields: Any) -> PersistentVolume:
    return PersistentVolume.model_validate(storage.volume(name, storageClassName="s", **fields))


def claim(*, bound: bool = False, going: bool = False, phase: str = "Pending", **spec: Any) -> PersistentVolumeClaim:
    data = storage.claim(storageClassName="s", **({"volumeName": "v"} if bound else {}), **spec)
    data["metadata"] |= {"namespace": "default", "uid": "u1", "annotations": DONE if bound else {}}
    if going:
        data["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    data["status"] = {"phase": "Bound" if bound and phase == "Pending" else phase}
    return PersistentVolumeClaim.model_validate(data)


def wanted(of: PersistentVolumeClaim | None = None, **fields: Any) -> Wanted:
    return Wanted(name="data", claim=of, **fields)


@pytest.mark.parametrize(
    ("given", "blocked"),
    [
        pytest.param(wanted(), 'persistentvolumeclaim "data" not found', id="none"),
        pytest.param(wanted(claim(), storage_class=SOON), UNBOUND, id="unbound"),
        pytest.param(wanted(claim()), UNBOUND, id="unknown-class"),
        pytest.param(wanted(claim(bound=True, going=True)), 'persistentvolumeclaim "data" is being deleted', id="going"),
        pytest.param(wanted(claim(bound=True, phase="Lost")),
                     'persistentvolumeclaim "data" bound to non-existent persistentvolume "v"', id="lost"),
        pytest.param(wanted(claim(), storage_class=LATE), None, id="late"),
        pytest.param(wanted(claim(bound=True), volume=volume()), None, id="bound"),
    ],
)  # fmt: skip
def test_blocked(given: Wanted, blocked: str | None) -> None:
    assert weigh([given], NODES, []).blocked == blocked


@pytest.mark.parametrize(
    ("given", "volumes", "obstacles"),
    [
        pytest.param(wanted(claim(bound=True), volume=volume()), [], {}, id="reached-everywhere"),
        pytest.param(wanted(claim(bound=True), volume=volume(node="n2")), [], {"n1": AFFINITY}, id="on-another-node"),
        pytest.param(wanted(claim(bound=True, accessModes=["ReadWriteOncePod"]), volume=volume(), others=1), [],
                     {"n1": ONE_POD, "n2": ONE_POD}, id="one-pod"),
        pytest.param(wanted(claim(bound=True), volume=volume(), others=3), [], {}, id="once-is-not-one-pod"),
        pytest.param(wanted(claim(), storage_class=LATE), [], {}, id="can-be-made-anywhere"),
        pytest.param(wanted(claim(), storage_class=IN_B), [], {"n1": NONE_THERE}, id="can-be-made-in-one-zone"),
        pytest.param(wanted(claim(), storage_class=LOCAL), [], {"n1": NONE_THERE, "n2": NONE_THERE}, id="none-left"),
        pytest.param(wanted(claim(), storage_class=LOCAL), [volume(node="n2")], {"n1": NONE_THERE}, id="one-is-left"),
    ],
)  # fmt: skip
def test_obstacles(given: Wanted, volumes: list[PersistentVolume], obstacles: dict[str, str]) -> None:
    assert weigh([given], NODES, volumes).obstacles == obstacles


def test_the_first_reason_of_a_node_counts() -> None:
    first = wanted(claim(bound=True), volume=volume(node="n2"))
    second = wanted(claim(), storage_class=LOCAL)
    assert weigh([first, second], NODES, []).obstacles == {"n1": AFFINITY, "n2": NONE_THERE}


@pytest.mark.parametrize(
    ("volumes", "kind", "name", "part"),
    [
        pytest.param(
            [volume("w", node="n2"), volume("v", node="n1")], PersistentVolume, "v", "claimRef", id="hand-made"
        ),
        pytest.param([volume("w", node="n2")], PersistentVolumeClaim, "data", None, id="to-be-made"),
    ],
)
def test_what_is_written_before_the_pod_is_bound(
    volumes: list[PersistentVolume], kind: type, name: str, part: str | None
) -> None:
    given = [wanted(claim(), storage_class=LATE)]
    assert waits(given)
    (action,) = settle(given, NODES[0], volumes)
    assert isinstance(action, Patch)
    assert (action.cls, action.key[1]) == (kind, name)
    if part is None:
        assert action.patch["metadata"]["annotations"] == {"volume.kubernetes.io/selected-node": "n1"}
    else:
        assert action.patch["spec"][part]["uid"] == "u1"


def test_two_claims_of_a_pod_take_two_volumes() -> None:
    one, two = claim(), claim()
    two.metadata.name, two.metadata.uid = "logs", "u2"
    given = [wanted(one, storage_class=LOCAL), Wanted(name="logs", claim=two, storage_class=LOCAL)]
    taken = [
        action.key[1] for action in settle(given, NODES[0], [volume("v"), volume("w")]) if isinstance(action, Patch)
    ]
    assert taken == ["v", "w"]


def test_nothing_is_written_twice() -> None:
    asked = claim()
    asked.metadata.annotations = {"volume.kubernetes.io/selected-node": "n1"}
    assert settle([wanted(asked, storage_class=LATE)], NODES[0], []) == []
    assert not waits([wanted(claim(bound=True), volume=volume())])
