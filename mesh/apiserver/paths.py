"""Which resource does a URL name?"""

from dataclasses import dataclass
from urllib.parse import unquote

from mesh.api.errors import BadRequest
from mesh.api.scheme import Kind
from mesh.apiserver.defined import Defined

_LONGEST_SEGMENT = 253
_BUILT_IN = Defined()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a resource URL points at. An empty name is the collection; an empty namespace, all of them."""

    kind: Kind
    api_version: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    watch: bool = False


def parse(raw_path: str, kinds: Defined = _BUILT_IN) -> Target | None:
    """The target of a path as it stood in the request line; None when no resource lives there.

    kinds: what is served besides the built-in kinds.

    Raises BadRequest for segments that no name can have (encoded slashes, dots, control characters).
    """
    segments = [_segment(part) for part in raw_path.strip("/").split("/")]
    if segments[:1] == ["api"] and len(segments) >= 3:
        group, version, rest = "", segments[1], segments[2:]
    elif segments[:1] == ["apis"] and len(segments) >= 4:
        group, version, rest = segments[1], segments[2], segments[3:]
    else:
        return None
    watch = rest[0] == "watch" and len(rest) > 1
    if watch:
        rest = rest[1:]
    namespace = ""
    # /namespaces/NAME and /namespaces/NAME/status are the namespace itself; anything longer lives in it.
    if rest[0] == "namespaces" and len(rest) >= 3 and kinds.find(group, version, rest[2]) is not None:
        namespace, rest = rest[1], rest[2:]
    kind = kinds.find(group, version, rest[0])
    if kind is None or len(rest) > 3 or (namespace and not kind.namespaced):
        return None
    return Target(
        kind=kind,
        api_version=f"{group}/{version}" if group else version,
        namespace=namespace,
        name=rest[1] if len(rest) > 1 else "",
        subresource=rest[2] if len(rest) > 2 else "",
        watch=watch,
    )


def _segment(raw: str) -> str:
    text = unquote(raw)
    if text in (".", "..") or "/" in text or "%" in text or not text.isprintable() or len(text) > _LONGEST_SEGMENT:
        raise BadRequest(f"{text[:80]!r} may not be a part of a path")
    return text
