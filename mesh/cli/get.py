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


def get(
    kind: Annotated[str, typer.Argument(help="pods, deploy, svc, routerule, ... or all")],
    object_name: Annotated[str | None, typer.Argument(metavar="NAME", help="One object instead of all.")] = None,
    namespace: Annotated[str, typer.Option("-n", "--namespace", help="Where to look.")] = "default",
    everywhere: Annotated[bool, typer.Option("-A", "--all-namespaces", help="Look everywhere.")] = False,
    selector: Annotated[str, typer.Option("-l", "--selector", help="Labels, as kubectl: app=web,version!=v1")] = "",
    form: Annotated[Form | None, typer.Option("-o", "--output", help="Without it, a table.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Which mesh.")] = None,
) -> None:
    """Show objects of a running mesh."""
    server = rest.Rest(choose(name).api)
    rows = [row for row in scheme.KINDS if "all" in row.categories] if kind == "all" else [kind_named(kind)]
    if object_name and "/" in object_name:
        raise UserError(f"{object_name!r}: give KIND NAME, for example: mesh get pod my-app-0")
    if object_name and everywhere:
        raise UserError("a NAME is of one namespace: say which with -n, instead of -A")
    scope = None if everywhere else namespace
    shown = [show(server, row, object_name, scope, selector, form, prefix=kind == "all") for row in rows]
    if not any(shown):
        output.say("No resources found" + ("" if everywhere else f" in {namespace} namespace."))


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
    if name:
        path = rest.object_path(kind, namespace or "default", name)
    else:
        path = rest.collection_path(kind, namespace, labelSelector=selector)
    try:
        if form in (None, Form.wide):
            return _table(server.call("GET", path, accept=rest.TABLE), kind, form is Form.wide, not namespace, prefix)
        found = server.call("GET", path)
    except errors.ApiError as error:
        raise UserError(error.message, exit_code=2 if isinstance(error, errors.BadRequest) else 1) from None
    items: list[dict[str, Any]] = found.get("items", []) if not name else [found]
    if form is Form.name:
        for item in items:
            output.data(f"{named(kind)}/{item['metadata']['name']}")
    else:
        whole = found if name else {"apiVersion": "v1", "kind": "List", "items": [_typed(i, kind) for i in items]}
        (output.as_json if form is Form.json else output.as_yaml)(whole)
    return bool(items)


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
            cells[0] = f"{kind.singular}/{cells[0]}"
        if everywhere and kind.namespaced:
            cells.insert(0, row["object"]["metadata"].get("namespace", ""))
        lines.append(cells)
    if len(lines) > 1:
        output.data(output.columns(lines) + ("\n" if prefix else ""))
    return len(lines) > 1
