"""What runs when a container names an image?

A user's own command where one is given, else a built-in application, else the demo application with an event that
says so. `fail-pull`, `crash` and `never-ready` in place of a command make an image that misbehaves on purpose.
"""

import hashlib
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mesh.node.apps import demo, http_echo, kv, welcome
from mesh.node.apps.context import AppContext
from mesh.node.apps.serving import Servable

Factory = Callable[[Mapping[str, str], AppContext], Servable]
BEHAVIOURS = frozenset({"fail-pull", "crash", "never-ready"})
MISSING_TAG = "does-not-exist"


@dataclass(frozen=True, slots=True)
class Image:
    """What an image reference stands for.

    factory: a built-in application.  command: words of a user's program.  behaviour: fails on purpose.
    known: False where the demo application stands in for an image that nobody described.
    """

    reference: str
    factory: Factory | None = None
    command: tuple[str, ...] = ()
    behaviour: str = ""
    known: bool = True

    @property
    def image_id(self) -> str:
        """A digest of what would run, in a container runtime's form."""
        name = self.factory.__module__ + self.factory.__qualname__ if self.factory else shlex.join(self.command)
        digest = hashlib.sha256(f"{self.reference}\0{name}\0{self.behaviour}".encode()).hexdigest()
        return f"{repository(self.reference)}@sha256:{digest}"


def repository(reference: str) -> str:
    """The image's name without tag and digest: `hashicorp/http-echo`."""
    name = reference.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


BUILT_IN: dict[str, Factory] = {
    "containersol/k8s-deployment-strategies": demo.build,
    "httpd": welcome.httpd,
    "nginx": welcome.nginx,
    "hashicorp/http-echo": http_echo.build,
    "mesh/kv": kv.build,
}
_HUB_PREFIXES = ("docker.io/library/", "docker.io/", "library/")


class ImageTable:
    """The images of a node. commands: image name -> command line, as given with --image."""

    def __init__(self, commands: Mapping[str, str] | None = None) -> None:
        self._commands = dict(commands or {})

    def find(self, reference: str) -> Image:
        """What to run for a reference; never fails, an unknown image is the demo application."""
        name = repository(reference)
        command = self._commands.get(reference) or self._commands.get(name)
        if command in BEHAVIOURS:
            return Image(reference, demo.build, behaviour=command)
        if command:
            return Image(reference, command=tuple(shlex.split(command)))
        if reference.endswith(":" + MISSING_TAG):
            return Image(reference, behaviour="fail-pull")
        for prefix in _HUB_PREFIXES:
            name = name.removeprefix(prefix)
        factory = BUILT_IN.get(name)
        return Image(reference, factory or demo.build, known=factory is not None)
