"""How is a program kept from writing to what is mounted read-only?

On Linux by a mount namespace of its own, in which these directories are bound over themselves, read-only; nothing else
changes for it. Without privileges that takes a user namespace, which some systems forbid: then people are told.
"""

import contextlib
import ctypes
import errno
import os
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

_NEW_MOUNTS, _NEW_USERS = 0x00020000, 0x10000000
READ_ONLY, REMOUNT, BIND, RECURSIVE, _PRIVATE = 1, 32, 4096, 16384, 1 << 18
_KEPT = ((os.ST_RDONLY, 1), (os.ST_NOSUID, 2), (os.ST_NODEV, 4), (os.ST_NOEXEC, 8), (os.ST_NOATIME, 1024),
         (os.ST_NODIRATIME, 2048), (os.ST_RELATIME, 1 << 21))  # fmt: skip
"""Flags of statvfs and of mount: those that a file system has already may not be taken from it."""
Guard = Callable[[], None]
"""To be called in a child between fork and exec."""


def _libc() -> Any:
    """Looked up before any fork, so that the child needs no import and takes no lock."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        _ = libc.unshare, libc.mount, libc.prctl, libc.syscall
    except (OSError, AttributeError):
        return None  # not Linux
    return libc


LIBC = _libc()


def guard(directories: Sequence[Path]) -> Guard | None:
    """What makes the directories read-only for the calling process alone; None where nothing is to be done, or can."""
    if not directories or not possible():
        return None
    paths = [os.fsencode(path) for path in directories]
    user, group = os.geteuid(), os.getegid()

    def apply() -> None:
        own_namespace(user, group)
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                bind_read_only(path)
        with contextlib.suppress(OSError):
            os.chdir(os.getcwd())  # where it stands may lie below one of them, and was found before

    return apply


@cache
def possible() -> bool:
    """Whether this system allows it; tried once, in a child."""
    if LIBC is None:
        return False

    def attempt() -> None:
        own_namespace(user, group)
        bind_read_only(b"/")

    user, group = os.geteuid(), os.getegid()
    return succeeds(attempt)


def succeeds(attempt: Callable[[], None]) -> bool:
    """Whether a child can do it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about threads: the child only asks the kernel
        child = os.fork()
    if child == 0:
        code = 1
        try:
            attempt()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def own_namespace(user: int, group: int) -> None:
    """Mounts of its own for the calling process, whoever it is. Raises OSError."""
    do(LIBC.unshare(_NEW_MOUNTS if user == 0 else _NEW_MOUNTS | _NEW_USERS))
    if user != 0:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    do(LIBC.mount(None, b"/", None, RECURSIVE | _PRIVATE, None))


def bind_read_only(path: bytes) -> None:
    """To be called in such a namespace. Raises OSError."""
    kept = flags_of(path)
    do(LIBC.mount(path, path, None, BIND | RECURSIVE, None))
    do(LIBC.mount(None, path, None, BIND | REMOUNT | READ_ONLY | kept, None))


def flags_of(path: bytes | int) -> int:
    """Those of mount that the file system has there. path: or an open file."""
    found = os.statvfs(path).f_flag
    return sum(flag for has, flag in _KEPT if found & has)


def do(result: int) -> None:
    """Raises OSError where a call of the system has failed."""
    if result != 0:
        number = ctypes.get_errno() or errno.EPERM
        raise OSError(number, os.strerror(number))
