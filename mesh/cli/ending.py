"""How does a mesh end? Imports little, so that `mesh down` is quick."""

import contextlib
import os
import signal
import time

from mesh.cli import state

STOP_S = 20.0


def stop(running: state.State) -> None:
    """Stop a mesh; returns when its control process is gone. Its children follow it in any case."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.control_pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    while state.alive(running.control_pid):
        reap(running.control_pid)
        if time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(running.control_pid, signal.SIGKILL)
            break
        time.sleep(0.02)
    state.forget(running.name)


def reap(pid: int) -> None:
    """Collect the process if it is this command's own child, so that it does not linger as a zombie."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
