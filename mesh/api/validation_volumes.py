"""What is wrong with the volumes of a pod, and with how its containers mount them?"""

from collections.abc import Callable, Iterator
from typing import Any

from mesh.api.errors import Cause, invalid, not_supported, required
from mesh.api.validation_names import quantity

Json = dict[str, Any]
_HOST_TYPES = ["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"]
_LARGEST_MODE = 0o777
_OBJECT = "an object is needed here"


def source_causes(volume: Json, path: str) -> Iterator[Cause]:
    """Everything wrong with what a volume is made of."""
    for kind, check in _CHECKS.items():
        if kind in volume:
            yield from _object(volume[kind], f"{path}.{kind}", check)


def mount_causes(container: Json, path: str) -> Iterator[Cause]:
    """Everything wrong with a container's volumeMounts, taken one by one."""
    taken: set[str] = set()
    mounts = container.get("volumeMounts")
    for index, mount in enumerate(mounts if isinstance(mounts, list) else ()):
        where = f"{path}.volumeMounts[{index}]"
        if not isinstance(mount, dict):
            continue
        place = mount.get("mountPath")
        if isinstance(place, str) and place:
            if place in taken:
                yield invalid(f"{where}.mountPath", place, "must be unique")
            if "\0" in place:
                yield invalid(f"{where}.mountPath", place, "must not hold a NUL")
            taken.add(place)
        for field in ("subPath", "subPathExpr"):
            yield from _relative(mount.get(field), f"{where}.{field}")
        if mount.get("subPath") and mount.get("subPathExpr"):
            yield invalid(
                f"{where}.subPathExpr", mount["subPathExpr"], "subPathExpr and subPath are mutually exclusive"
            )


def resource_causes(reference: Any, path: str) -> Iterator[Cause]:
    """Everything wrong with a resourceFieldRef."""

    def check(given: Json, where: str) -> Iterator[Cause]:
        if not given.get("resource"):
            yield required(f"{where}.resource")
        if "divisor" in given and (wrong := quantity(given["divisor"])):
            yield invalid(f"{where}.divisor", given["divisor"], wrong)

    yield from _object(reference, path, check)


def _object(value: Any, path: str, check: Callable[[Json, str], Iterator[Cause]]) -> Iterator[Cause]:
    if isinstance(value, dict):
        yield from check(value, path)
    elif value is not None:
        yield invalid(path, value, _OBJECT)


def _each(value: Any, path: str, check: Callable[[Json, str], Iterator[Cause]]) -> Iterator[Cause]:
    if value is None:
        return
    if not isinstance(value, list):
        yield invalid(path, value, "a list is needed here")
        return
    for index, item in enumerate(value):
        yield from _object({} if item is None else item, f"{path}[{index}]", check)


def _empty_dir(given: Json, path: str) -> Iterator[Cause]:
    limit = given.get("sizeLimit")
    if limit is None:
        return
    if wrong := quantity(limit):
        yield invalid(f"{path}.sizeLimit", limit, wrong)
    elif str(limit).startswith("-"):
        yield invalid(f"{path}.sizeLimit", limit, "must be greater than or equal to 0")


def _host_path(given: Json, path: str) -> Iterator[Cause]:
    place, kind = given.get("path"), given.get("type")
    if not isinstance(place, str) or not place:
        yield required(f"{path}.path")
    elif ".." in place.split("/"):
        yield invalid(f"{path}.path", place, "must not contain '..'")
    if kind is not None and kind not in _HOST_TYPES:
        yield not_supported(f"{path}.type", kind, _HOST_TYPES[1:])


def _claim(given: Json, path: str) -> Iterator[Cause]:
    if not given.get("claimName"):
        yield required(f"{path}.claimName")


def _config_map(given: Json, path: str) -> Iterator[Cause]:
    if not given.get("name"):
        yield required(f"{path}.name")
    yield from _keys(given, path)


def _secret(given: Json, path: str) -> Iterator[Cause]:
    if not given.get("secretName"):
        yield required(f"{path}.secretName")
    yield from _keys(given, path)


def _keys(given: Json, path: str) -> Iterator[Cause]:
    yield from _mode(given, path, "defaultMode")
    yield from _each(given.get("items"), f"{path}.items", _key)


def _key(item: Json, path: str) -> Iterator[Cause]:
    if not item.get("key"):
        yield required(f"{path}.key")
    yield from _file(item, path)


def _downward(given: Json, path: str) -> Iterator[Cause]:
    yield from _mode(given, path, "defaultMode")
    yield from _each(given.get("items"), f"{path}.items", _fact)


def _fact(item: Json, path: str) -> Iterator[Cause]:
    yield from _file(item, path)
    if not item.get("fieldRef") and not item.get("resourceFieldRef"):
        yield required(path, "one of fieldRef and resourceFieldRef is needed")
    yield from _object(item.get("fieldRef"), f"{path}.fieldRef", lambda given, where: iter(()))
    if item.get("resourceFieldRef"):
        yield from resource_causes(item["resourceFieldRef"], f"{path}.resourceFieldRef")


def _projected(given: Json, path: str) -> Iterator[Cause]:
    yield from _mode(given, path, "defaultMode")
    yield from _each(given.get("sources"), f"{path}.sources", _source)


def _source(given: Json, path: str) -> Iterator[Cause]:
    for kind, check in (("configMap", _config_map), ("secret", _projected_secret), ("downwardAPI", _downward)):
        yield from _object(given.get(kind), f"{path}.{kind}", check)


def _projected_secret(given: Json, path: str) -> Iterator[Cause]:
    if not given.get("name"):
        yield required(f"{path}.name")
    yield from _keys(given, path)


def _file(item: Json, path: str) -> Iterator[Cause]:
    if not item.get("path"):
        yield required(f"{path}.path")
    yield from _relative(item.get("path"), f"{path}.path")
    yield from _mode(item, path, "mode")


def _relative(value: Any, path: str) -> Iterator[Cause]:
    if value is None or value == "":
        return
    if not isinstance(value, str):
        yield invalid(path, value, "text is needed here")
    elif value.startswith("/"):
        yield invalid(path, value, "must be a relative path")
    elif ".." in value.split("/") or "\0" in value:
        yield invalid(path, value, "must not contain '..'")


def _mode(given: Json, path: str, field: str) -> Iterator[Cause]:
    mode = given.get(field)
    if mode is None:
        return
    if isinstance(mode, bool) or not isinstance(mode, int) or not 0 <= mode <= _LARGEST_MODE:
        yield invalid(f"{path}.{field}", mode, "must be a number between 0 and 0777 (octal), both inclusive")


_CHECKS: dict[str, Callable[[Json, str], Iterator[Cause]]] = {
    "emptyDir": _empty_dir,
    "hostPath": _host_path,
    "persistentVolumeClaim": _claim,
    "configMap": _config_map,
    "secret": _secret,
    "downwardAPI": _downward,
    "projected": _projected,
}
