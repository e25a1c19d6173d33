"""`mesh demo [NAME]`: play a scenario in a mesh of its own and say whether it went as expected."""

import asyncio
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path
from typing import Annotated, Any

import typer

import mesh
from mesh.cli import ending, launch, output, state
from mesh.cli.apply import apply_paths
from mesh.cli.blocks import take_block
from mesh.cli.errors import UserError
from mesh.cli.up import Form
from mesh.node.addresses import Plan
from mesh.testing.runner import StepResult, play, play_recorded
from mesh.testing.scenario import Scenario, ScenarioError, discover, load
from mesh.testing.world import StepError, World


def routes() -> Path:
    """Where the scenarios lie: beside the package in a checkout, inside it when installed."""
    package = Path(mesh.__file__).parent
    inside = package / "routes"
    return inside if inside.is_dir() else package.parent / "routes"


def find(name: str) -> Scenario:
    """The scenario of that name, or of that folder or file. Raises UserError."""
    try:
        if "/" in name or name.endswith((".yaml", ".yml")):
            return load(Path(name))
        folder = routes() / name
        if not folder.is_dir():
            known = ", ".join(path.name for path in discover(routes()))
            raise UserError(f"no scenario {name!r}; there are {known}, or give a folder such as ./mine")
        return load(folder)
    except ScenarioError as error:
        raise UserError(str(error)) from None


def world_of(running: state.State) -> World:
    """A running mesh as a scenario sees it."""
    address, _, port = running.dns.rpartition(":")

    async def apply(paths: Sequence[str]) -> None:
        try:
            await asyncio.to_thread(apply_paths, running.api, paths, None)
        except UserError as error:
            raise StepError(str(error)) from None

    return World(
        gateway=running.gateway,
        api=running.api,
        dns=(address, int(port)),
        nodes={node.name: node.pid for node in running.nodes},
        apply=apply,
    )


@contextmanager
def own_mesh(scenario: Scenario) -> Iterator[state.State]:
    """A mesh with the scenario's manifests, that ends with the block; nothing of it stays behind."""
    name = free_name(f"demo-{scenario.name}"[:36])
    with tempfile.TemporaryDirectory(prefix="loopmesh-demo-") as folder:
        gateway_port, api_port, dns_port = free_ports(Path(folder))
        options = launch.UpOptions(
            files=scenario.files,
            nodes=scenario.mesh.nodes,
            zones=scenario.mesh.zones,
            nodes_in=scenario.mesh.nodes_in,
            name=name,
            state_dir=os.path.join(folder, "state"),
            gateway_port=gateway_port,
            api_port=api_port,
            dns_port=dns_port,
        )
        try:
            running = launch.start(options, output.say)
            try:
                yield running
            finally:
                ending.stop(running)
        finally:
            shutil.rmtree(state.folder(name), ignore_errors=True)


def free_name(stem: str) -> str:
    """The name, or with a number behind it when such a demo runs already."""
    taken = {running.name for running in state.running()}
    names = chain([stem], (f"{stem}-{number}" for number in count(2)))
    return next(name for name in names if name not in taken)


def free_ports(scratch: Path) -> tuple[int, ...]:
    """Ports for gateway, API and DNS: the usual ones, and another where some program holds one already.

    A demo is for people who have just met the mesh; a web server on 8080 shall not be the first thing they fight with.
    """
    lock, block = take_block(scratch)
    lock.close()
    (scratch / "block").unlink()
    people = Plan(block).people
    return tuple(free_port(people, wanted) for wanted in (Plan.gateway_port, Plan.api_port, Plan.dns_port))


def free_port(address: str, wanted: int) -> int:
    """`wanted` if it is free for TCP and UDP, else one that is."""
    for port in (wanted, 0):
        with socket.socket() as stream, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                stream.bind((address, port))
                stream.listen()
                found = int(stream.getsockname()[1])
                datagram.bind((address, found))
            except OSError:
                continue
            if found != wanted:
                output.say(f"{address}:{wanted} is in use by another program; taking port {found}")
            return found
    return wanted  # let the start say what is wrong with it


def play_alone(scenario: Scenario, file: Path | None = None) -> list[StepResult]:
    """Start a mesh, play, stop the mesh; on Ctrl-C and SIGTERM it is stopped too. file: where to draw the play."""
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with own_mesh(scenario) as running:
            output.say(f"playing {scenario.name} at {running.gateway}")
            if file is None:
                return asyncio.run(play(scenario, world_of(running), _tell))
            results, pods, begin = asyncio.run(play_recorded(scenario, world_of(running), _tell))
    finally:
        signal.signal(signal.SIGTERM, previous)
    from mesh.testing import picture

    picture.write(picture.story(scenario, results, pods, begin), file)
    output.say(f"drawn in {file}")
    return results


def _tell(text: str) -> None:
    output.say(f"  {text}")


def demo(
    name: Annotated[str, typer.Argument(help="A scenario (see --list), or a folder with a scenario.yaml.")] = "canary",
    show: Annotated[bool, typer.Option("--list", help="List the scenarios and stop.")] = False,
    form: Annotated[Form, typer.Option("-o", "--output")] = Form.text,
    file: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Draw the play: a page (.html) or a picture (.png).")
    ] = None,
) -> None:
    """Play a scenario: expected beside seen, with a verdict."""
    if show:
        listing(form)
        return
    from mesh.testing import report

    scenario = find(name)
    if file is not None:
        from mesh.testing import picture

        try:
            picture.check(file)
        except picture.PictureError as error:
            raise UserError(str(error)) from None
    results = play_alone(scenario, file)
    data = report.as_data(scenario, results)
    if form is Form.json:
        output.as_json(data)
    else:
        report.print_play(scenario, results)
    if not data["ok"]:
        raise typer.Exit(1)


def listing(form: Form) -> None:
    """Every scenario with its title."""
    found: list[dict[str, Any]] = []
    for folder in discover(routes()):
        scenario = find(str(folder))
        found.append({"name": scenario.name, "title": scenario.title, "what": scenario.what})
    if form is Form.json:
        output.as_json(found)
    else:
        output.data(output.columns([("NAME", "TITLE"), *((one["name"], one["title"]) for one in found)]))
