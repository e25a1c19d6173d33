"""How is a proxy loaded, and what did the client see?

With wrk where it is installed, else with a generator of our own (slower, so the proxy idles more). Both send the
requests of a case in turn over a fixed number of keep-alive connections.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cases import UNIQUE, Case

CONNECTIONS = 32
_LUA = """
local heads, tails, unique = {%s}, {%s}, {%s}
local count, n = #heads, 0
request = function()
  n = n + 1
  local i = n %% count + 1
  if unique[i] then return heads[i] .. n .. tails[i] end
  return heads[i]
end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format(
    'RESULT {"requests": %%d, "seconds": %%.6f, "errors": %%d, "p50_ms": %%.3f, "p99_ms": %%.3f}\\n',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.timeout + e.status,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the client saw in one run."""

    requests: int
    seconds: float
    errors: int
    """Connections that failed, answers that did not come, and statuses of 400 and above."""
    p50_ms: float
    p99_ms: float


def generator() -> str:
    return "wrk" if shutil.which("wrk") else "our own generator"


def run(case: Case, port: int, seconds: float, place: Path) -> Seen:
    """Load 127.0.0.1:port. Raises subprocess errors when the generator itself fails."""
    whole = max(1, round(seconds))
    if shutil.which("wrk"):
        script = place / f"{case.name}.lua"
        if not script.exists():
            script.write_text(lua(case))
        words = ["-t1", f"-c{CONNECTIONS}", f"-d{whole}s", "--timeout", "10s", "-s", str(script)]
        command = ["wrk", *words, f"http://127.0.0.1:{port}/"]
    else:
        command = [sys.executable, "-m", "benchmarks.loadgen", case.name, str(port), str(whole), str(CONNECTIONS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=whole + 60, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    return Seen(**json.loads(line.removeprefix("RESULT ")))


def lua(case: Case) -> str:
    """A wrk script that sends the requests of a case."""
    parts = [request.partition(UNIQUE) for request in case.requests]
    columns = ([_quote(part[0]) for part in parts], [_quote(part[2]) for part in parts])
    flags = ["true" if part[1] else "false" for part in parts]
    return _LUA % (",".join(columns[0]), ",".join(columns[1]), ",".join(flags))


def _quote(text: bytes) -> str:
    return (
        '"' + "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03d}" for byte in text) + '"'
    )
