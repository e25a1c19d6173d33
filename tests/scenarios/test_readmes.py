"""What a README tells people to type works as it stands there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scenarios.support import ROUTES, long_ones, stop
from tests.tools import program

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

TOOLS = {"curl": "package curl", "dig": "package dnsutils", "kubectl": "package kubernetes-client"}
READMES = sorted(ROUTES.glob("*/README.md"))
# What other tests do as well, or what takes sixty commands: `make soak` types these.
MANY_COMMANDS = frozenset({"ab-test", "headless-sharding", "httpd-lab", "shadow", "volumes"})
PRELUDE = f"""
set -euo pipefail
mesh() {{ {shlex.quote(sys.executable)} -m mesh.cli.main "$@"; }}
"""


def commands(readme: Path) -> list[str]:
    """The lines to type: indented, and neither output nor with a placeholder; and those of a table."""
    found = re.findall(r"^(?: {4}|\| `(?=curl ))(.*?)(?:` \|.*)?$", readme.read_text(), flags=re.M)
    return [line for line in found if not line.startswith("Host: ") and "POD_ADDRESS" not in line]


def marks_of(folder: Path) -> list[pytest.MarkDecorator]:
    return [pytest.mark.soak] if folder.name in MANY_COMMANDS else long_ones(folder)


@pytest.mark.parametrize(
    "readme", [pytest.param(readme, id=readme.parent.name, marks=marks_of(readme.parent)) for readme in READMES]
)
def test_commands(readme: Path, tmp_path: Path) -> None:
    first, *rest = commands(readme)
    for name, hint in TOOLS.items():
        if any(re.search(rf"\b{name} ", line) for line in rest):
            program(name, hint)
    assert first.startswith("mesh up -f routes/"), "a README begins by starting the mesh"
    typed = [line for line in rest if line != "mesh down"]
    assert len(rest) == len(typed) + 1, "and ends by stopping it"
    find = 'PEOPLE=$(mesh status -o json | python3 -c \'import json, sys; print(json.load(sys.stdin)["dns"].split(":")[0])\')'
    nodes = 'NODES=$(mesh get nodes -o json | python3 -c \'import json, sys; print(json.load(sys.stdin)["items"][0]["status"]["addresses"][0]["address"].rpartition(".")[0])\')'
    script = [PRELUDE, first, find, nodes]
    for line in typed:
        here = line.replace("127.0.0.1", "${PEOPLE}").replace("127.18.0.", "${NODES}.").replace("'http", "http")
        script += [f"echo {shlex.quote('$ ' + line)}", here]
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    environment |= {"MESH_HOME": str(tmp_path), "NO_COLOR": "1"}
    try:
        done = subprocess.run(
            ["bash", "-c", "\n".join(script)],
            cwd=ROUTES.parent,
            env=environment,
            capture_output=True,
            text=True,
            timeout=90,
        )
    finally:
        stop(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    shown(readme.parent.name, done.stdout)


def test_the_front_page_types_the_same() -> None:
    """What the front page says of services is typed above, word for word."""
    page = (ROUTES.parent / "README.md").read_text().partition("## Services and addresses")[2].partition("\n## ")[0]
    typed = re.findall(r"^\$ (.*)$", page, flags=re.M)
    assert typed[0].startswith("mesh up -f routes/services")
    assert not set(typed) - set(commands(ROUTES / "services" / "README.md"))


def shown(name: str, out: str) -> None:
    """What the README promises of the answers."""
    answers = re.findall(r"Version: (v\d)\.0\.0", out)
    match name:
        case "canary":
            (v1,), (v2,) = re.findall(r"(\d+) Version: v1", out), re.findall(r"(\d+) Version: v2", out)
            assert int(v1) + int(v2) == 300
            assert 12 <= int(v2) <= 52
            assert "istio_requests_total{" in out
        case "ab-test":
            assert answers == ["v1", "v2", "v2", "v1", "v2"]
        case "shadow":
            assert answers == ["v1"] * 21
        case "blue-green":
            assert answers == ["v1"]
            assert "my-app patched" in out
        case "headless-sharding":
            addresses = out.partition("kv-3.kv")[0]
            assert len(re.findall(r"^127\.", addresses, flags=re.M)) == 5
            assert out.count("\nblue") == 2
            assert "\n5 -> 11 shards: moved 177 of 301 keys (58.8%); the least is 54.5%\n" in out
            assert "\nkv-3 holds 50 keys\n" in out
            assert "\n11 -> 3 shards: moved 222 of 301 keys (73.8%); the least is 72.7%\n" in out
            assert out.count("\nfound 300 of 300 keys where they belong") == 2
            put, got, new, *stays = re.findall(r"^x-pod: (kv-[0-2])", out, flags=re.M)
            assert put == got
            assert "\nround" in out
            assert new
            assert re.search("^set-cookie: shard=", out, flags=re.M | re.I)
            assert (len(stays), len(set(stays[:3])), len(set(stays[3:]))) == (6, 1, 1)
        case "ramped":
            _, _, undone = out.partition("$ kubectl rollout undo")
            stayed = re.findall(r"Version: (v\d)", undone)
            first, *mixed, last = answers[: len(answers) - len(stayed)]
            assert stayed == sorted(stayed, reverse=True), "a user with a cookie never goes back"
            assert (stayed[0], stayed[-1]) == ("v2", "v1")
            assert (first, last) == ("v1", "v2")
            assert set(mixed) == {"v1", "v2"}, "half way both versions answer"
        case "recreate":
            assert answers == ["v1", "v2"]
            assert "\n503\n" in out
        case "services":
            counts = [set(re.findall(r"Version: (v\d)", part)) for part in out.split("\n$ ")]
            layer_4 = [part for part, said in zip(out.split("\n$ "), counts, strict=True) if said == {"v1", "v2"}]
            assert len(layer_4) >= 3, "at layer 4 both versions answer"
            assert re.findall(r'"source":"(127\.18|127\.0\.0\.7)', out.replace("127.48", "127.18")) == [
                "127.18",
                "127.0.0.7",
            ]
            assert re.findall(r"^ +20 Host", out, flags=re.M), "a client keeps its pod"
            assert len(re.findall(r": nobody answers$", out, flags=re.M)) == 2, "one of each, before cross-zone is on"
            assert re.findall(r"^ +(\d+) Version: v1", out, flags=re.M)[-1] == "20", "rules apply at layer 7"
            assert "cross-zone load balancing is off" in out
            assert "leads nowhere\n" in out
        case "httpd-lab":
            assert out.count("successfully rolled out") == 5
            assert re.findall(r"^(\d) +\S.*$", out.rpartition("REVISION")[2], flags=re.M) == ["2", "3", "4"]
            assert re.findall(r"^server: (\S+)", out, flags=re.M | re.I) == [
                "Apache/2.4.57", "Apache/2.4.62", "Apache/2.4.57",
            ]  # fmt: skip
        case "volumes":
            said = re.findall(r"^(scratch|host|disk|share): ?(\w*)$", out, flags=re.M)
            kept = [{store: word == store for store, word in said[i : i + 4]} for i in (0, 4, 8)]
            everywhere = {"disk": True, "share": True}
            assert kept == [
                {"scratch": True, "host": True, **everywhere},
                {"scratch": False, "host": False, **everywhere},
                {"scratch": False, "host": True, **everywhere},
            ]
            assert "Volume is already used by pod(s) disk-0" in out
            assert "ReadWriteOncePod access mode" in out
            assert "read-only" in out
            assert "<Code>ObjectAlreadyExists</Code>" in out
            assert out.count("dear reader") == 2, "once typed, once read back"
            assert "good evening" in out
            assert 'storageclass.storage.k8s.io "golden" not found' in out
        case _:
            raise AssertionError(f"say what the README of {name} promises")
