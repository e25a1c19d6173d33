"""Is a container alive, and is it ready?

`Verdict` decides from the sequence of answers; `Prober` asks. Probes go to the application's own address, as Istio
rewrites them, so that the sidecar neither counts nor delays them.
"""

import asyncio
import http.client
from collections.abc import Callable
from dataclasses import dataclass

from mesh.api.core import Container, Probe
from mesh.api.meta import IntOrString
from mesh.node.apps.context import BadSetting

MAX_HEAD_BYTES = 16384
FIRST_TRY_S = 0.02
"""A container that has just started is asked soon and, until its first success, this often doubled up to period."""


@dataclass(slots=True)
class Verdict:
    """Counts answers against the thresholds. value: the present verdict.

    forgives: a failure counts once and then the count starts anew, as after a restart.
    """

    success_threshold: int
    failure_threshold: int
    value: bool
    forgives: bool = False
    _run: int = 0

    def note(self, success: bool) -> bool:
        """Take one answer; True when the verdict changed."""
        if success == self.value:
            self._run = 0
            return False
        self._run += 1
        if self._run < (self.success_threshold if success else self.failure_threshold):
            return False
        self.value, self._run = success or self.forgives, 0
        return True


def port_number(port: IntOrString, container: Container) -> int:
    """A number, or the container's port of that name. Raises BadSetting."""
    if isinstance(port, int):
        return port
    if port.isdigit():
        return int(port)
    for candidate in container.ports or ():
        if candidate.name == port:
            return candidate.container_port
    raise BadSetting(f"probe port {port!r}: container {container.name} has no port of that name")


def unsupported(probe: Probe) -> str | None:
    """Why a probe is not executed, if so."""
    for name in ("exec", "grpc"):
        if getattr(probe, name) is not None:
            return f"{name} probes are not executed here; use httpGet or tcpSocket"
    if probe.http_get is None and probe.tcp_socket is None:
        return "the probe names no action; use httpGet or tcpSocket"
    if probe.http_get is not None and probe.http_get.scheme.upper() != "HTTP":
        return "httpGet probes over HTTPS are not executed here; use scheme HTTP"
    return None


async def ask(probe: Probe, container: Container, address: str) -> str | None:
    """One attempt: None for success, else what went wrong."""
    try:
        async with asyncio.timeout(max(probe.timeout_seconds, 1)):
            if probe.tcp_socket is not None:
                _, writer = await asyncio.open_connection(address, port_number(probe.tcp_socket.port, container))
                writer.close()
                return None
            return await _get(probe, container, address)
    except TimeoutError:
        return f"no answer within {probe.timeout_seconds} s"
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, BadSetting) as error:
        return str(error) or type(error).__name__


async def _get(probe: Probe, container: Container, address: str) -> str | None:
    action = probe.http_get
    if action is None:
        return "no action"
    port = port_number(action.port, container)
    path = action.path if action.path.startswith("/") else "/" + action.path
    headers = {"host": f"{action.host or address}:{port}", "user-agent": "kube-probe/1.32", "connection": "close"}
    headers |= {entry["name"].lower(): entry["value"] for entry in action.http_headers or ()}
    reader, writer = await asyncio.open_connection(address, port, limit=MAX_HEAD_BYTES)
    try:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1", "replace"))
        status = (await reader.readuntil(b"\r\n")).split()
    finally:
        writer.close()
    code = int(status[1]) if len(status) > 1 and status[1].isdigit() else 0
    if 200 <= code < 400:
        return None
    return f"HTTP probe failed with statuscode: {code} {http.client.responses.get(code, '')}".rstrip()


async def watch(
    probe: Probe,
    container: Container,
    address: str,
    verdict: Verdict,
    changed: Callable[[bool, str], None],
    until_success: bool = False,
) -> None:
    """Ask for ever, or until the first success; tell each change of the verdict with the last failure's text."""
    await asyncio.sleep(probe.initial_delay_seconds)
    period_s = float(max(probe.period_seconds, 1))
    pause_s = FIRST_TRY_S
    succeeded = False
    while True:
        problem = await ask(probe, container, address)
        succeeded = succeeded or problem is None
        if verdict.note(problem is None):
            changed(problem is None, problem or "")
        if succeeded and until_success:
            return
        # A start is watched closely: users wait for it. Once it answers, the period holds.
        pause_s = period_s if succeeded else min(pause_s * 2, period_s)
        await asyncio.sleep(pause_s)
