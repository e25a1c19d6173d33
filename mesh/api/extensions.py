"""What is a CustomResourceDefinition, and which kind does it bring?

A defined kind is stored and served from then on. Nothing here executes it.
"""

from typing import Any

from pydantic import Field

from mesh.api.meta import Model, Object, Raw

Json = dict[str, Any]


class CustomResourceNames(Model):
    plural: str
    kind: str
    singular: str | None = None
    list_kind: str | None = None
    short_names: list[str] | None = None
    categories: list[str] | None = None


class CustomResourceVersion(Model):
    name: str
    served: bool
    storage: bool
    subresources: Raw | None = None
    additional_printer_columns: list[Raw] | None = None


class CustomResourceDefinitionSpec(Model):
    group: str
    names: CustomResourceNames
    scope: str
    versions: list[CustomResourceVersion]


class CustomResourceDefinition(Object):
    spec: CustomResourceDefinitionSpec
    status: Raw | None = None


class CustomObject(Object):
    """An object of a defined kind; all but its metadata is the user's."""

    spec: Any = Field(default=None)
    status: Any = Field(default=None)


def accepted_status(crd: Json, now: str) -> Json:
    """The status of a definition that is served from now on."""
    spec = crd["spec"]
    return {
        "acceptedNames": spec["names"],
        "storedVersions": [version["name"] for version in spec["versions"] if version.get("storage")],
        "conditions": [
            {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now}
            for kind, reason, message in (
                ("NamesAccepted", "NoConflicts", "no conflicts found"),
                ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
            )
        ],
    }
