"""`mesh get`: list objects or show one, as kubectl would."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from mesh.api import errors, scheme
from mesh.cli import output, rest
from mesh.cli.apply import named
from mesh.cli.errors import UserError
from mesh.cli.state import choose


class Form(StrEnum):
    wide = "wide"
    json = "json"
    yaml = "yaml"
    name = "name"


def kind_named(word: str) -> scheme.Kind:
    """The kind a person means. Raises UserError listing what there is."""
    kind = scheme.find(word)
    if kind is None:
        known = ", ".join(row.plural for row in scheme.KINDS)
        raise UserError(f"no kind named {word!r}; known: {known}")
    return kind


def kinds_named(words: str) -> list[scheme.Kind]:
    """The kinds of `pods`, `pods,svc` or `all`, each once. Raises UserError."""
    found: list[scheme.Kind] = []
    for word in words.split(","):
        rows = [row for row in scheme.KINDS if "all" in row.categories] if word == "all" else [kind_named(word)]
        found += [row for row in rows if row not in found]
    return found


def get(
    kind: Annotated[str, typer.Argument(help="pods, deploy, svc, routerule, ..., several as pods,svc, or all")],
    object_name: Annotated[str | None, typer.Argument(metavar="NAME", help="One object instead of all.")] = None,
    namespace: Annotated[str, typer.Option("-n", "--namespace", help="Where to look.")] = "default",
    everywhere: Annotated[bool, typer.Option("-A", "--all-namespaces", help="Look everywhere.")] = False,
    selector: Annotated[str, typer.Option("-l", "--selector", help="Labels, as kubectl: app=web,version!=v1")] = "",
    form: Annotated[Form | None, typer.Option("-o", "--output", help="Without it, a table.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Which mesh.")] = None,
) -> None:
    """Show objects of a running mesh."""
    server = rest.Rest(choose(name).api)
    rows = kinds_named(kind)
    if object_name and "/" in object_name:
        raise UserError(f"{object_name!r}: give KIND NAME, for example: mesh get pod my-app-0")
    if object_name and everywhere:
        raise UserError("a NAME is of one namespace: say which with -n, instead of -A")
    scope = None if everywhere else namespace
    if form in (Form.json, Form.yaml) and len(rows) > 1:
        items = [item for row in rows for item in listed(server, row, object_name, scope, selector)]
        _print({"apiVersion": "v1", "kind": "List", "items": items}, form)
        return
    shown = [show(server, row, object_name, scope, selector, form, prefix=len(rows) > 1) for row in rows]
    if not any(shown):
        spaced = not everywhere and any(row.namespaced for row in rows)
        output.say("No resources found" + (f" in {namespace} namespace." if spaced else ""))


def listed(
    server: rest.Rest, kind: scheme.Kind, name: str | None, namespace: str | None, selector: str
) -> list[dict[str, Any]]:
    """The objects of one kind that are asked for. Raises UserError."""
    found = _call(server, kind, name, namespace, selector, "")
    return [_typed(item, kind) for item in ([found] if name else found.get("items", []))]


def show(
    server: rest.Rest,
    kind: scheme.Kind,
    name: str | None,
    namespace: str | None,
    selector: str,
    form: Form | None,
    prefix: bool = False,
) -> bool:
    """Print what is asked; False when there is nothing."""
    if form in (None, Form.wide):
        table = _call(server, kind, name, namespace, selector, rest.TABLE)
        return _table(table, kind, form is Form.wide, not namespace, prefix)
    items = listed(server, kind, name, namespace, selector)
    if form is Form.name:
        for item in items:
            output.data(f"{named(kind)}/{item['metadata']['name']}")
    else:
        _print(items[0] if name else {"apiVersion": "v1", "kind": "List", "items": items}, form)
    return bool(items)


def _call(
    server: rest.Rest, kind: scheme.Kind, name: str | None, namespace: str | None, selector: str, accept: str
) -> dict[str, Any]:
    if name:
        path = rest.object_path(kind, namespace or "default", name)
    else:
        path = rest.collection_path(kind, namespace, labelSelector=selector)
    try:
        return server.call("GET", path, accept=accept)
    except errors.ApiError as error:
        raise UserError(error.message, exit_code=2 if isinstance(error, errors.BadRequest) else 1) from None


def _print(value: dict[str, Any], form: Form | None) -> None:
    (output.as_json if form is Form.json else output.as_yaml)(value)


def _typed(item: dict[str, Any], kind: scheme.Kind) -> dict[str, Any]:
    return {"apiVersion": kind.api_version, "kind": kind.kind, **item}


def _table(table: dict[str, Any], kind: scheme.Kind, wide: bool, everywhere: bool, prefix: bool) -> bool:
    shown = [i for i, column in enumerate(table["columnDefinitions"]) if wide or not column.get("priority")]
    lines = [[table["columnDefinitions"][i]["name"].upper() for i in shown]]
    if everywhere and kind.namespaced:
        lines[0].insert(0, "NAMESPACE")
    for row in table.get("rows") or []:
        cells = [str(row["cells"][i]) for i in shown]
        if prefix:
            cells[0] = f"{named(kind)}/{cells[0]}"
        if everywhere and kind.namespaced:
            cells.insert(0, row["object"]["metadata"].get("namespace", ""))
        lines.append(cells)
    if len(lines) > 1:
        output.data(output.columns(lines) + ("\n" if prefix else ""))
    return len(lines) > 1
