"""Which JSON does a request body hold?

Bounded in size and depth before anybody recurses into it. YAML is read with the safe loader and few aliases, so that a
small text cannot grow into a large object.
"""

from collections.abc import Iterable
from typing import Any

import orjson

from mesh.api.errors import BadRequest, TooLarge, UnsupportedMediaType
from mesh.apiserver import protobuf

LARGEST_BODY = 3 * 1024 * 1024
_DEEPEST = 100
_MOST_ALIASES = 32
_PROTOBUF = "application/vnd.kubernetes.protobuf"
_JSON_TYPES = frozenset({"", "application/json", "*/*"})
_YAML_TYPES = frozenset({"application/yaml", "application/x-yaml", "text/yaml"})


def decode(body: bytes, content_type: str) -> Any:
    """The JSON in a POST, PUT or DELETE body. Raises UnsupportedMediaType, BadRequest, TooLarge.

    content_type: without parameters; some clients send none with JSON.
    """
    if content_type in _JSON_TYPES:
        return decode_json(body)
    if content_type in _YAML_TYPES:
        return decode_yaml(body)
    if content_type == _PROTOBUF:
        _check_size(body)
        return protobuf.decode(body)
    raise UnsupportedMediaType(
        f"the body of the request was in an unknown format ({content_type}) - "
        "accepted media types include: application/json, application/yaml"
    )


def decode_json(body: bytes) -> Any:
    """JSON of bounded depth. Raises BadRequest."""
    _check_size(body)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is not valid JSON: {error}") from error
    check_depth(value, body)
    return value


def decode_yaml(body: bytes) -> Any:
    """One YAML document as JSON. Raises BadRequest."""
    import yaml  # only few requests bring YAML, and the parser is large

    _check_size(body)
    try:
        aliases = depth = 0
        for event in yaml.parse(body, yaml.CSafeLoader):
            # Counted while it is read: the parser takes hours for a hundred thousand open brackets.
            aliases += isinstance(event, yaml.AliasEvent)
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if aliases > _MOST_ALIASES:
                raise BadRequest(f"the YAML has more than {_MOST_ALIASES} aliases")
            if depth > _DEEPEST:
                raise BadRequest(f"the body is nested deeper than {_DEEPEST} levels")
        value = yaml.load(body, yaml.CSafeLoader)
        plain = orjson.dumps(value)
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError) as error:
        raise BadRequest(f"the body is not valid YAML: {' '.join(str(error).split())}") from error
    except TypeError as error:
        raise BadRequest(f"the YAML holds what JSON cannot: {error}") from error
    return decode_json(plain)


def check_depth(value: Any, body: bytes) -> None:
    """Raises BadRequest when objects and lists are nested deeper than any manifest."""
    if body.count(b"{") + body.count(b"[") > _DEEPEST:
        check_levels(value)


def check_levels(value: Any) -> None:
    """As `check_depth`, for JSON that is not a body."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > _DEEPEST:
            raise BadRequest(f"the body is nested deeper than {_DEEPEST} levels")
        level = [child for item in level for child in _children(item)]


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _check_size(body: bytes) -> None:
    if len(body) > LARGEST_BODY:
        raise TooLarge(f"the body has {len(body)} bytes; at most {LARGEST_BODY} are read")
