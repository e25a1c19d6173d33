"""What if a stored object does not fit its model?

Objects are judged before they are stored, so it takes a state written by another version, or a mistake of ours. One
such object must not hide all others: it is logged by name and left out.
"""

import logging
from typing import Any, TypeVar

import orjson
from pydantic import ValidationError

from mesh.api.meta import Object

log = logging.getLogger("mesh.client")
T = TypeVar("T", bound=Object)


def read(cls: type[T], data: bytes | dict[str, Any]) -> T | None:
    """The object of that kind; None, and an error in the log, when the data does not fit."""
    try:
        return cls.model_validate_json(data) if isinstance(data, bytes) else cls.model_validate(data)
    except ValidationError as error:
        obj = orjson.loads(data) if isinstance(data, bytes) else data
        meta = obj.get("metadata") or {}
        first = error.errors(include_url=False, include_input=False)[0]
        log.error(
            "an object cannot be read and is left out kind=%s namespace=%s name=%s field=%s error=%s",
            cls.__name__,
            meta.get("namespace", ""),
            meta.get("name", ""),
            ".".join(str(step) for step in first["loc"]),
            first["msg"],
        )
        return None
