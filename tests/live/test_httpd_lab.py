"""The httpd exercise, typed as it is taught, with every kubectl of this machine."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.programs import newest_first
from tests.scenarios.support import ROUTES, Mesh, start, stop
from tests.tools import missing

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]
LAB = ROUTES / "httpd-lab"
Type = Callable[[str], str]


def kubectls() -> list[Any]:
    """Those that type in each run, and every other kubectl on PATH and beside it for `make soak`."""
    first = newest_first()
    known = {os.path.realpath(param.values[0]) for param in first}
    for folder in dict.fromkeys(os.environ["PATH"].split(":")):
        if (here := shutil.which("kubectl", path=folder)) is not None:
            for path in [here, *map(str, sorted(Path(here).resolve().parent.glob("kubectl.1.*")))]:
                if os.path.realpath(path) not in known:
                    known.add(os.path.realpath(path))
                    first.append(pytest.param(path, id=path.strip("/").replace("/", "-"), marks=pytest.mark.soak))
    return first


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    home = tmp_path_factory.mktemp("home")
    yield start(home, "-f", str(LAB / "service.yaml"))
    stop(home)


@pytest.fixture(params=kubectls())
def kubectl(request: pytest.FixtureRequest, mesh: Mesh, tmp_path: Path) -> Type:
    """Types one line behind `kubectl`; what it prints. Fails when the command does."""
    if not request.param:
        missing("no kubectl on this machine (package kubernetes-client)")

    def run(line: str) -> str:
        done = subprocess.run(
            ["bash", "-c", f'"$KUBECTL" -s "$API" {line}'],
            capture_output=True, text=True, timeout=60, cwd=ROUTES.parent,
            env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], "KUBECTL": request.param, "API": mesh.up["api"]},
        )  # fmt: skip
        assert done.returncode == 0, f"kubectl {line}: {done.stdout}{done.stderr}"
        return done.stdout

    return run


def pods(kubectl: Type) -> list[list[str]]:
    """Rows of the pods that stay."""
    rows = [row.split() for row in kubectl("get pods -l app=httpd").splitlines()[1:]]
    return [row for row in rows if row[2] == "Running"]


def causes(kubectl: Type) -> dict[int, str]:
    """Revision -> why."""
    out = kubectl("rollout history deployment httpd-deployment")
    assert re.search(r"^REVISION +CHANGE-CAUSE$", out, flags=re.M)
    return {int(revision): cause for revision, cause in re.findall(r"^(\d+) +(.+?) *$", out, flags=re.M)}


def server(mesh: Mesh, kubectl: Type) -> str:
    """What curl sees of the web servers, through their Service."""
    address = kubectl("get service httpd -o jsonpath={.spec.clusterIP}")
    done = mesh.curl("-I", f"http://{address}/")
    assert done.code == 0, done.err
    return re.findall(r"^server: (\S+)", done.out, flags=re.M | re.I)[0]


def test_the_lab(mesh: Mesh, kubectl: Type) -> None:
    status = "rollout status deployment httpd-deployment --timeout=40s"
    why = "annotate deployment httpd-deployment kubernetes.io/change-cause="
    assert "created" in kubectl("apply -f routes/httpd-lab/httpd.yaml")
    assert "annotat" in kubectl(why + "'first'")
    assert "successfully rolled out" in kubectl(status)
    assert len(pods(kubectl)) == 3
    assert server(mesh, kubectl) == "Apache/2.4.57"
    assert causes(kubectl) == {1: "first"}

    assert "image updated" in kubectl("set image deployment httpd-deployment httpd=httpd:2.4.62")
    kubectl(why + "'second: 2.4.62'")
    assert "successfully rolled out" in kubectl(status)
    assert server(mesh, kubectl) == "Apache/2.4.62"
    assert causes(kubectl) == {1: "first", 2: "second: 2.4.62"}

    assert "scaled" in kubectl("scale deployment httpd-deployment --replicas=5")
    assert "successfully rolled out" in kubectl(status)
    assert len(pods(kubectl)) == 5
    assert sorted(causes(kubectl)) == [1, 2], "scaling is no revision"

    kubectl("set image deployment httpd-deployment httpd=httpd:2.4.63")
    kubectl(why + "'third: 2.4.63'")
    assert "successfully rolled out" in kubectl(status)
    assert server(mesh, kubectl) == "Apache/2.4.63"
    assert causes(kubectl) == {1: "first", 2: "second: 2.4.62", 3: "third: 2.4.63"}

    assert "rolled back" in kubectl("rollout undo deployment httpd-deployment --to-revision=1")
    assert "successfully rolled out" in kubectl(status)
    image = "get deployment httpd-deployment -o jsonpath={.spec.template.spec.containers[0].image}"
    assert kubectl(image) == "httpd:2.4.57"
    assert server(mesh, kubectl) == "Apache/2.4.57"
    assert causes(kubectl) == {2: "second: 2.4.62", 3: "third: 2.4.63", 4: "first"}

    assert "rolled back" in kubectl("rollout undo deployment httpd-deployment")
    assert "successfully rolled out" in kubectl(status)
    assert kubectl(image) == "httpd:2.4.63"
    assert server(mesh, kubectl) == "Apache/2.4.63"

    assert "deleted" in kubectl("delete deployment httpd-deployment")
    deadline = time.monotonic() + 20  # not `wait --for=delete`: old kubectls fail where nothing is left to wait for
    while kubectl("get pods,replicasets -l app=httpd -o name"):
        assert time.monotonic() < deadline
