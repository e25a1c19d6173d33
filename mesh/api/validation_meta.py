"""What is wrong with an object's name, labels and annotations?"""

from typing import Any

from mesh.api.errors import Cause, invalid, not_supported, required
from mesh.api.scheme import Kind
from mesh.api.validation_names import dns_label, dns_label_1035, dns_subdomain, label_value, qualified_name

Json = dict[str, Any]
_MOST_ANNOTATION_BYTES = 256 * 1024
_OPERATORS = ["In", "NotIn", "Exists", "DoesNotExist"]
_NAME_RULES = {"Namespace": dns_label, "Service": dns_label_1035}


def meta_causes(kind: Kind, meta: Json) -> list[Cause]:
    """Everything wrong with the metadata."""
    found: list[Cause] = []
    rule = _NAME_RULES.get(kind.kind, dns_subdomain)
    name, base = meta.get("name"), meta.get("generateName")
    if isinstance(name, str) and (wrong := rule(name)):
        found.append(invalid("metadata.name", name, wrong))
    # A base may end in '-': the random part follows.
    if isinstance(base, str) and base and (wrong := rule(base.rstrip("-"))) and not base.endswith("--"):
        found.append(invalid("metadata.generateName", base, wrong))
    found += label_causes(meta.get("labels"), "metadata.labels")
    found += _annotations(meta.get("annotations"))
    for index, owner in enumerate(meta.get("ownerReferences") or ()):
        if isinstance(owner, dict):
            where = f"metadata.ownerReferences[{index}]"
            found += [required(f"{where}.{f}") for f in ("apiVersion", "kind", "name", "uid") if not owner.get(f)]
    for index, finalizer in enumerate(meta.get("finalizers") or ()):
        if isinstance(finalizer, str) and (wrong := qualified_name(finalizer)):
            found.append(invalid(f"metadata.finalizers[{index}]", finalizer, wrong))
    return found


def label_causes(labels: Any, path: str) -> list[Cause]:
    """Everything wrong with a map of labels."""
    if not isinstance(labels, dict):
        return []
    found = [invalid(path, key, wrong) for key in labels if (wrong := qualified_name(key))]
    for key, value in labels.items():
        if isinstance(value, str) and (wrong := label_value(value)):
            found.append(invalid(f"{path}[{key}]" if "/" in key or "." in key else f"{path}.{key}", value, wrong))
    return found


def selector_causes(selector: Any, path: str) -> list[Cause]:
    """Everything wrong with a LabelSelector."""
    if not isinstance(selector, dict):
        return []
    found = label_causes(selector.get("matchLabels"), f"{path}.matchLabels")
    for index, term in enumerate(selector.get("matchExpressions") or ()):
        if not isinstance(term, dict):
            continue
        where, operator, values = f"{path}.matchExpressions[{index}]", term.get("operator"), term.get("values")
        if operator not in _OPERATORS:
            found.append(not_supported(f"{where}.operator", operator, _OPERATORS))
        elif operator in ("In", "NotIn") and not values:
            found.append(required(f"{where}.values", f"must be given when operator is {operator}"))
        elif operator in ("Exists", "DoesNotExist") and values:
            found.append(invalid(f"{where}.values", values, f"may not be given when operator is {operator}"))
        if isinstance(key := term.get("key"), str) and (wrong := qualified_name(key)):
            found.append(invalid(f"{where}.key", key, wrong))
    return found


def _annotations(annotations: Any) -> list[Cause]:
    if not isinstance(annotations, dict):
        return []
    found = [
        invalid("metadata.annotations", key, wrong) for key in annotations if (wrong := qualified_name(key.lower()))
    ]
    size = sum(len(key) + len(value) for key, value in annotations.items() if isinstance(value, str))
    if size > _MOST_ANNOTATION_BYTES:
        reason = f"annotations together may have {_MOST_ANNOTATION_BYTES} bytes, these have {size}"
        found.append(Cause("metadata.annotations", f"Too long: {reason}", "FieldValueTooLong"))
    return found
