"""When are two templates the same, and what are their pods called?"""

import random

import pytest

from mesh.api.core import Pod, PodTemplateSpec
from mesh.api.workloads import ReplicaSet
from mesh.controllers.templates import SAFE, canonical, generated_name, pod_from, safe_hash

TEMPLATE = {
    "metadata": {"labels": {"app": "web"}, "annotations": {"a": "b"}},
    "spec": {"containers": [{"name": "c", "image": "v1", "unknownField": 1}]},
}


def template(**labels: str) -> PodTemplateSpec:
    return PodTemplateSpec.model_validate({**TEMPLATE, "metadata": {"labels": {"app": "web", **labels}}})


@pytest.mark.parametrize("label", ["pod-template-hash", "controller-revision-hash"])
def test_labels_of_controllers_make_no_difference(label: str) -> None:
    assert canonical(template()) == canonical(template(**{label: "x"}))


def test_everything_else_does() -> None:
    other = PodTemplateSpec.model_validate(TEMPLATE)
    other.spec.containers[0].image = "v2"
    unknown = PodTemplateSpec.model_validate(TEMPLATE)
    unknown.spec.containers[0].model_extra["unknownField"] = 2  # type: ignore[index]
    texts = {
        canonical(t) for t in (template(), template(v="2"), other, unknown, PodTemplateSpec.model_validate(TEMPLATE))
    }
    assert len(texts) == 5


def test_hashes_are_short_stable_and_safe() -> None:
    digest = safe_hash(canonical(template()))
    assert digest == safe_hash(canonical(template()))
    assert len(digest) <= 10
    assert set(digest) <= set(SAFE)
    assert len({safe_hash(b"x"), safe_hash(b"x", 1), safe_hash(b"x", 2)}) == 3


def test_generated_names_fit_a_label() -> None:
    name = generated_name("w" * 80, random.Random(1))
    assert len(name) == 63
    assert generated_name("web-", random.Random(1)).startswith("web-")


def test_a_pod_is_the_templates_and_the_owners() -> None:
    owner = ReplicaSet.model_validate({"metadata": {"name": "rs", "namespace": "lab", "uid": "u"}})
    source = PodTemplateSpec.model_validate(TEMPLATE)
    pod: Pod = pod_from(source, owner, "rs-1", "rs-")
    assert (pod.name, pod.namespace, pod.metadata.generate_name) == ("rs-1", "lab", "rs-")
    assert (pod.metadata.labels, pod.metadata.annotations) == ({"app": "web"}, {"a": "b"})
    assert pod.metadata.labels is not source.metadata.labels
    assert pod.metadata.controller is not None
    assert pod.metadata.controller.uid == "u"
