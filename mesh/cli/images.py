"""`mesh images`: what are images made of, what do they share, and what has changed since it was started?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from mesh.cli import launch, output, rest, state
from mesh.cli.errors import UserError
from mesh.cli.readiness import items
from mesh.cli.up import Form
from mesh.node.blobs import Blobs
from mesh.node.images import BUILT_IN, PROGRAMS, Image, ImageTable, repository, short_name
from mesh.node.layers import Layer

SHORT = 12
"""Hexadecimal digits of a digest that people read."""


@dataclass(frozen=True, slots=True)
class Running:
    """One container that says what it runs. changed: layers that differ from what lies there now; None: unknown."""

    reference: str
    pod: str
    container: str
    image_id: str
    changed: tuple[str, ...] | None

    @property
    def digest(self) -> str:
        return self.image_id.partition("@")[2]


@dataclass(frozen=True, slots=True)
class Shown:
    """One image as it lies there now, and the containers that run it."""

    image: Image
    layers: tuple[Layer, ...]
    digest: str
    running: tuple[Running, ...]

    @property
    def size(self) -> int:
        return sum(layer.size for layer in self.layers)

    @property
    def what(self) -> str:
        image = self.image
        if image.command:
            return "program"
        if image.runs_command:
            return "this machine's"
        if image.behaviour:
            return image.behaviour
        return "built-in" if image.known else "stand-in"

    @property
    def stale(self) -> list[Running]:
        """The containers that run something else than what lies there now."""
        return [each for each in self.running if each.digest != self.digest]


def images(
    references: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Images; all without one.")
    ] = None,
    given: Annotated[
        list[str] | None, typer.Option("--image", help="NAME=COMMAND, as for mesh up; or a file of such lines.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Which mesh.")] = None,
    form: Annotated[Form, typer.Option("-o", "--output", help="For people, or for programs.")] = Form.text,
) -> None:
    """List images and their layers: digests, sizes, what two of them share, and what a change touched."""
    mesh = running_mesh(name)
    commands = {**(mesh.images if mesh is not None else {}), **launch.parse_images(given or [])}
    pods = items(rest.Rest(mesh.api), "pods") if mesh is not None else []
    used = list(containers(pods))
    table = ImageTable(commands)
    wanted = chosen(references or [], commands, [reference for reference, *_ in used])
    blobs = Blobs(Path(mesh.state_dir) / "images" / "blobs" / "sha256") if mesh is not None else None
    with contextlib.chdir(mesh.folder) if mesh is not None and mesh.folder else contextlib.nullcontext():
        shown = [look(table.find(reference), used, blobs) for reference in wanted]
    if form is Form.json:
        output.as_json([as_json(one, shown) for one in shown])
    elif references:
        output.data("\n\n".join(detail(one, shown) for one in shown))
    else:
        output.data(overview(shown))


def running_mesh(name: str | None) -> state.State | None:
    """The mesh to look at; none has to run unless one is named. Raises UserError."""
    try:
        return state.choose(name)
    except state.NotRunning:
        if name is not None:
            raise
        return None


def containers(pods: Iterable[dict[str, Any]]) -> Iterator[tuple[str, str, str, str]]:
    """(image, namespace/pod, container, imageID) of every container; the ID is empty before it has started."""
    for pod in pods:
        status = pod.get("status") or {}
        said = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
        ids = {each["name"]: each.get("imageID") or "" for each in said}
        where = f"{pod['metadata'].get('namespace', 'default')}/{pod['metadata']['name']}"
        for container in (*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]):
            yield container["image"], where, container["name"], ids.get(container["name"], "")


def chosen(wanted: Sequence[str], commands: Iterable[str], used: Iterable[str]) -> list[str]:
    """The references to show: all there are, or those that are named, with or without a tag. Raises UserError."""
    used = list(used)
    answered = {name for each in used for name in (each, repository(each), short_name(each))}
    known = list(dict.fromkeys([*used, *(each for each in commands if each not in answered)]))
    if not wanted:
        seen = {short_name(reference) for reference in known}
        return [*known, *(each for each in (*BUILT_IN, *sorted(PROGRAMS)) if each not in seen)]
    found: list[str] = []
    for name in wanted:
        same = [each for each in known if name in (each, repository(each), short_name(each))]
        if not same and short_name(name) not in BUILT_IN and short_name(name) not in PROGRAMS:
            raise UserError(f"no image {name!r}: no container uses it, and it is not built in; see: mesh images")
        found += same or [name]
    return list(dict.fromkeys(found))


def look(image: Image, used: Iterable[tuple[str, str, str, str]], blobs: Blobs | None) -> Shown:
    """Read the image as it is now, and set it beside what runs."""
    pile = image.layers
    now = {layer.title: layer.digest for layer in pile}
    running = []
    for reference, pod, container, image_id in used:
        if reference == image.reference and image_id:
            before = blobs.layers(image_id.partition("@")[2]) if blobs is not None else {}
            changed = tuple(title for title in now if before.get(title) != now[title]) if before else None
            running.append(Running(reference, pod, container, image_id, changed))
    return Shown(image, pile, image.digest, tuple(running))


def shared(layer: Layer, one: Shown, shown: Sequence[Shown]) -> list[str]:
    """The other images on show that have the same layer."""
    return [
        other.image.reference
        for other in shown
        if other is not one and any(layer.digest == each.digest for each in other.layers)
    ]


def overview(shown: Sequence[Shown]) -> str:
    """A line an image."""
    rows = [("IMAGE", "WHAT", "DIGEST", "SIZE", "LAYERS", "CONTAINERS", "CHANGED SINCE")]
    for one in shown:
        touched = dict.fromkeys(title for each in one.stale for title in each.changed or ("unknown",))
        rows.append(
            (
                one.image.reference,
                one.what,
                short(one.digest),
                size(one.size),
                str(len(one.layers)),
                str(len(one.running)),
                ", ".join(touched) or "-",
            )
        )
    return output.columns(rows)


def detail(one: Shown, shown: Sequence[Shown]) -> str:
    """Everything about one image."""
    lines = [f"{one.image.reference}   {one.what}   {one.digest}"]
    if one.image.command:
        lines.append(f"command: {' '.join(one.image.command)}")
    rows = [("LAYER", "DIGEST", "SIZE", "FILES", "SHARED WITH")]
    for layer in one.layers:
        others = shared(layer, one, shown)
        told = "all" if len(others) == len(shown) - 1 and len(others) > 1 else ", ".join(others) or "-"
        note = "" if layer.whole else " (not all read)"
        rows.append((layer.title, short(layer.digest), size(layer.size), f"{len(layer.files) or '-'}{note}", told))
    lines.append(output.columns(rows))
    files = [("FILE", "DIGEST", "SIZE")]
    files += [(file.name, short(file.digest), size(file.size)) for layer in one.layers for file in layer.files]
    if len(files) > 1:
        lines += ["", output.columns(files)]
    if one.running:
        pods = [("CONTAINER", "RUNS", "CHANGED SINCE")]
        for each in one.running:
            touched = "-" if each.digest == one.digest else ", ".join(each.changed or ("unknown",))
            pods.append((f"{each.pod}:{each.container}", short(each.digest), touched))
        lines += ["", output.columns(pods)]
    return "\n".join(lines)


def as_json(one: Shown, shown: Sequence[Shown]) -> dict[str, Any]:
    return {
        "reference": one.image.reference,
        "what": one.what,
        "digest": one.digest,
        "size": one.size,
        "command": list(one.image.command),
        "layers": [
            {
                "title": layer.title,
                "digest": layer.digest,
                "size": layer.size,
                "whole": layer.whole,
                "shared_with": shared(layer, one, shown),
                "files": [{"name": file.name, "digest": file.digest, "size": file.size} for file in layer.files],
            }
            for layer in one.layers
        ],
        "containers": [
            {
                "pod": each.pod,
                "container": each.container,
                "image_id": each.image_id,
                "current": each.digest == one.digest,
                "changed_layers": None if each.changed is None else list(each.changed),
            }
            for each in one.running
        ],
    }


def short(digest: str) -> str:
    return digest if digest.startswith("stat:") else digest.removeprefix("sha256:")[:SHORT]


def size(count: int) -> str:
    """Bytes for people: 812 B, 6.8 MB."""
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
