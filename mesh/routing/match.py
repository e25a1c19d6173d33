"""Does a request satisfy a route's match?

Every condition of an envoy.config.route.v3.RouteMatch becomes one function of the request, made once when the
table is compiled; a route's match is all of them together, or None where nothing is asked. `explain` reads the
same conditions, one by one. Paths are judged without their query; repeated header lines one by one.

Elsewhere: header conditions in match_header, query conditions in match_query, path templates in path_template.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.routing.errors import Refused, join
from mesh.routing.match_header import compile_header
from mesh.routing.match_query import compile_query
from mesh.routing.path_template import compile_template
from mesh.routing.regex import compile_test
from mesh.routing.request import Request

Match = Callable[[Request], bool]

DENOMINATORS = {"HUNDRED": 100, "TEN_THOUSAND": 10_000, "MILLION": 1_000_000}


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that a route asks for."""

    test: Match
    subject: str
    """What is looked at: `path`, `header x-user`, `query parameter q`, `runtime fraction`."""
    wants: str
    """What it has to be, in words."""


def compile_match(match: Any, at: str) -> tuple[Condition, ...]:
    """The conditions of a RouteMatch, in the order in which they are judged (path first, chance last)."""
    conditions: list[Condition] = []
    path = compile_path(match, at)
    if path is not None:
        conditions.append(path)
    for i, header in enumerate(match.headers):
        test, wants = compile_header(header, join(at, f"headers[{i}]"))
        conditions.append(Condition(test, f"header {header.name.lower()}", wants))
    for i, parameter in enumerate(match.query_parameters):
        test, wants = compile_query(parameter, join(at, f"query_parameters[{i}]"))
        conditions.append(Condition(test, f"query parameter {parameter.name}", wants))
    if match.HasField("grpc"):
        conditions.append(Condition(_is_grpc, "header content-type", "is a gRPC type"))
    if match.HasField("runtime_fraction"):
        conditions += _fraction(match.runtime_fraction.default_value)
    return tuple(conditions)


def all_of(conditions: Sequence[Condition]) -> Match | None:
    """One function for all conditions; None when there is nothing to ask."""
    tests = [c.test for c in conditions]
    if not tests:
        return None
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda request: first(request) and second(request)
    if len(tests) == 3:
        one, two, three = tests
        return lambda request: one(request) and two(request) and three(request)
    return lambda request: all(test(request) for test in tests)


def compile_path(match: Any, at: str) -> Condition | None:
    """The path condition, or None for the prefix `/` (every path starts with it)."""
    kind = match.WhichOneof("path_specifier")
    fold = match.HasField("case_sensitive") and not match.case_sensitive.value
    any_case = " in any case" if fold else ""
    if kind == "prefix":
        prefix = match.prefix.encode()
        if prefix in (b"", b"/"):
            return None
        return Condition(_prefix(prefix, fold), "path", f"starts with {match.prefix!r}{any_case}")
    if kind == "path":
        return Condition(_exact(match.path.encode(), fold), "path", f"is {match.path!r}{any_case}")
    if kind == "path_separated_prefix":
        prefix = match.path_separated_prefix.encode()
        if not prefix.startswith(b"/") or prefix.endswith(b"/") or b"?" in prefix or b"#" in prefix:
            raise Refused(join(at, kind), "starts with / and ends without one; use prefix for '/'")
        return Condition(
            _separated(prefix, fold), "path", f"is or lies below {match.path_separated_prefix!r}{any_case}"
        )
    if kind == "safe_regex":
        pattern = match.safe_regex.regex
        if not pattern:
            raise Refused(join(at, "safe_regex.regex"), "is empty; write an RE2 expression for the whole path")
        test = compile_test(pattern, join(at, "safe_regex.regex"))
        return Condition(lambda request: test(request.bare_path()), "path", f"matches regex {pattern}")
    if kind == "path_match_policy":
        return _template(match.path_match_policy, join(at, kind))
    raise Refused(at, "has no path condition; use prefix, path, path_separated_prefix, safe_regex or path_match_policy")


def _exact(path: bytes, fold: bool) -> Match:
    if fold:
        low = path.lower()
        return lambda request: request.bare_path().lower() == low
    if b"?" in path:
        return lambda request: False  # a path without its query holds no question mark
    with_query = path + b"?"
    return lambda request: request.path == path or request.path.startswith(with_query)


def _prefix(prefix: bytes, fold: bool) -> Match:
    if b"?" in prefix:
        return lambda request: False
    if fold:
        low = prefix.lower()
        size = len(low)
        return lambda request: request.path[:size].lower() == low
    return lambda request: request.path.startswith(prefix)


def _separated(prefix: bytes, fold: bool) -> Match:
    size = len(prefix)
    low = prefix.lower()

    def test(request: Request) -> bool:
        path = request.path
        if not path.startswith(prefix) and not (fold and path[:size].lower() == low):
            return False
        return len(path) == size or path[size] in b"/?"

    return test


def _template(policy: Any, at: str) -> Condition:
    from envoy.extensions.path.match.uri_template.v3 import uri_template_match_pb2

    config = uri_template_match_pb2.UriTemplateMatchConfig()
    if not policy.typed_config.Unpack(config):
        raise Refused(join(at, "typed_config"), "is not executed; use UriTemplateMatchConfig")
    test = compile_template(config.path_template, join(at, "typed_config.path_template")).test
    return Condition(lambda request: test(request.bare_path()), "path", f"fits template {config.path_template}")


def _is_grpc(request: Request) -> bool:
    for name, value in request.headers:
        if name == b"content-type":
            return value.startswith(b"application/grpc") and value[16:17] in (b"", b"+", b";")
    return False


def _fraction(percent: Any) -> list[Condition]:
    threshold, of = fraction(percent)
    if threshold >= of:
        return []
    return [Condition(lambda request: request.draw() % of < threshold, "runtime fraction", f"{threshold} of {of}")]


def fraction(percent: Any) -> tuple[int, int]:
    """(numerator, denominator) of an envoy.type.v3.FractionalPercent."""
    from envoy.type.v3 import percent_pb2

    name = percent_pb2.FractionalPercent.DenominatorType.Name(percent.denominator)
    return percent.numerator, DENOMINATORS[name]
