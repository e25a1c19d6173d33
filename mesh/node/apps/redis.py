"""What does the image `redis` run? The machine's own redis-server, bound to the container's address.

Its data lies in the pod's first volume and every write is appended to a log there before it is acknowledged
(`appendonly`, `appendfsync always` unless args say otherwise). Address, port and directory are the mesh's to choose;
everything else that command and args say is passed on.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from mesh.node.apps.context import AppContext, BadSetting
from mesh.node.apps.shell import put_script, with_volumes
from mesh.node.apps.start import Start

PROGRAM, CLIENT, PORT = "redis-server", "redis-cli", 6379
OWN = frozenset({"bind", "port", "dir", "daemonize", "unixsocket", "pidfile", "logfile"})
ABSENT = f"{PROGRAM} is not on this machine; install it (package {PROGRAM}), or give --image redis=COMMAND"


class NoRedis(BadSetting):
    """There is no redis-server here."""


def find(path: str | None = None) -> str:
    """The program. Raises NoRedis."""
    found = shutil.which(PROGRAM, path=path) or shutil.which(PROGRAM, path="/usr/sbin:/usr/local/bin:/usr/bin")
    if found is None:
        raise NoRedis(ABSENT)
    return found


def start(
    command: Sequence[str], args: Sequence[str], context: AppContext, tools: Path | None, path: str | None = None
) -> Start:
    """How a container of the image starts. Raises NoRedis, BadSetting.

    tools: a directory for a redis-cli that asks this very container when it is not told whom; None goes without.
    """
    program = find(path)
    said = [*command, *args]
    if said and Path(said[0]).name in (PROGRAM, "docker-entrypoint.sh"):
        said = said[1:]
        if said and Path(said[0]).name == PROGRAM:
            said = said[1:]
    elif command:
        raise BadSetting(f"command {command[0]!r}: redis is started as {PROGRAM} with arguments, not in another way")
    said = list(with_volumes(said, context.volumes))
    file = [said.pop(0)] if said and not said[0].startswith("-") else []
    options = [word for option in _kept(said) for word in option]
    ours = {
        "--bind": context.address,
        "--port": str(port(context.ports)),
        "--dir": str(context.volume_dir),
        "--protected-mode": "no",  # nothing but this machine reaches the address
        "--daemonize": "no",
        "--logfile": "",
        "--pidfile": "",
    }
    durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    words = [program, *file, *durable, *options, *(word for pair in ours.items() for word in pair)]
    env = {}
    if tools is not None and (client := shutil.which(CLIENT)) is not None:
        where = tools / "redis"
        put_script(where / CLIENT, f'exec {client} -h "${{HOST:-127.0.0.1}}" -p "${{PORT:-{PORT}}}" "$@"\n')
        env = {"PATH": f"{where}:{os.environ.get('PATH', os.defpath)}"}
    return Start(tuple(words), env, context.volume_dir)


def port(declared: Sequence[int]) -> int:
    """Where it listens: on its usual port if that is declared or nothing is, else on the first one declared."""
    return PORT if PORT in declared or not declared else declared[0]


def _kept(said: Sequence[str]) -> Iterator[list[str]]:
    """Options with their values, without those that are the mesh's to choose."""
    option: list[str] = []
    for word in said:
        if word.startswith("--"):
            if option and option[0][2:].lower() not in OWN:
                yield option
            option = []
        option.append(word)
    if option and option[0].removeprefix("--").lower() not in OWN:
        yield option
