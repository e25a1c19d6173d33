"""Would the API server take these objects? Asked before a mesh is started, with the server's own rules."""

import copy
import random
from collections.abc import Iterable

from mesh.api import admission, conversion, defaults, validation
from mesh.api.errors import ApiError
from mesh.cli.apply import refusal
from mesh.cli.errors import UserError
from mesh.cli.manifests import Manifest

NO_TIME = "1970-01-01T00:00:00Z"


def judge(objects: Iterable[Manifest]) -> None:
    """Raise UserError with a line for each object that would be refused for itself alone."""
    refused = [line for line in map(complaint, objects) if line]
    if refused:
        raise UserError("\n".join(refused))


def complaint(manifest: Manifest) -> str | None:
    """What is wrong with one object, or None."""
    kind, version = manifest.kind, str(manifest.data["apiVersion"])
    try:
        obj = admission.without_nulls(conversion.to_home(kind, copy.deepcopy(manifest.data), version))
        namespace = str(obj["metadata"].get("namespace") or "default") if kind.namespaced else ""
        admission.check_identity(kind, obj, namespace)
        shape = validation.shape_causes(kind, obj)
        validation.refuse_if(kind, obj, shape, validation.needs_shape(shape))
        admission.prepare_create(kind, obj, NO_TIME, random.Random(0))
        defaults.apply(kind, obj, version)
        validation.refuse_if(kind, obj, [*shape, *validation.create_causes(kind, obj)])
    except ApiError as error:
        return refusal(manifest, error)
    return None
