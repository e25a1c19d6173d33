"""How is a container asked? One question at a time, from a timer, at the application's own address.

Probes pass by the sidecar, as Istio rewrites them, so that it neither counts nor delays them. Between two questions a
prober is a timer and no task, since a node may hold a thousand of them.
"""

import asyncio
import http.client
from collections.abc import Callable

from mesh.api.core import Container, Probe
from mesh.node import probes
from mesh.node.apps.context import BadSetting
from mesh.node.quiet import Beside, command_of, quietly
from mesh.runtime.clock import Clock

MAX_HEAD_BYTES = 16384
Told = Callable[[probes.Track, probes.Noted, str], None]


class Prober:
    """Asks one probe until stopped. told(track, what the answer changed, what was wrong): after every answer that
    changed something."""

    __slots__ = ("_address", "_beside", "_clock", "_container", "_probe", "_task", "_timer", "_told", "track")

    def __init__(
        self, role: probes.Role, probe: Probe, container: Container, address: str, clock: Clock, told: Told,
        beside: Beside | None = None,
    ) -> None:  # fmt: skip
        self.track = probes.Track(role, probe)
        self._beside = beside
        self._probe, self._container, self._address, self._clock, self._told = probe, container, address, clock, told
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._after(float(max(self._probe.initial_delay_seconds, 0)))

    def stop(self) -> None:
        """Ask no more; an answer on its way is not heard."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        self._task = None
        self._told = _nobody

    def _after(self, delay_s: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._task = asyncio.get_running_loop().create_task(self._ask(), name=f"probe/{self._container.name}")

    async def _ask(self) -> None:
        problem = await ask(self._probe, self._container, self._address, self._beside)
        noted = self.track.note(problem is None, self._clock.now())
        if noted.counted or noted.flipped:
            self._told(self.track, noted, problem or "")
        if self._told is not _nobody and not self.track.done:
            self._task = None
            self._after(self.track.pause_s())


def _nobody(track: probes.Track, noted: probes.Noted, problem: str) -> None:
    """Hears nothing: what a stopped prober tells."""


async def ask(probe: Probe, container: Container, address: str, beside: Beside | None = None) -> str | None:
    """One attempt: None for success, else what went wrong. beside: how a command runs, where one may."""
    timeout_s = max(probe.timeout_seconds, 1)
    try:
        async with asyncio.timeout(timeout_s):
            if probe.exec is not None and beside is not None:
                code, said = await quietly(command_of(probe.exec), beside)
                return said or f"the command exited with {code}" if code else None
            if probe.tcp_socket is not None:
                port = probes.port_number(probe.tcp_socket.port, container)
                _, writer = await asyncio.open_connection(address, port)
                writer.close()
                return None
            return await _get(probe, container, address)
    except TimeoutError:
        return f"no answer within {timeout_s} s"
    except ConnectionRefusedError:
        return f"dial tcp {address}: connection refused"
    except asyncio.IncompleteReadError:
        return "the connection was closed before an answer came"
    except (OSError, asyncio.LimitOverrunError, BadSetting) as error:
        return str(error) or type(error).__name__


async def _get(probe: Probe, container: Container, address: str) -> str | None:
    action = probe.http_get
    if action is None:
        return "no action"
    port = probes.port_number(action.port, container)
    path = action.path if action.path.startswith("/") else "/" + action.path
    headers = {"host": f"{action.host or address}:{port}", "user-agent": "kube-probe/1.32", "connection": "close"}
    headers |= {entry["name"].lower(): entry["value"] for entry in action.http_headers or ()}
    words = [path, *headers, *headers.values()]
    if not all(word.isprintable() for word in words):
        return "httpGet: the path or a header holds a control character"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    reader, writer = await asyncio.open_connection(address, port, limit=MAX_HEAD_BYTES)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1", "replace"))
        status = (await reader.readuntil(b"\r\n")).split()
    finally:
        writer.close()
    code = int(status[1]) if len(status) > 1 and status[1].isdigit() else 0
    return probes.problem_of(code, http.client.responses.get(code, ""))
