"""`mesh delete`: remove the objects of files, or one object by kind and name."""

from typing import Annotated

import typer

from mesh.api import errors, scheme
from mesh.cli import manifests, output, rest
from mesh.cli.errors import UserError
from mesh.cli.get import kind_named
from mesh.cli.state import choose


def delete(
    kind: Annotated[str | None, typer.Argument(help="pod, deploy, svc, routerule, ...")] = None,
    object_name: Annotated[str | None, typer.Argument(metavar="NAME", help="The object to remove.")] = None,
    files: Annotated[list[str] | None, typer.Option("-f", "--filename", help="File, folder or - (repeatable).")] = None,
    namespace: Annotated[str, typer.Option("-n", "--namespace", help="Where the object is.")] = "default",
    name: Annotated[str | None, typer.Option("--name", help="Which mesh.")] = None,
) -> None:
    """Remove objects from a running mesh: `-f FILE`, or KIND NAME."""
    if bool(files) == bool(kind):
        raise UserError("give either -f FILE or KIND NAME, for example: mesh delete deploy my-app")
    server = rest.Rest(choose(name).api)
    if files:
        targets = [
            (row.kind, str(row.data["metadata"].get("namespace") or namespace), row.name)
            for row in reversed(manifests.read(files))
        ]
    else:
        if not object_name:
            raise UserError(f"which {kind}? give its name: mesh delete {kind} NAME")
        targets = [(kind_named(str(kind)), namespace, object_name)]
    missing = [line for line in (_delete(server, *target) for target in targets) if line]
    if missing:
        raise UserError("\n".join(missing), exit_code=1)


def _delete(server: rest.Rest, kind: scheme.Kind, namespace: str, name: str) -> str | None:
    """Delete one object; the complaint, if it was not there."""
    try:
        server.call("DELETE", rest.object_path(kind, namespace, name), {"propagationPolicy": "Background"})
    except errors.ApiError as error:
        return error.message
    output.data(f'{kind.singular} "{name}" deleted')
    return None
