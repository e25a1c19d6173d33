"""What is wrong with a CustomResourceDefinition?"""

from typing import Any

from mesh.api import scheme
from mesh.api.errors import Cause, invalid, not_supported, required
from mesh.api.validation_names import dns_label_1035, dns_subdomain

Json = dict[str, Any]
_SCOPES = ["Cluster", "Namespaced"]


def definition_causes(obj: Json) -> list[Cause]:
    """Everything wrong with a definition."""
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        return [required("spec")]
    names = spec.get("names") if isinstance(spec.get("names"), dict) else {}
    assert isinstance(names, dict)
    group, plural, kind = spec.get("group"), names.get("plural"), names.get("kind")
    found = []
    if not isinstance(group, str) or not group or dns_subdomain(group) or "." not in group:
        found.append(invalid("spec.group", group, "must be a DNS name with a dot (like 'example.com')"))
    if spec.get("scope") not in _SCOPES:
        found.append(not_supported("spec.scope", spec.get("scope"), _SCOPES))
    for field, value in (("plural", plural), ("kind", kind)):
        if not isinstance(value, str) or not value or dns_label_1035(value.lower()):
            found.append(invalid(f"spec.names.{field}", value, "must be a DNS label that begins with a letter"))
    if isinstance(plural, str) and plural != plural.lower():
        found.append(invalid("spec.names.plural", plural, "must be in lower case"))
    if obj["metadata"].get("name") != f"{plural}.{group}":
        wrong = f"must be spec.names.plural+'.'+spec.group, {plural}.{group}"
        found.append(invalid("metadata.name", obj["metadata"].get("name"), wrong))
    if any(kind == row.kind for row in scheme.KINDS):
        found.append(invalid("spec.names.kind", kind, "is the name of a kind that is built in here; choose another"))
    if any((group, plural) == (row.group, row.plural) for row in scheme.KINDS):
        found.append(invalid("spec.names.plural", plural, "is built in here"))
    return found + _versions(spec.get("versions"))


def definition_update_causes(obj: Json, old: Json) -> list[Cause]:
    """Group, scope and names are fixed: objects are stored under them."""
    new, had = obj.get("spec") or {}, old.get("spec") or {}
    found = [
        invalid(f"spec.{field}", new.get(field), "field is immutable")
        for field in ("group", "scope")
        if new.get(field) != had.get(field)
    ]
    names, had_names = new.get("names") or {}, had.get("names") or {}
    return found + [
        invalid(f"spec.names.{field}", names.get(field), "field is immutable")
        for field in ("plural", "kind")
        if names.get(field) != had_names.get(field)
    ]


def _versions(versions: Any) -> list[Cause]:
    if not isinstance(versions, list) or not versions:
        return [required("spec.versions", "must have exactly one version marked as storage version")]
    rows = [version for version in versions if isinstance(version, dict)]
    found = [
        invalid(f"spec.versions[{index}].name", row.get("name"), "must be a DNS label (like 'v1')")
        for index, row in enumerate(rows)
        if not isinstance(row.get("name"), str) or dns_label_1035(row["name"])
    ]
    if len({str(row.get("name")) for row in rows}) != len(rows):
        found.append(invalid("spec.versions", len(rows), "must contain unique version names"))
    if sum(row.get("storage") is True for row in rows) != 1:
        found.append(invalid("spec.versions", len(rows), "must have exactly one version marked as storage version"))
    return found
