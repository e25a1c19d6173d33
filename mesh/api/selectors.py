"""Does a set of labels, or an object's fields, satisfy a selector?"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mesh.api.errors import BadRequest
from mesh.api.meta import LabelSelector

_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One test on one label. operator: in, notin, exists, ! ."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def holds(self, labels: Mapping[str, str]) -> bool:
        if self.operator == "exists":
            return self.key in labels
        if self.operator == "!":
            return self.key not in labels
        if self.operator == "in":
            return labels.get(self.key) in self.values
        return labels.get(self.key) not in self.values


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements must hold; an empty one selects everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        have = labels or {}
        return all(requirement.holds(have) for requirement in self.requirements)

    @property
    def empty(self) -> bool:
        return not self.requirements


EVERYTHING = Selector()
_TERM = re.compile(
    r"\s*(?:(?P<not>!)\s*(?P<nkey>[^\s,=!()]+)"
    r"|(?P<key>[^\s,=!()]+)\s*(?:(?P<op>==|!=|=)\s*(?P<value>[^\s,=!()]*)"
    r"|(?P<set>\s+in|\s+notin)\s*\((?P<values>[^()]*)\))?)\s*(?:,|$)"
)


def parse(text: str) -> Selector:
    """A selector from its query form: `app=a,version in (v1,v2),!canary`. Raises BadRequest."""
    position, requirements = 0, []
    while position < len(text):
        term = _TERM.match(text, position)
        if term is None or term.end() == position:
            raise BadRequest(f'unable to parse requirement: "{text}" at character {position}')
        position = term.end()
        if term["not"]:
            requirements.append(Requirement(term["nkey"], "!"))
        elif term["set"]:
            values = frozenset(value.strip() for value in term["values"].split(","))
            requirements.append(Requirement(term["key"], term["set"].strip(), values))
        elif term["op"]:
            operator = "notin" if term["op"] == "!=" else "in"
            requirements.append(Requirement(term["key"], operator, frozenset([term["value"]])))
        else:
            requirements.append(Requirement(term["key"], "exists"))
    return Selector(tuple(requirements))


def from_labels(labels: Mapping[str, str] | None) -> Selector:
    """Equality on every given label; no labels selects everything."""
    return Selector(tuple(Requirement(k, "in", frozenset([v])) for k, v in sorted((labels or {}).items())))


def from_model(selector: LabelSelector | None) -> Selector:
    """The compiled form of a LabelSelector field; None selects everything."""
    if selector is None:
        return EVERYTHING
    expressions = tuple(
        Requirement(e.key, _OPERATORS.get(e.operator, "in"), frozenset(e.values or ()))
        for e in selector.match_expressions or ()
    )
    return Selector(from_labels(selector.match_labels).requirements + expressions)


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """Equality tests on dotted paths of an object's JSON."""

    terms: tuple[tuple[str, str, bool], ...] = ()

    def matches(self, obj: Mapping[str, Any]) -> bool:
        return all((field_value(obj, path) == value) is equal for path, value, equal in self.terms)

    def matches_flat(self, fields: Mapping[str, str]) -> bool:
        """The same test on values by dotted path; a missing one is empty."""
        return all((fields.get(path, "") == value) is equal for path, value, equal in self.terms)

    @property
    def name(self) -> str | None:
        """The name that is asked for, when the selector pins one."""
        return next((value for path, value, equal in self.terms if path == "metadata.name" and equal), None)


def parse_fields(text: str) -> FieldSelector:
    """`metadata.name=x,status.phase!=Running`. Raises BadRequest."""
    terms = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        found = re.fullmatch(r"([A-Za-z][\w.]*)\s*(==|!=|=)\s*(.*)", part)
        if found is None:
            raise BadRequest(f'invalid field selector: "{part}"; use path=value or path!=value')
        terms.append((found[1], found[3], found[2] != "!="))
    return FieldSelector(tuple(terms))


NO_FIELDS = FieldSelector()


def field_value(obj: Mapping[str, Any], path: str) -> str:
    """The text at a dotted path; a missing one is empty."""
    value: Any = obj
    for step in path.split("."):
        if not isinstance(value, Mapping):
            return ""
        value = value.get(step)
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def selectable_values(obj: Mapping[str, Any], paths: tuple[str, ...]) -> dict[str, str]:
    """The non-empty values at the given paths, metadata.name and metadata.namespace included."""
    meta = obj["metadata"]
    values = {"metadata.name": str(meta["name"])}
    if meta.get("namespace"):
        values["metadata.namespace"] = str(meta["namespace"])
    for path in paths:
        value = field_value(obj, path)
        if value:
            values[path] = value
    return values


def check_fields(selector: FieldSelector, resource: str, paths: tuple[str, ...]) -> None:
    """Every path may be asked for. Raises BadRequest naming those that may."""
    known = ("metadata.name", "metadata.namespace", *paths)
    for path, _, _ in selector.terms:
        if path not in known:
            raise BadRequest(f"field label not supported: {path}; {resource} can be selected by {', '.join(known)}")
