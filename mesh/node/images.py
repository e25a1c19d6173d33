"""What runs when a container names an image?

A user's own command where one is given, else a built-in application, else the demo application with an event that
says so. `fail-pull`, `crash` and `never-ready` in place of a command make an image that misbehaves on purpose, and so
does the tag `does-not-exist`.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mesh.node import layers as layering
from mesh.node.apps import demo, http_echo, kv, welcome
from mesh.node.apps.context import AppContext
from mesh.node.apps.serving import Servable

Factory = Callable[[Mapping[str, str], AppContext], Servable]
BEHAVIOURS = frozenset({"fail-pull", "crash", "never-ready"})
MISSING_TAG = "does-not-exist"
_HUB_PREFIXES = ("docker.io/library/", "docker.io/", "library/")


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
}


@dataclass(frozen=True, slots=True)
class Image:
    """What an image reference stands for.

    command: words of a user's program; empty for a built-in application.  behaviour: fails on purpose.
    known: False where the demo application stands in for an image that nobody described.
    """

    reference: str
    built_in: BuiltIn = DEMO
    command: tuple[str, ...] = ()
    behaviour: str = ""
    known: bool = True

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
        own = layering.of_files("program", [layering.interpreter()])
        return (own, layering.of_files("application", layering.modules(self.built_in.modules)))

    def _settings(self) -> Mapping[str, object]:
        said: dict[str, object] = {}
        if self.command:
            said["command"] = self.command
        else:
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

    def find(self, reference: str) -> Image:
        """What to run for a reference; never fails, an unknown image is the demo application."""
        names = (reference, repository(reference), short_name(reference))
        command = next((self._commands[name] for name in names if name in self._commands), ())
        built_in = BUILT_IN.get(names[-1])
        if len(command) == 1 and command[0] in BEHAVIOURS:
            return Image(reference, built_in or DEMO, behaviour=command[0])
        if command:
            return Image(reference, command=command)
        if reference.endswith(":" + MISSING_TAG):
            return Image(reference, behaviour="fail-pull")
        return Image(reference, built_in or DEMO, known=built_in is not None)


def _words(name: str, command: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise ValueError(f"image {name}: command {command!r}: {error}") from None
    if not words:
        raise ValueError(f"image {name}: the command is empty")
    return words
