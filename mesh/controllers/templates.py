"""Which pods does a template make, and when are two templates the same?"""

import random

import orjson
import xxhash

from mesh.api.core import Pod, PodTemplateSpec
from mesh.api.meta import Object, ObjectMeta
from mesh.controllers.facts import controller_reference

HASH_LABEL = "pod-template-hash"
REVISION_LABEL = "controller-revision-hash"
SAFE = "bcdfghjklmnpqrstvwxz2456789"
SUFFIX_LENGTH = 5
# A name is at most 63 characters where it also serves as a label or hostname.
MAX_GENERATED = 63 - SUFFIX_LENGTH


def canonical(template: PodTemplateSpec) -> bytes:
    """The template as bytes that are equal exactly when it is, whatever labels controllers added to it."""
    data = template.model_dump(by_alias=True, exclude_none=True)
    labels = data.get("metadata", {}).get("labels", {})
    for label in (HASH_LABEL, REVISION_LABEL):
        labels.pop(label, None)
    data.get("metadata", {}).pop("creationTimestamp", None)
    if not labels:
        data.get("metadata", {}).pop("labels", None)
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS)


def safe_hash(content: bytes, salt: int | None = None) -> str:
    """At most ten characters of Kubernetes' safe alphabet (no vowels, so no words). salt: collisionCount."""
    seed = 0 if salt is None else salt + 1
    return "".join(SAFE[int(digit)] for digit in str(xxhash.xxh32_intdigest(content, seed)))


def suffix(rng: random.Random) -> str:
    """Five random characters, as generated names have them."""
    return "".join(rng.choices(SAFE, k=SUFFIX_LENGTH))


def generated_name(base: str, rng: random.Random) -> str:
    """A name made from `base`, cut so that the whole fits a label."""
    return base[:MAX_GENERATED] + suffix(rng)


def pod_from(template: PodTemplateSpec, owner: Object, name: str, generate_name: str | None = None) -> Pod:
    """A pod of `owner`. Its spec is the template's own object: it is written, never changed."""
    meta = template.metadata
    return Pod(
        metadata=ObjectMeta(
            name=name,
            generate_name=generate_name,
            namespace=owner.namespace,
            labels=dict(meta.labels) if meta.labels else None,
            annotations=dict(meta.annotations) if meta.annotations else None,
            owner_references=[controller_reference(owner)],
        ),
        spec=template.spec,
    )
