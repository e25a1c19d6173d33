"""How is a manifest's command kept from changing the files of the machine that it runs on?

On Linux by a mount namespace of its own in which everything is read-only, but for what is the container's: its volumes,
its working directory, and a /tmp that it shares with nobody. Device files are closed but for the harmless ones, and so
are the doors by which others would work for it (`systemd --user`, docker). Reading is left to it, and the network.
"""

import contextlib
import ctypes
import errno
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mesh.node import read_only
from mesh.node.apps import applets
from mesh.node.read_only import BIND, READ_ONLY, RECURSIVE, REMOUNT, Guard, do, flags_of

OWN = ("/tmp", "/dev/shm")  # noqa: S108 - to be replaced, not to be used
"""Directories that every container has for itself."""
_DOORS = ("/run/user", "/run/dbus", "/run/docker.sock", "/run/podman", "/run/containerd")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_NO_DEVICES = 4
_MOUNT_SETATTR, _HERE, _TREE = 442, -100, 0x8000
_FROZEN = (ctypes.c_uint64 * 4)(READ_ONLY | _NO_DEVICES, 0, 0, 0)
"""struct mount_attr: set, clear, propagation, user namespace."""
_BOUNDED, _KEPT_RIGHTS = 24, frozenset({0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 29, 31})
"""PR_CAPBSET_DROP, and what is left of root's rights: those of a container, without mknod and chroot."""
_ESCAPES = ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\"))


@dataclass(frozen=True, slots=True)
class Room:
    """What belongs to a container.

    writable: directories and files; they lie below `roots`, whatever a container makes of them.  fixed: what is
    read-only of them nevertheless.  own: directory on the machine -> what takes its place.  seen: directories that must
    not be hidden by that.  empty: an empty directory.
    """

    writable: Sequence[Path]
    fixed: Sequence[Path]
    own: Mapping[str, Path]
    roots: Sequence[Path]
    seen: Sequence[Path]
    empty: Path


Bound = tuple[bytes, bytes, int]
"""(what, where, flags of mount)"""


def seal(room: Room) -> Guard:
    """What leaves the calling process nothing to write to but the room. To be called where `possible()`."""
    roots = tuple(os.fsencode(os.path.realpath(root)) + b"/" for root in room.roots)
    own = [_bound(source, place, _NO_DEVICES) for place, source in room.own.items() if os.path.isdir(place)]
    doors = [_bound(room.empty if os.path.isdir(door) else "/dev/null", door, READ_ONLY | _NO_DEVICES)
             for door in _DOORS if os.path.exists(door)]  # fmt: skip
    hidden = tuple(os.path.realpath(place) + "/" for place in (*room.own, *_DOORS))
    seen = [_bound(path, path, READ_ONLY | _NO_DEVICES) for path in dict.fromkeys(map(str, (*room.seen, *_ours())))
            if os.path.realpath(path).startswith(hidden) and os.path.exists(path)]  # fmt: skip
    devices = [_bound(device, device, READ_ONLY) for device in _DEVICES if os.path.exists(device)]
    writable = [_bound(path, path, _NO_DEVICES) for path in room.writable if path.exists()]
    fixed = [os.fsencode(path) for path in room.fixed]
    checked = {source for source, _, _ in (*own, *writable)}
    binds = (*own, *doors, *seen, *devices, *writable)
    user, group = os.geteuid(), os.getegid()

    def apply() -> None:
        read_only.own_namespace(user, group)
        opened = [(_open(source, roots if source in checked else ()), place, flags) for source, place, flags in binds]
        known = [(file, place, flags | flags_of(file)) for file, place, flags in opened]
        freeze()
        for file, place, flags in known:
            _bind(b"/proc/self/fd/%d" % file, place, flags)
            os.close(file)
        for path in fixed:
            if os.path.exists(path):
                read_only.bind_read_only(path)
        with contextlib.suppress(OSError):
            os.chdir(os.getcwd())  # where it stands was found before, and may be elsewhere now
        if user == 0:
            _drop_rights()

    return apply


@cache
def possible() -> bool:
    """Whether this system allows it; tried once, in a child."""

    def attempt() -> None:
        read_only.own_namespace(user, group)
        freeze()

    user, group = os.geteuid(), os.getegid()
    return read_only.possible() and read_only.succeeds(attempt)


def freeze() -> None:
    """Everything that is mounted becomes read-only, and its device files are closed. In a child; raises OSError."""
    libc = read_only.LIBC
    if libc.syscall(_MOUNT_SETATTR, _HERE, b"/", _TREE, _FROZEN, ctypes.sizeof(_FROZEN)) == 0:
        return
    if ctypes.get_errno() != errno.ENOSYS:
        do(-1)
    with open("/proc/self/mountinfo", "rb") as file:  # before Linux 5.12: one by one
        places = [line.split(b" ", 5)[4] for line in file.read().splitlines()]
    for place in places:
        for said, meant in _ESCAPES:
            place = place.replace(said, meant)
        try:
            _remount(place, flags_of(place) | READ_ONLY | _NO_DEVICES)
        except FileNotFoundError:
            continue  # something else is mounted above it


def _bound(source: str | Path, place: str | Path, flags: int) -> Bound:
    return os.fsencode(os.path.realpath(source)), os.fsencode(place), flags


def _open(source: bytes, roots: tuple[bytes, ...]) -> int:
    """Raises PermissionError where a link leads out of the roots, as a container may have left one."""
    file = os.open(source, os.O_PATH)
    if roots and not os.readlink(b"/proc/self/fd/%d" % file).startswith(roots):
        raise PermissionError(errno.EPERM, "it leads out of the state directory")
    return file


def _bind(source: bytes, place: bytes, flags: int) -> None:
    if not os.path.exists(place):  # in a directory of the container's own that took the place of the machine's
        os.makedirs(place)
    do(read_only.LIBC.mount(source, place, None, BIND | RECURSIVE, None))
    _remount(place, flags)


def _remount(place: bytes, flags: int) -> None:
    do(read_only.LIBC.mount(None, place, None, BIND | REMOUNT | flags, None))


def _drop_rights() -> None:
    """Root could mount everything anew, look through others' eyes, or call a disk by its number."""
    right = 0
    while right in _KEPT_RIGHTS or read_only.LIBC.prctl(_BOUNDED, right, 0, 0, 0) == 0:
        right += 1


@cache
def _ours() -> tuple[str, ...]:
    """Where the interpreter and the applets are, and the machine's programs."""
    package = os.path.dirname(os.path.abspath(applets.__file__))
    return (package, sys.prefix, sys.base_prefix, *(path for path in os.get_exec_path() if os.path.isabs(path)))
