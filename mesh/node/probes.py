"""Is a container started, alive, ready? Decided from the sequence of its answers; asking is `prober`'s work.

A container that has just come up is asked in quick succession until its first success, since users wait for it. Those
extra questions can only do good: a failure counts at most once a period, as if only the period's question were asked.
"""

from dataclasses import dataclass
from typing import Literal

from mesh.api.core import Container, Probe
from mesh.api.meta import IntOrString
from mesh.node.apps.context import BadSetting

Role = Literal["startup", "readiness", "liveness"]
ROLES: tuple[Role, ...] = ("startup", "readiness", "liveness")
FIRST_TRY_S = 0.02
_TITLES: dict[Role, str] = {"startup": "Startup", "readiness": "Readiness", "liveness": "Liveness"}
_INITIAL: dict[Role, bool | None] = {"startup": None, "readiness": False, "liveness": True}


@dataclass(frozen=True, slots=True)
class Noted:
    """What one answer changed. counted: a failure that people should hear of.  flipped: the verdict is another one."""

    counted: bool
    flipped: bool


NOTHING = Noted(False, False)


class Track:
    """The answers of one probe of one running container. value: the verdict; None while a start is undecided."""

    __slots__ = ("_counted_at", "_last", "_run", "_succeeded", "_tries", "failures_needed", "period_s", "role",
                 "successes_needed", "value")  # fmt: skip

    def __init__(self, role: Role, probe: Probe) -> None:
        self.role: Role = role
        self.value = _INITIAL[role]
        self.period_s = float(max(probe.period_seconds, 1))
        self.successes_needed = max(probe.success_threshold, 1)
        self.failures_needed = max(probe.failure_threshold, 1)
        self._last, self._run, self._tries = True, 0, 0
        self._succeeded = False
        self._counted_at = float("-inf")

    def note(self, success: bool, now: float) -> Noted:
        """Take one answer."""
        if success:
            self._succeeded = True
        else:
            # Timers may wake a little early, hence not the whole period.
            if now - self._counted_at < self.period_s * 0.95:
                return NOTHING
            self._counted_at = now
        if success != self._last:
            self._last, self._run = success, 0
        self._run += 1
        needed = self.successes_needed if success else self.failures_needed
        flipped = self._run >= needed and self.value is not success
        if flipped:
            self.value = success
        return Noted(counted=not success, flipped=flipped)

    def pause_s(self) -> float:
        """How long to wait before the next question."""
        if self._succeeded or self.role == "liveness":
            return self.period_s
        self._tries += 1
        return float(min(FIRST_TRY_S * 2.0 ** (self._tries - 1), self.period_s))

    @property
    def done(self) -> bool:
        """A startup probe that was decided asks no more."""
        return self.role == "startup" and self.value is not None

    @property
    def title(self) -> str:
        return _TITLES[self.role]


def of_role(container: Container, role: Role, program: bool = False) -> Probe | None:
    """The container's probe of that role, if there is one that can be executed. program: it runs a program."""
    probe: Probe | None = getattr(container, f"{role}_probe")
    return probe if probe is not None and unsupported(probe, program) is None else None


def refused(container: Container, program: bool = False) -> list[str]:
    """A line for each probe that is not executed; the container is treated as if it were not there."""
    lines = []
    for role in ROLES:
        probe: Probe | None = getattr(container, f"{role}_probe")
        if probe is not None and (why := unsupported(probe, program)):
            lines.append(f"{_TITLES[role]} probe ignored: {why}")
    return lines


def unsupported(probe: Probe, program: bool = False) -> str | None:
    """Why a probe is not executed, if so. program: the container runs a program."""
    if probe.grpc is not None:
        return "grpc probes are not executed here; use httpGet or tcpSocket"
    if probe.exec is not None:
        instead = "exec probes are not executed here for built-in applications; use httpGet or tcpSocket"
        return None if program and probe.exec.get("command") else instead
    if probe.http_get is None and probe.tcp_socket is None:
        return "the probe names no action; use httpGet or tcpSocket"
    if probe.http_get is not None and probe.http_get.scheme.upper() != "HTTP":
        return "httpGet probes over HTTPS are not executed here; use scheme HTTP"
    return None


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


def problem_of(status: int, phrase: str) -> str | None:
    """What is wrong with an answer to httpGet; None for 200 to 399."""
    if 200 <= status < 400:
        return None
    return f"HTTP probe failed with statuscode: {status} {phrase}".rstrip()
