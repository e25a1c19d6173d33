"""What do all objects have in common?

Every kind is a pydantic model whose attributes are snake_case and whose JSON is Kubernetes' camelCase. Unknown
fields are kept (`extra="allow"`), so reading and writing an object back never loses what a user wrote.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """A part of an object. Mutable; equality is by value."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow", defer_build=True)


class OwnerReference(Model):
    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(Model):
    name: str = ""
    generate_name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    generation: int | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[OwnerReference] | None = None
    finalizers: list[str] | None = None

    @property
    def label_map(self) -> dict[str, str]:
        """The labels, never None."""
        return self.labels or {}

    @property
    def annotation_map(self) -> dict[str, str]:
        """The annotations, never None."""
        return self.annotations or {}

    @property
    def controller(self) -> OwnerReference | None:
        """The owner that manages this object, if any."""
        return next((ref for ref in self.owner_references or () if ref.controller), None)


class Object(Model):
    """A whole object: what has a name and a version."""

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """The namespace, empty for cluster-scoped kinds."""
        return self.metadata.namespace or ""

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name): what caches and queues use."""
        return (self.metadata.namespace or "", self.metadata.name)


class Condition(Model):
    type: str
    status: str = "Unknown"
    reason: str | None = None
    message: str | None = None
    last_transition_time: str | None = None
    last_update_time: str | None = None
    observed_generation: int | None = None


class LabelSelectorRequirement(Model):
    key: str
    operator: str
    values: list[str] | None = None


class LabelSelector(Model):
    match_labels: dict[str, str] | None = None
    match_expressions: list[LabelSelectorRequirement] | None = None


class ObjectReference(Model):
    api_version: str | None = None
    kind: str | None = None
    namespace: str | None = None
    name: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    field_path: str | None = None


IntOrString = int | str
Raw = dict[str, Any]
