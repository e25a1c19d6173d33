"""Which change does a PATCH body describe?

Three languages: JSON merge patch (RFC 7386), JSON patch (RFC 6902) and Kubernetes' strategic merge. Each becomes one
function from the old object to the new; whether the new one may be is judged as for any other write.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import jsonpatch
import orjson

from mesh.api.errors import ApiError, BadRequest, TooLarge, UnsupportedMediaType
from mesh.api.scheme import Kind
from mesh.apiserver.bodies import LARGEST_BODY, check_levels
from mesh.apiserver.merge_keys import shape_of
from mesh.apiserver.strategic import merge as strategic_merge
from mesh.client.base import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH

Json = dict[str, Any]
Change = Callable[[Json], Json]
APPLY_PATCH = "application/apply-patch+yaml"
_MOST_OPERATIONS = 10_000


class Unprocessable(ApiError):
    """A JSON patch whose operations do not fit the object."""

    code, reason = 422, "Invalid"


def accepted_types(kind: Kind) -> tuple[str, ...]:
    """The content types that a PATCH of this kind may have."""
    types = (JSON_PATCH, MERGE_PATCH) if kind.custom else (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH)
    return (*types, APPLY_PATCH)


def apply_patch(kind: Kind, content_type: str, patch: Json | Sequence[Json]) -> Change:
    """The change that `patch` describes. Raises UnsupportedMediaType, BadRequest."""
    if content_type == APPLY_PATCH or content_type not in accepted_types(kind):
        raise UnsupportedMediaType(
            f"the body of the request was in an unknown format ({content_type or 'none'}) - "
            f"accepted media types include: {', '.join(accepted_types(kind))}"
        )
    if content_type == JSON_PATCH:
        return _json_patch(patch)
    if not isinstance(patch, dict):
        raise BadRequest("a merge patch must be an object")
    fixed = patch
    if content_type == STRATEGIC_PATCH:
        return lambda old: strategic_merge(old, fixed, shape_of(kind))
    return lambda old: merge(old, fixed)


def merge(old: Any, patch: Any) -> Any:
    """RFC 7386: objects are merged, null removes, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def _json_patch(patch: Any) -> Change:
    if not isinstance(patch, Sequence) or isinstance(patch, str) or not all(isinstance(op, dict) for op in patch):
        raise BadRequest("a JSON patch must be a list of operations")
    if len(patch) > _MOST_OPERATIONS:
        raise TooLarge(f"a JSON patch may have {_MOST_OPERATIONS} operations, this one has {len(patch)}")
    try:
        steps = [jsonpatch.JsonPatch([operation]) for operation in patch]
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError) as error:
        raise BadRequest(f"this is not a JSON patch: {error}") from error

    def change(old: Json) -> Json:
        try:
            new, copied = deepcopy(old), 0
            for operation, step in zip(patch, steps, strict=True):
                if operation.get("op") == "copy":
                    # Each copy may double the object: forty of them are a terabyte.
                    copied += len(orjson.dumps(jsonpatch.JsonPointer(operation.get("from")).resolve(new)))
                    if copied > LARGEST_BODY:
                        raise TooLarge(f"the patch copies more than {LARGEST_BODY} bytes")
                new = step.apply(new, in_place=True)
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError, KeyError) as error:
            raise Unprocessable(f"the patch does not fit the object: {error}") from error
        if not isinstance(new, dict):
            raise BadRequest("the patch replaces the whole object by something that is not an object")
        check_levels(new)
        return new

    return change
