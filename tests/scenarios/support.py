"""A real mesh for a test: started by `mesh up` as a person would, stopped at the end whatever happens."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mesh.client.http import HttpClient
from mesh.testing.world import Hands, StepError, World
from tests.tools import program

ROUTES = Path(__file__).parents[2] / "routes"
# Scenarios that need thousands of requests over tens of seconds: `make soak` plays them.
LONG = frozenset({"ramped", "recreate"})


def long_ones(folder: Path) -> list[pytest.MarkDecorator]:
    """The marks of a scenario's tests."""
    return [pytest.mark.soak] if folder.name in LONG else []


UP_S, COMMAND_S = 40, 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A command that ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Mesh:
    """One running mesh. up: what `mesh up -o json` printed.  started_s: how long that took."""

    home: Path
    up: dict[str, Any]
    started_s: float

    @property
    def gateway(self) -> str:
        return str(self.up["gateway"])

    @property
    def people(self) -> str:
        """The address of gateway, API and DNS."""
        return self.gateway.removeprefix("http://").rpartition(":")[0]

    @property
    def gateway_port(self) -> int:
        return int(self.gateway.rpartition(":")[2])

    @property
    def dns(self) -> tuple[str, int]:
        address, _, port = self.up["dns"].rpartition(":")
        return address, int(port)

    def pids(self) -> set[int]:
        """Every process of the mesh."""
        return {self.up["control"]["pid"], self.up["gateway_pid"], *(node["pid"] for node in self.up["nodes"])}

    def cli(self, *words: str, stdin: str | None = None) -> Finished:
        return cli(self.home, *words, stdin=stdin)

    def apply(self, *files: Path | str) -> None:
        done = self.cli("apply", *(word for file in files for word in ("-f", str(file))))
        assert done.code == 0, done.err

    def apply_text(self, text: str) -> None:
        done = self.cli("apply", "-f", "-", stdin=text)
        assert done.code == 0, done.err

    def world(self) -> World:
        async def apply(paths: Sequence[str]) -> None:
            done = await asyncio.to_thread(self.cli, "apply", *(word for path in paths for word in ("-f", path)))
            if done.code:
                raise StepError(done.err)

        nodes = {node["name"]: node["pid"] for node in self.up["nodes"]}
        return World(gateway=self.gateway, api=self.up["api"], dns=self.dns, nodes=nodes, apply=apply)

    def hands(self, client: HttpClient) -> Hands:
        return Hands(self.world(), client)

    def curl(self, *words: str, timeout_s: float = 5) -> Finished:
        """The real curl, quiet, without anybody's proxy settings."""
        command = [program("curl", "package curl"), "--silent", "--show-error", "--max-time", str(timeout_s), *words]
        environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s + 5, env=environment)
        return Finished(code=done.returncode, out=done.stdout, err=done.stderr)

    def gateway_counts(self, *labels: str) -> Counter[tuple[str, ...]]:
        """`istio_requests_total` of the gateway, summed over all labels but these."""
        done = self.curl(f"http://{self.people}:15090/stats/prometheus")
        assert done.code == 0, done.err
        total: Counter[tuple[str, ...]] = Counter()
        for family in text_string_to_metric_families(done.out):
            for sample in family.samples:
                if sample.name == "istio_requests_total":
                    total[tuple(sample.labels[label] for label in labels)] += round(sample.value)
        return total


def cli(home: Path, *words: str, stdin: str | None = None, timeout_s: float = COMMAND_S) -> Finished:
    """Run `mesh WORDS` as a person would."""
    done = subprocess.run(
        [sys.executable, "-m", "mesh.cli.main", *words],
        capture_output=True,
        text=True,
        input=stdin,
        timeout=timeout_s,
        env={**os.environ, "MESH_HOME": str(home), "NO_COLOR": "1"},
    )
    return Finished(code=done.returncode, out=done.stdout, err=done.stderr)


def start(home: Path, *words: str) -> Mesh:
    """`mesh up --detach -o json WORDS`."""
    begin = time.monotonic()
    done = cli(home, "up", "--detach", "-o", "json", *words, timeout_s=UP_S)
    took_s = time.monotonic() - begin
    assert done.code == 0, done.err
    return Mesh(home, json.loads(done.out), took_s)


def stop(home: Path) -> None:
    """End whatever runs below this home; the address blocks are free again afterwards."""
    for running in home.glob("*/running.json"):
        done = cli(home, "down", "--name", running.parent.name)
        assert done.code == 0, done.err


def saw(figure: str) -> None:
    """Print what was measured: `pytest -s` shows it."""
    print(f"\n  saw: {figure}")


Up = Callable[..., Mesh]


def resident_mb(pid: int) -> float:
    """Resident memory of a process, as the kernel counts it."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
