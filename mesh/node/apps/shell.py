"""What do images run that are nothing but tools: `busybox`, `alpine`, `python`, ...?

The words of the container's command and args, as a child process on the user's machine, by the user's rights (kept
from the user's files by `sealing`) and with the machine's own programs; no shell is put before them. Three things are
done so that common manifests work as they do in a cluster: where a word names a mountPath, the volume's directory
stands there; `nslookup`, `nc` and `wget` ask the mesh for names (`applets`); and `python -m http.server` listens at
the container's address.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mesh.node.apps import applets
from mesh.node.apps.context import AppContext, BadSetting
from mesh.node.apps.start import Start

# Image -> its entry point, which args follow, and what it runs instead when the container says nothing at all.
TOOLS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "busybox": ((), ("sh",)),
    "alpine": ((), ("sh",)),
    "bash": ((), ("bash",)),
    "debian": ((), ("bash",)),
    "ubuntu": ((), ("bash",)),
    "perl": ((), ("perl",)),
    "python": ((), ("python3",)),
    "curlimages/curl": (("curl",), ("--help",)),
}
_WEB_SERVER = re.compile(r"-m http\.server\b")
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


def start(
    image: str, command: Sequence[str], args: Sequence[str], context: AppContext, tools: Path | None, path: str
) -> Start:
    """How a container of such an image starts.

    image: its short name.  tools: a directory for the applets; None goes without.  path: the machine's PATH.
    Raises BadSetting.
    """
    entry, instead = TOOLS.get(image, ((), ()))
    words = (*command, *args) if command else (*entry, *(args or instead))
    if not words:
        raise BadSetting("there is nothing to run: give the container a command")
    volumes, env = dict(context.volumes), {}
    if tools is not None:
        volumes.setdefault(ACCOUNT, _account(tools, context.namespace))
        if context.dns:
            env = {"PATH": f"{_applets(tools, path)}:{path}", applets.DNS: context.dns}
            env[applets.NAMESPACE] = context.namespace
    return Start(bound(with_volumes(words, volumes), context.address), env, context.scratch_dir)


def with_volumes(said: Sequence[str], volumes: Mapping[str, Path]) -> tuple[str, ...]:
    """The words with every mountPath that they name replaced by the volume's directory.

    A mountPath is named where a path begins with it: `/data`, `/data/x`, `--dir=/data`, `cp a /data/`; not in
    `/database`, `/my/data` or `http://host/data`.
    """
    table = {mount.rstrip("/"): str(where) for mount, where in volumes.items() if mount.rstrip("/")}
    if not table:
        return tuple(said)
    longest_first = sorted(table, key=len, reverse=True)
    pattern = re.compile(r"(?<![-\w./$})])(" + "|".join(map(re.escape, longest_first)) + r")(?![-\w.])")
    return tuple(pattern.sub(lambda match: table[match[1]], word) for word in said)


def bound(said: Sequence[str], address: str) -> tuple[str, ...]:
    """The words with Python's own web server listening at the container's address, not at every one of the machine."""
    text = " ".join(said)
    if not _WEB_SERVER.search(text) or "--bind" in text or " -b" in text:
        return tuple(said)
    found: list[str] = []
    for word in said:
        if word == "http.server":
            found += [word, "--bind", address]
        else:
            found.append(_WEB_SERVER.sub(lambda match: f"{match[0]} --bind {address}", word))
    return tuple(found)


def _account(tools: Path, namespace: str) -> Path:
    """A service account's directory, as far as one is needed here: the file `namespace`."""
    where = tools / "serviceaccount" / namespace
    if not (where / "namespace").exists():
        where.mkdir(parents=True, exist_ok=True)
        (where / "namespace").write_text(namespace)
    return where


def _applets(tools: Path, path: str) -> Path:
    """A directory for PATH with the applets. The machine's own wget goes first where it can ask the pod's proxy."""
    own = shutil.which("wget", path=path)
    first = f'[ -n "$http_proxy" ] && exec {shlex.quote(own)} "$@"\n' if own else ""
    where = tools / "bin"
    for name in applets.APPLETS:
        run = shlex.join([sys.executable, "-I", "-S", applets.__file__, name])
        put_script(where / name, f'{first if name == "wget" else ""}exec {run} "$@"\n')
    if shutil.which("python", path=path) is None:  # many machines call it python3 alone
        put_script(where / "python", 'exec python3 "$@"\n')
    return where


def put_script(script: Path, text: str) -> None:
    """Make a shell script, in one step, unless it is there."""
    if not script.exists():
        script.parent.mkdir(parents=True, exist_ok=True)
        draft = script.with_name(f".{script.name}.{os.getpid()}")
        draft.write_text(f"#!/bin/sh\n{text}")
        draft.chmod(0o755)
        draft.replace(script)
