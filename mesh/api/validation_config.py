"""What is wrong with a ConfigMap, a Secret or a ResourceQuota?"""

import base64
import binascii
import re
from typing import Any

from mesh.api.errors import Cause, forbidden, invalid, required
from mesh.api.validation_names import quantity

Json = dict[str, Any]
LARGEST_BYTES = 1024 * 1024
_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_LONGEST_KEY = 253
# What a Secret of that type must hold.
_REQUIRED_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def config_map_causes(obj: Json) -> list[Cause]:
    """Everything wrong with a ConfigMap."""
    data, binary = _map(obj.get("data")), _map(obj.get("binaryData"))
    found = [*_keys(data, "data"), *_keys(binary, "binaryData"), *_base64(binary, "binaryData")]
    found += [invalid(f"data[{key}]", key, "is in binaryData as well") for key in data if key in binary]
    return found + _size([*data.values(), *binary.values()], "data")


def secret_causes(obj: Json) -> list[Cause]:
    """Everything wrong with a Secret."""
    data = _map(obj.get("data"))
    found = [*_keys(data, "data"), *_base64(data, "data"), *_size(list(data.values()), "data")]
    wanted = _REQUIRED_KEYS.get(str(obj.get("type")), ())
    return found + [
        required(f"data[{key}]", f"a Secret of type {obj['type']} holds it") for key in wanted if key not in data
    ]


def config_update_causes(obj: Json, old: Json) -> list[Cause]:
    """What was declared immutable stays, and a Secret keeps its type."""
    found = []
    if obj.get("type") != old.get("type"):
        found.append(invalid("type", obj.get("type"), "field is immutable"))
    if old.get("immutable"):
        if not obj.get("immutable"):
            found.append(forbidden("immutable", "field is immutable when `immutable` is set"))
        found += [
            forbidden(field, "field is immutable when `immutable` is set")
            for field in ("data", "binaryData")
            if obj.get(field) != old.get(field)
        ]
    return found


def quota_causes(obj: Json) -> list[Cause]:
    """Everything wrong with a ResourceQuota."""
    hard = _map((obj.get("spec") or {}).get("hard") if isinstance(obj.get("spec"), dict) else None)
    return [invalid(f"spec.hard[{key}]", value, wrong) for key, value in hard.items() if (wrong := quantity(value))]


def _map(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _keys(data: Json, path: str) -> list[Cause]:
    wrong = "a key is letters, digits, '-', '_' and '.', at most 253 of them (like 'app.properties')"
    return [
        invalid(f"{path}[{key}]", key, wrong)
        for key in data
        if not _KEY.fullmatch(key) or len(key) > _LONGEST_KEY or key in (".", "..")
    ]


def _base64(data: Json, path: str) -> list[Cause]:
    found = []
    for key, value in data.items():
        if not isinstance(value, str):
            continue
        try:
            base64.b64decode("".join(value.split()), validate=True)
        except (binascii.Error, ValueError):
            found.append(invalid(f"{path}[{key}]", value[:32], "must be base64 text; plain text goes under stringData"))
    return found


def _size(values: list[Any], path: str) -> list[Cause]:
    size = sum(len(value) for value in values if isinstance(value, str))
    if size <= LARGEST_BYTES:
        return []
    return [Cause(path, f"Too long: may have {LARGEST_BYTES} bytes together, these have {size}", "FieldValueTooLong")]
