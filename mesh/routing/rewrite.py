"""Which path and authority does the upstream see?

A route's rewrite is one function from the request's path (query and all) to the new path; a query is carried
over untouched. prefix_rewrite puts its text in the place of the matched prefix, literally (`/p1` -> `/` makes
`//a` of `/p1/a`); with an exact or regex match it stands for the whole path. regex_rewrite replaces every
occurrence in the path without query; where nothing would be left the path stays.

The caller adds x-envoy-original-path (and x-envoy-original-host) when the answer differs from what was sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mesh.routing.errors import Refused, join
from mesh.routing.path_template import compile_template, compile_template_rewrite
from mesh.routing.regex import compile_substitution
from mesh.routing.request import Request, header

if TYPE_CHECKING:
    from mesh.routing.route_table import Route

PathRewrite = Callable[[bytes], bytes | None]
HostRewrite = Callable[[Request], bytes | None]


def rewrite_path(route: Route, request: Request) -> bytes | None:
    """The new path with its query, or None when the path stays as it is."""
    rewrite = route.rewrite
    if rewrite is None:
        return None
    path = rewrite(request.path)
    return None if path == request.path else path


def compile_prefix_rewrite(match: Any, text: str, at: str) -> PathRewrite:
    """prefix_rewrite for a route with this RouteMatch."""
    if match.HasField("path_match_policy"):
        raise Refused(at, "does not go with a path template; use path_rewrite_policy, or match in another way")
    new = text.encode()
    kind = match.WhichOneof("path_specifier")
    if kind in ("prefix", "path_separated_prefix"):
        size = len(getattr(match, kind).encode())
        return lambda path: new + path[size:]

    def whole(path: bytes) -> bytes:
        cut = path.find(b"?")
        return new if cut < 0 else new + path[cut:]

    return whole


def compile_regex_rewrite(rewrite: Any, at: str) -> PathRewrite:
    """regex_rewrite: an envoy.type.matcher.v3.RegexMatchAndSubstitute."""
    substitute = compile_substitution(rewrite.pattern.regex, rewrite.substitution, at)

    def apply(path: bytes) -> bytes | None:
        bare, mark, query = path.partition(b"?")
        new = substitute(bare)
        return new + mark + query if new else None

    return apply


def compile_path_rewrite(match: Any, action: Any, at: str) -> PathRewrite | None:
    """The rewrite of a RouteAction, or None."""
    asked = [
        name
        for name in ("prefix_rewrite", "regex_rewrite", "path_rewrite_policy")
        if (action.HasField(name) if name != "prefix_rewrite" else action.prefix_rewrite)
    ]
    if len(asked) > 1:
        raise Refused(join(at, asked[1]), f"stands beside {asked[0]}; use one of them")
    if not asked:
        return None
    if asked[0] == "prefix_rewrite":
        return compile_prefix_rewrite(match, action.prefix_rewrite, join(at, "prefix_rewrite"))
    if asked[0] == "regex_rewrite":
        return compile_regex_rewrite(action.regex_rewrite, join(at, "regex_rewrite"))
    return _template_rewrite(match, action.path_rewrite_policy, join(at, "path_rewrite_policy.typed_config"))


def _template_rewrite(match: Any, policy: Any, at: str) -> PathRewrite:
    from envoy.extensions.path.match.uri_template.v3 import uri_template_match_pb2
    from envoy.extensions.path.rewrite.uri_template.v3 import uri_template_rewrite_pb2

    found = uri_template_match_pb2.UriTemplateMatchConfig()
    wanted = uri_template_rewrite_pb2.UriTemplateRewriteConfig()
    if not policy.typed_config.Unpack(wanted):
        raise Refused(at, "is not executed; use UriTemplateRewriteConfig")
    if not match.HasField("path_match_policy") or not match.path_match_policy.typed_config.Unpack(found):
        raise Refused(at, "needs a path template to take names from; match with path_match_policy")
    template = compile_template(found.path_template, at)
    rewrite = compile_template_rewrite(template, wanted.path_template_rewrite, join(at, "path_template_rewrite"))

    def apply(path: bytes) -> bytes | None:
        bare, mark, query = path.partition(b"?")
        new = rewrite(bare)
        return None if new is None else new + mark + query

    return apply


def compile_host_rewrite(action: Any, at: str) -> tuple[bytes | None, HostRewrite | None]:
    """(literal authority, function of the request) of a RouteAction; auto_host_rewrite is the caller's."""
    kind = action.WhichOneof("host_rewrite_specifier")
    if kind == "host_rewrite_literal":
        return action.host_rewrite_literal.encode(), None
    if kind == "host_rewrite_header":
        name = action.host_rewrite_header.lower().encode()
        return None, lambda request: header(request.headers, name) or None
    if kind == "host_rewrite_path_regex":
        rule = action.host_rewrite_path_regex
        substitute = compile_substitution(rule.pattern.regex, rule.substitution, join(at, kind))
        return None, lambda request: substitute(request.bare_path())
    return None, None
