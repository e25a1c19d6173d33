"""What runs when a container names an image?

A user's own command where one is given, else a built-in application, a program of this machine (`redis`, `busybox` and
other images of tools), or the demo application with an event that says so. In place of a command, `fail-pull`, `crash`
and `never-ready` make an image that misbehaves on purpose, as the tag `does-not-exist` does; `run` runs what the
container itself says, and `demo` is the demo application.
"""

import os
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh.node import layers as layering
from mesh.node.apps import demo, http_echo, kv, objects, redis, shell, welcome
from mesh.node.apps.context import AppContext, BadSetting
from mesh.node.apps.serving import Servable
from mesh.node.apps.start import Start

Factory = Callable[[Mapping[str, str], AppContext], Servable]
RUN, STAND_IN = "run", "demo"
"""In place of a command: run what the container itself says, on this machine; or run the demo application."""
BEHAVIOURS = frozenset({"fail-pull", "crash", "never-ready", RUN, STAND_IN})
MISSING_TAG, MISSING = "does-not-exist", "image not found"
REDIS = "redis"
_HUB_PREFIXES = (
    "docker.io/library/", "docker.io/", "index.docker.io/library/", "registry.k8s.io/", "k8s.gcr.io/",
    "gcr.io/google_containers/", "gcr.io/google-containers/", "public.ecr.aws/docker/library/", "library/",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """An application that comes with the mesh. port: where it listens when the container declares none.

    own_port: the port that the container's arguments name, if they do.  settings: what a reference's tag changes.
    """

    factory: Factory
    port: int
    own_port: Callable[[Sequence[str]], int | None] = lambda args: None
    settings: Callable[[str], Mapping[str, str]] = lambda reference: {}

    @property
    def modules(self) -> tuple[str, ...]:
        """Whose source is the application."""
        return (*_COMMON, self.factory.__module__)


_COMMON = ("mesh.node.apps.context", "mesh.node.apps.serving")
DEMO = BuiltIn(demo.build, 8080)
BUILT_IN: dict[str, BuiltIn] = {
    "containersol/k8s-deployment-strategies": DEMO,
    "httpd": BuiltIn(welcome.httpd, 80, settings=welcome.httpd_server),
    "nginx": BuiltIn(welcome.nginx, 80, settings=welcome.nginx_server),
    "hashicorp/http-echo": BuiltIn(http_echo.build, http_echo.DEFAULT_PORT, http_echo.listen_port),
    "mesh/kv": BuiltIn(kv.build, 8080),
    "mesh/objects": BuiltIn(objects.build, 8080),
}
PROGRAMS = frozenset({REDIS, *shell.TOOLS})
"""Short names of the images that are programs of this machine."""


@dataclass(frozen=True, slots=True)
class Image:
    """What an image reference stands for.

    command: words of a user's program; empty for a built-in application.  behaviour: fails on purpose, or `run`.
    known: False where the demo application stands in for an image that nobody described.
    beside: where kept copies of the command's files came from, for what they import there.
    tools: a directory for small programs of the mesh's own.
    """

    reference: str
    built_in: BuiltIn = DEMO
    command: tuple[str, ...] = ()
    behaviour: str = ""
    known: bool = True
    beside: tuple[str, ...] = ()
    tools: Path | None = None

    @property
    def runs_command(self) -> bool:
        """Whether the container's own command and args are what runs."""
        return not self.command and (self.behaviour == RUN or (self._program_name != "" and not self.behaviour))

    @property
    def needs_seal(self) -> bool:
        """Whether it runs only where it can be kept from the machine's files: nobody here vouched for its words."""
        return self.runs_command and self.behaviour != RUN and self._program_name != REDIS

    @property
    def _program_name(self) -> str:
        """The short name of an image that is a program of this machine; empty where it is none."""
        name = short_name(self.reference)
        return name if name in PROGRAMS and self.behaviour != STAND_IN else ""

    def start(self, command: Sequence[str], args: Sequence[str], context: AppContext) -> Start | None:
        """How a container starts as a child process; None where it is a built-in application.

        command, args: of the container, with variables expanded.  Raises BadSetting.
        """
        if self.command:
            env = {"PYTHONPATH": os.pathsep.join(self.beside)} if self.beside else {}
            return Start((*self.command, *args), env)
        if not self.runs_command:
            return None
        if self._program_name == REDIS:
            return redis.start(command, args, context, self.tools)
        path = os.environ.get("PATH", os.defpath)
        return shell.start(short_name(self.reference), command, args, context, self.tools, path)

    def build(self, env: Mapping[str, str], context: AppContext) -> Servable:
        """The application of one container. Raises BadSetting."""
        return self.built_in.factory(env, context)

    def ports(self, declared: tuple[int, ...], args: Sequence[str]) -> tuple[int, ...]:
        """Where the application listens: on every declared port, and where its arguments say. Raises BadSetting."""
        own = self.built_in.own_port(args)
        if own is not None and own not in declared:
            return (*declared, own)
        return declared or (self.built_in.port,)

    @property
    def layers(self) -> tuple[layering.Layer, ...]:
        """From the ground up. Reads files that changed since the last time, so it may take a while: not in a loop."""
        return (layering.base(), *self._program(), layering.settings(self._settings()))

    def _program(self) -> tuple[layering.Layer, ...]:
        if self.command:
            program, *words = self.command
            own = layering.of_files("program", [(program, program)])
            return (own, layering.of_files("application", layering.named_files(words)))
        if self.runs_command:
            found = self._of_machine()
            return (layering.of_files("program", [(found, found)]),) if found else ()
        own = layering.of_files("program", [layering.interpreter()])
        return (own, layering.of_files("application", layering.modules(self.built_in.modules)))

    def _of_machine(self) -> str:
        """The program of this machine that the image stands for; empty where it depends on the container's command."""
        if self._program_name == REDIS:
            try:
                return redis.find()
            except BadSetting:
                return ""
        entry, instead = shell.TOOLS.get(self._program_name, ((), ()))
        words = (*entry, *instead)
        return (shutil.which(words[0]) or "") if words else ""

    def _settings(self) -> Mapping[str, object]:
        said: dict[str, object] = {}
        if self.command:
            said["command"] = self.command
        elif not self.runs_command:
            said.update(self.built_in.settings(self.reference))
        if self.behaviour:
            said["behaviour"] = self.behaviour
        if not self.known:
            said["stands in for"] = self.reference
        return said

    @property
    def digest(self) -> str:
        """sha256:... of the manifest: equal where the same would run. As slow as `layers`."""
        return layering.sha256(self.manifest)

    @property
    def manifest(self) -> bytes:
        """The image's manifest, in the Open Container Initiative's form."""
        return layering.manifest(self.command, self.layers)

    @property
    def image_id(self) -> str:
        """What a container's status says: `NAME@sha256:...`."""
        return f"{repository(self.reference)}@{self.digest}"


def repository(reference: str) -> str:
    """The image's name without tag and digest: `hashicorp/http-echo`."""
    name = reference.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def short_name(reference: str) -> str:
    """The repository without the registry that everybody means: `docker.io/library/nginx` is `nginx`."""
    name = repository(reference)
    for prefix in _HUB_PREFIXES:
        name = name.removeprefix(prefix)
    return name


class ImageTable:
    """The images of a node. commands: image name (with or without a tag) -> command line, as given with --image.

    Raises ValueError for a command line that cannot be split into words.
    """

    def __init__(self, commands: Mapping[str, str] | None = None) -> None:
        self._commands = {name: _words(name, command) for name, command in (commands or {}).items()}

    def names(self, reference: str) -> bool:
        """Whether a command was given for this very reference, tag and digest included."""
        return reference in self._commands

    def find(self, reference: str) -> Image:
        """What to run for a reference; never fails, an unknown image is the demo application."""
        names = [reference, repository(reference), short_name(reference)]
        if "@" in reference:  # a version: of whichever tag of that name there is
            names += [name for name in self._commands if repository(name) == names[1]]
        command = next((self._commands[name] for name in names if name in self._commands), ())
        built_in = BUILT_IN.get(short_name(reference))
        if len(command) == 1 and command[0] in BEHAVIOURS:
            stands_in = command[0] == STAND_IN
            return Image(reference, DEMO if stands_in else built_in or DEMO, behaviour=command[0])
        if command:
            return Image(reference, command=command)
        if reference.endswith(":" + MISSING_TAG):
            return Image(reference, behaviour="fail-pull")
        return Image(reference, built_in or DEMO, known=built_in is not None or short_name(reference) in PROGRAMS)


def _words(name: str, command: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise ValueError(f"image {name}: command {command!r}: {error}") from None
    if not words:
        raise ValueError(f"image {name}: the command is empty")
    return words
