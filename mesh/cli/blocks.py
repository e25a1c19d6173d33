"""Which block of addresses does a new mesh take?"""

import fcntl
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from mesh.cli.errors import UserError

BLOCKS = 8
MAY_RETURN_S = 60.0
"""How long the addresses of a mesh that was killed are left to it while there are others."""


def take_block(where: Path) -> tuple[IO[bytes], int]:
    """A block of addresses that no other mesh on this machine holds, and the lock that holds it.

    Objects that were kept carry addresses of their block, so a kept state comes up in the same block again. A new one
    takes the first that is free; those of a mesh that has just been killed come last, for it may be started again.
    """
    kept = where / "block"
    try:
        blocks: Sequence[int] = [int(kept.read_text())]
    except (OSError, ValueError):
        blocks = range(BLOCKS)
    folder = Path(tempfile.gettempdir()) / f"loopmesh-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    locks = {block: folder / f"block-{block}.lock" for block in blocks}
    for block in sorted(blocks, key=lambda block: _awaited(locks[block])):
        lock = open(locks[block], "ab")  # noqa: SIM115 - the control process inherits it
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        try:
            where.mkdir(parents=True, exist_ok=True)
            kept.write_text(f"{block}\n")
            lock.truncate(0)
            lock.write(os.fsencode(where.resolve()))
            lock.flush()
        except OSError as error:
            lock.close()
            raise UserError(f"--state {where}: cannot be written: {error.strerror}") from None
        return lock, block
    if len(blocks) == 1:
        raise UserError(
            f"--state {where}: its addresses (block {blocks[0]}) are in use by another mesh; stop that one", 1
        )
    raise UserError("eight meshes run on this machine already; stop one with: mesh down", 1)


def _awaited(lock: Path) -> bool:
    """Whether the last holder was killed a moment ago: SQLite removes its log where a database is closed in order."""
    try:
        log = Path(os.fsdecode(lock.read_bytes())) / "objects.db-wal"
        return time.time() - log.stat().st_mtime < MAY_RETURN_S
    except (OSError, ValueError):
        return False
