"""`mesh down`: stop a running mesh."""

from typing import Annotated

import typer

from mesh.cli import ending, output, state


def down(
    name: Annotated[str | None, typer.Option("--name", help="Which mesh; needed when several run.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Stop every mesh.")] = False,
) -> None:
    """Stop a running mesh."""
    for running in state.running() if every else [state.choose(name)]:
        ending.stop(running)
        output.say(f"mesh {running.name} stopped")
