"""Which fields does an object set, and how are they written down, compared, merged and removed?

A path is a tuple of steps as Kubernetes writes them in managedFields: `f:NAME` is a member of an object,
`k:{"name":"c"}` the element of a list with that key, `v:"x"` a plain value in a list.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from mesh.api.errors import BadRequest
from mesh.apiserver.apply_shapes import PIECES, Ownable

Json = dict[str, Any]
Path = tuple[str, ...]
Fields = frozenset[Path]


def leaves(value: Any, shape: Ownable, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every path that the value sets, with what stands there; for an element of a list, None.

    Raises BadRequest for lists whose elements can not be told apart.
    """
    if isinstance(value, dict) and value and not shape.whole:
        for key, item in value.items():
            yield from leaves(item, shape.fields.get(key, PIECES), (*path, f"f:{key}"))
    elif isinstance(value, list) and value and shape.keys:
        for step, item in _by_key(value, shape, path).items():
            yield (*path, step), None
            for key, inner in item.items():
                yield from leaves(inner, shape.fields.get(key, PIECES), (*path, step, f"f:{key}"))
    elif isinstance(value, list) and value and shape.plain_set:
        for item in value:
            yield (*path, f"v:{_text(item)}"), item
    elif path:
        yield path, value


def with_parents(paths: Iterable[Path]) -> set[Path]:
    """The paths and everything that they stand in."""
    return {path[:end] for path in paths for end in range(1, len(path) + 1)}


def merge(live: Any, applied: Any, shape: Ownable) -> Any:
    """The live value with everything that was applied; what was not mentioned stays."""
    if isinstance(live, dict) and isinstance(applied, dict) and not shape.whole:
        return live | {key: merge(live.get(key), item, shape.fields.get(key, PIECES)) for key, item in applied.items()}
    if isinstance(live, list) and isinstance(applied, list) and shape.plain_set:
        return [*live, *(item for item in applied if item not in live)]
    if isinstance(live, list) and isinstance(applied, list) and shape.keys:
        return _merge_lists(_by_key(live, shape, ()), _by_key(applied, shape, ()), shape)
    return applied


def remove(value: Any, paths: Iterable[Path], shape: Ownable) -> None:
    """Take the paths out of the value, in place; a path that is not there is gone already."""
    for path in paths:
        _remove(value, path, shape)


def to_v1(paths: Fields) -> Json:
    """The paths as managedFields shows them (fieldsV1)."""
    tree: Json = {}
    within = {path[:-1] for path in paths}
    for path in sorted(paths):
        inside = tree
        for step in path:
            inside = inside.setdefault(step, {})
        if path[-1][0] == "k" or path in within:
            inside["."] = {}
    return tree


def from_v1(tree: Any) -> Fields:
    """The paths in a fieldsV1 tree. Raises BadRequest when it is none."""
    return frozenset(_from_v1(tree, (), 0))


def shown(path: Path) -> str:
    """The path as people read it: `.spec.containers[name="c"].image`."""
    text = ""
    for step in path:
        kind, inside = step[0], step[2:]
        if kind == "f":
            text += f".{inside}"
        elif kind == "v":
            text += f"[={inside}]"
        else:
            text += "[" + ",".join(f"{key}={_text(item)}" for key, item in orjson.loads(inside).items()) + "]"
    return text


def _from_v1(tree: Any, path: Path, depth: int) -> Iterator[Path]:
    if not isinstance(tree, dict) or depth > 64:
        raise BadRequest("metadata.managedFields: fieldsV1 must be an object of objects")
    if path and (not tree or "." in tree):
        yield path
    for step, inner in tree.items():
        if step != ".":
            if step[:2] not in ("f:", "k:", "v:", "i:"):
                raise BadRequest(f'metadata.managedFields: "{step[:80]}" is no step of a fieldsV1 path')
            yield from _from_v1(inner, (*path, step), depth + 1)


def _by_key(items: list[Any], shape: Ownable, path: Path) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for position, item in enumerate(items):
        if not isinstance(item, dict):
            raise BadRequest(f"{shown(path)}[{position}]: an object is needed here")
        step = _step(item, shape, path, position)
        if step in found:
            raise BadRequest(f"{shown(path)}: duplicate entries for key {shown((step,))}")
        found[step] = item
    return found


def _step(item: Json, shape: Ownable, path: Path, position: int) -> str:
    key: Json = {}
    for word in shape.keys:
        name, _, default = word.partition("=")
        key[name] = item.get(name, default or None)
        if key[name] is None or isinstance(key[name], dict | list):
            raise BadRequest(f"{shown(path)}[{position}]: the element needs {name}, by which it is told apart")
    return f"k:{_text(key)}"


def _merge_lists(live: dict[str, Json], applied: dict[str, Json], shape: Ownable) -> list[Json]:
    """In the order that was applied; what only the server has keeps its place before its neighbour."""
    inside = Ownable(fields=shape.fields)
    waiting, merged = list(live), []
    for step, item in applied.items():
        if step in live:
            while waiting and waiting[0] != step and step in waiting:
                passed = waiting.pop(0)
                if passed not in applied:
                    merged.append(live[passed])
            if step in waiting:
                waiting.remove(step)
        merged.append(merge(live[step], item, inside) if step in live else item)
    return merged + [live[step] for step in waiting if step not in applied]


def _remove(value: Any, path: Path, shape: Ownable) -> None:
    for position, step in enumerate(path):
        last = position == len(path) - 1
        if step[0] == "f":
            name = step[2:]
            if not isinstance(value, dict) or name not in value:
                return
            if last:
                del value[name]
                return
            value, shape = value[name], shape.fields.get(name, PIECES)
            continue
        if not isinstance(value, list):
            return
        where = next((at for at, item in enumerate(value) if _is(item, step, shape)), None)
        if where is None:
            return
        if last:
            del value[where]
            return
        value, shape = value[where], Ownable(fields=shape.fields)


def _is(item: Any, step: str, shape: Ownable) -> bool:
    if step[0] == "v":
        return bool(_text(item) == step[2:])
    return isinstance(item, dict) and bool(shape.keys) and _step(item, shape, (), 0) == step


def _text(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
