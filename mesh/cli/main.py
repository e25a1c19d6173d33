"""Which commands are there, and how do they end? One table; every verb has a file of its own."""

import gc
import os
import sys
from importlib import import_module
from importlib.metadata import version

import typer

from mesh.api.errors import ApiError
from mesh.cli.errors import UserError
from mesh.runtime.net import BindError

# verb -> (module, function). Only the verb that is called is imported: a command starts fast.
VERBS: dict[str, tuple[str, str]] = {
    "up": ("mesh.cli.up", "up"),
    "down": ("mesh.cli.down", "down"),
    "status": ("mesh.cli.status", "status"),
    "kubeconfig": ("mesh.cli.status", "kubeconfig"),
    "apply": ("mesh.cli.apply", "apply"),
    "get": ("mesh.cli.get", "get"),
    "delete": ("mesh.cli.delete", "delete"),
    "logs": ("mesh.cli.logs", "logs"),
    "demo": ("mesh.cli.demo", "demo"),
    "trace-path": ("mesh.cli.trace_path", "trace_path"),
    "prometheus-config": ("mesh.cli.prometheus", "prometheus_config"),
    "proxy": ("mesh.cli.proxy", "proxy"),
    "shards": ("mesh.cli.shards", "shards"),
    "images": ("mesh.cli.images", "images"),
}
GROUPS: dict[str, tuple[str, str]] = {"kv": ("mesh.cli.kv", "app")}
# The base of typer's complaints about arguments; where it lives differs between releases of typer.
UsageProblem: type[Exception] = next(
    base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException" and issubclass(base, Exception)
)
ABOUT = "A service mesh, and the Kubernetes around it, emulated on one machine with real sockets."


def build(wanted: str | None) -> typer.Typer:
    """The command line with the wanted verb, or with all of them for help."""
    app = typer.Typer(name="mesh", help=ABOUT, no_args_is_help=True, pretty_exceptions_enable=False)

    @app.callback(invoke_without_command=True)
    def root(show: bool = typer.Option(False, "--version", help="Print the version.", is_eager=True)) -> None:
        if show:
            typer.echo(f"loopmesh {version('loopmesh')}")
            raise typer.Exit

    known = wanted in VERBS or wanted in GROUPS
    for verb, (module, function) in VERBS.items():
        if not known or verb == wanted:
            app.command(verb)(getattr(import_module(module), function))
    for verb, (module, group) in GROUPS.items():
        if not known or verb == wanted:
            app.add_typer(getattr(import_module(module), group), name=verb)
    return app


def main(arguments: list[str] | None = None) -> None:
    """Run one command; ends the process with 0 fine, 1 it ran and something is wrong, 2 bad usage or bad input."""
    words = sys.argv[1:] if arguments is None else arguments
    wanted = next((word for word in words if not word.startswith("-")), None)
    gc.disable()  # until the verb is imported: looking through what only grows takes its time
    try:
        app = build(wanted)
        gc.freeze()
        gc.enable()
        code, text = app(args=words, prog_name="mesh", standalone_mode=False) or 0, ""
    except UsageProblem as error:
        getattr(error, "show")()  # noqa: B009 - typer exports no name for the class
        code, text = getattr(error, "exit_code", 2), ""
    except UserError as error:
        code, text = error.exit_code, str(error)
    except ApiError as error:
        code, text = 1, error.message
    except BindError as error:
        code, text = 1, str(error)
    except BrokenPipeError:  # the reader of a pipe has seen enough; nothing more can be said there
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code, text = 1, ""
    except OSError as error:  # a full disk, a folder that is not ours
        code, text = 1, f"{error.filename or 'cannot go on'}: {error.strerror or error}"
    except (KeyboardInterrupt, typer.Abort):
        code, text = 130, "interrupted"
    if code == 130:  # typer's own way to end on Ctrl-C says nothing
        text = text or "interrupted"
    for line in text.splitlines():
        print(f"mesh: {line}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
