"""What does an object look like after a strategic merge patch?

Kubernetes' own patch type: lists of named things are merged element by element, and directives beside the data say
what a merge cannot: `$patch`, `$retainKeys`, `$setElementOrder/LIST`, `$deleteFromPrimitiveList/LIST`.

A merged list has the patch's elements in the patch's order, and among them those that only the server has, where the
live list had them; what the patch adds comes before what only the server has. A `$setElementOrder` orders likewise.
"""

from typing import Any

from mesh.api.errors import BadRequest
from mesh.apiserver.merge_keys import PLAIN, Shape

Json = dict[str, Any]
_ORDER, _DELETE_PRIMITIVE = "$setElementOrder/", "$deleteFromPrimitiveList/"


def merge(live: Json, patch: Json, shape: Shape = PLAIN) -> Json:
    """The patched object; neither argument is changed. Raises BadRequest for a patch that makes no sense."""
    directive = patch.get("$patch", "merge")
    if directive == "replace":
        return _cleaned(patch)
    if directive == "delete":
        return {}
    if directive != "merge":
        raise BadRequest(f'unknown $patch directive "{directive}": use merge, replace or delete')
    merged = dict(live)
    retained = patch.get("$retainKeys")
    if retained is not None:
        keep = set(_list_of(retained, "$retainKeys"))
        merged = {key: value for key, value in merged.items() if key in keep}
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _value(merged.get(key), value, shape.fields.get(key, PLAIN), patch, key)
    for key, value in patch.items():
        if key.startswith(_ORDER) and isinstance(merged.get(name := key[len(_ORDER) :]), list):
            before, order = live.get(name) or [], _list_of(value, key)
            merged[name] = _ordered(merged[name], before, order, shape.fields.get(name, PLAIN))
        elif key.startswith(_DELETE_PRIMITIVE) and isinstance(merged.get(name := key[len(_DELETE_PRIMITIVE) :]), list):
            gone = _list_of(value, key)
            merged[name] = [item for item in merged[name] if item not in gone or item in (patch.get(name) or ())]
    return merged


def _value(live: Any, value: Any, shape: Shape, patch: Json, key: str) -> Any:
    if isinstance(value, dict):
        if shape.replace:
            return _clean(value)
        return merge(live if isinstance(live, dict) else {}, value, shape)
    if not isinstance(value, list):
        return value
    if shape.primitive:
        had = live if isinstance(live, list) else []
        return _ordered([*_without(had, patch, key), *(item for item in value if item not in had)], had, value, shape)
    if shape.key is None:
        return _clean(value)
    return _merge_list(live if isinstance(live, list) else [], value, shape, key)


def _without(live: Any, patch: Json, key: str) -> list[Any]:
    gone = patch.get(_DELETE_PRIMITIVE + key) or ()
    return [item for item in live or () if item not in gone]


def _merge_list(live: list[Any], patch: list[Any], shape: Shape, field: str) -> list[Any]:
    key = shape.key or ""
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in patch):
        return [_clean(item) for item in patch if not (isinstance(item, dict) and item.get("$patch") == "replace")]
    merged, gone = list(live), []
    for item in patch:
        if not isinstance(item, dict):
            raise BadRequest(f"{field}: each element of a patched list must be an object with {key!r}")
        if key not in item:
            raise BadRequest(f"{field}: an element of the patch does not contain the declared merge key: {key}")
        where = [index for index, old in enumerate(merged) if isinstance(old, dict) and old.get(key) == item[key]]
        if item.get("$patch") == "delete":
            merged = [old for index, old in enumerate(merged) if index not in where]
            gone.append(item)
        elif where:
            merged[where[0]] = merge(merged[where[0]], item, shape)
        else:
            merged.append(merge({}, item, shape))
    return _ordered(merged, live, [item for item in patch if item not in gone], shape)


def _ordered(merged: list[Any], live: list[Any], order: list[Any], shape: Shape) -> list[Any]:
    """The elements in the wanted order; each that only the server has goes before the next one that it was before."""

    def identity(item: Any) -> Any:
        return item.get(shape.key) if shape.key is not None and isinstance(item, dict) else item

    wanted = [identity(item) for item in order]
    before = [identity(item) for item in live]
    named = sorted((item for item in merged if identity(item) in wanted), key=lambda item: wanted.index(identity(item)))
    others = [item for item in merged if identity(item) not in wanted]
    result: list[Any] = []
    while named and others:
        first, other = identity(named[0]), identity(others[0])
        was_before = first in before and other in before and before.index(other) < before.index(first)
        result.append((others if was_before else named).pop(0))
    return result + named + others


def _cleaned(value: Json) -> Json:
    return {key: _clean(item) for key, item in value.items() if item is not None and not key.startswith("$")}


def _clean(value: Any) -> Any:
    """The value without directives and nulls: what a patch leaves where nothing was before."""
    if isinstance(value, dict):
        return _cleaned(value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value


def _list_of(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadRequest(f"{name} must be a list")
    return value
