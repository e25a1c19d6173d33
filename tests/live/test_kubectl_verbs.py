"""Real kubectls type the verbs that need controllers and nodes: rollouts, drains, cascades, waiting, events.

One mesh for all programs; each program works in a namespace of its own.
"""

import os
import re
import subprocess
from collections.abc import Callable, Iterator

import orjson
import pytest

from tests.live.programs import newest_only
from tests.scenarios.support import Mesh, start, stop
from tests.tools import missing

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]
Type = Callable[..., str]
POD = """
    metadata: {labels: {app: APP}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: c, image: "IMAGE", ports: [{name: http, containerPort: 80}]}
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
""" + POD.replace("APP", "web").replace("IMAGE", "httpd:2.4.57")
STATEFUL = """
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: http, port: 80}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 2
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
""" + POD.replace("APP", "db").replace("IMAGE", "httpd:2.4.57")
DAEMONS = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
""" + POD.replace("APP", "agent").replace("IMAGE", "httpd:2.4.57")


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    home = tmp_path_factory.mktemp("home")
    yield start(home, "--nodes", "2")
    stop(home)


@pytest.fixture(scope="module", params=newest_only())
def kubectl(request: pytest.FixtureRequest, mesh: Mesh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Type]:
    """Types words behind `kubectl`; what it prints. Fails when the command does, unless it should."""
    program = request.param or missing("no kubectl on this machine (package kubernetes-client)")
    home = tmp_path_factory.mktemp("kubectl")
    space = f"v{abs(hash(program))}"

    def run(line: str, *more: str, stdin: str = "", code: int = 0) -> str:
        done = subprocess.run(
            [program, "-s", mesh.up["api"], "-n", space, *line.split(), *more],
            input=stdin, capture_output=True, text=True, timeout=60,
            env={"HOME": str(home), "PATH": os.environ["PATH"]},
        )  # fmt: skip
        assert done.returncode == code, f"kubectl {line}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr if code else done.stdout

    run(f"create namespace {space}")
    yield run
    run(f"delete namespace {space}")


def image(kubectl: Type, what: str) -> str:
    return kubectl(f"get {what} -o jsonpath={{.spec.template.spec.containers[0].image}}")


def staying(kubectl: Type, what: str) -> set[str]:
    """UIDs of the pods that are not on their way out."""
    found = orjson.loads(kubectl(f"get pods -l app={what.partition('/')[2]} -o json"))["items"]
    return {pod["metadata"]["uid"] for pod in found if "deletionTimestamp" not in pod["metadata"]}


def minor(kubectl: Type) -> int:
    version = orjson.loads(kubectl("version --client -o json"))["clientVersion"]
    return int("".join(filter(str.isdigit, version["minor"])))


@pytest.mark.parametrize(
    ("what", "manifest"),
    [
        pytest.param("statefulset/db", STATEFUL.replace("replicas: 2", "replicas: 1"), id="statefulset"),
        pytest.param("daemonset/agent", DAEMONS, id="daemonset"),
        pytest.param("deployment/web", DEPLOYMENT, id="deployment", marks=pytest.mark.soak),
    ],
)
def test_history_undo_and_restart(kubectl: Type, what: str, manifest: str) -> None:
    status = f"rollout status {what} --timeout=40s"
    kubectl("apply -f -", stdin=manifest)
    kubectl(f"annotate {what} kubernetes.io/change-cause=first")
    kubectl(status)
    kubectl(f"set image {what} c=httpd:2.4.62")
    kubectl(f"annotate {what} kubernetes.io/change-cause=second --overwrite")
    kubectl(status)
    history = kubectl(f"rollout history {what}")
    assert re.search(r"REVISION +CHANGE-CAUSE", history)
    assert [line.split()[0] for line in history.splitlines() if line[:1].isdigit()] == ["1", "2"]
    shown = kubectl(f"rollout history {what} --revision=1")
    assert "httpd:2.4.57" in shown
    assert "httpd:2.4.62" in kubectl(f"rollout history {what} --revision=2")
    assert "httpd:2.4.57" in kubectl(f"rollout undo {what} --dry-run=server") + image(kubectl, what).replace("62", "57")
    assert image(kubectl, what) == "httpd:2.4.62"
    assert "rolled back" in kubectl(f"rollout undo {what} --to-revision=1")
    kubectl(status)
    assert image(kubectl, what) == "httpd:2.4.57"
    history = kubectl(f"rollout history {what}")
    assert [line.split()[0] for line in history.splitlines() if line[:1].isdigit()] == ["2", "3"]
    assert "unable to find" in kubectl(f"rollout undo {what} --to-revision=99", code=1).lower()
    before = staying(kubectl, what)
    assert "restarted" in kubectl(f"rollout restart {what}")
    kubectl(status)
    assert before.isdisjoint(staying(kubectl, what))
    assert kubectl(f"describe {what}").count("httpd:2.4.57") == 1


def test_pausing_setting_env_and_exposing(kubectl: Type) -> None:
    kubectl("apply -f -", stdin=DEPLOYMENT)
    kubectl("rollout status deploy/web --timeout=40s")
    assert "paused" in kubectl("rollout pause deploy/web")
    kubectl("set env deploy/web GREETING=hello")
    kubectl("set resources deploy/web --limits=memory=64Mi")
    sets = len(kubectl("get rs -l app=web -o name").split())
    assert "resumed" in kubectl("rollout resume deploy/web")
    kubectl("rollout status deploy/web --timeout=40s")
    assert len(kubectl("get rs -l app=web -o name").split()) == sets + 1
    assert "GREETING=hello" in kubectl("set env deploy/web --list")
    assert "hello" in kubectl("exec deploy/web -- env")
    assert "exposed" in kubectl("expose deploy/web --port=80 --name=front")
    assert kubectl("get endpoints front -o jsonpath={.subsets[0].addresses[*].ip}").count(".") == 6
    assert "autoscaled" in kubectl("autoscale deploy/web --min=2 --max=3 --cpu-percent=50")
    assert "front" in kubectl("describe svc front")
    assert "scaled" in kubectl("scale deploy/web --current-replicas=2 --replicas=3")
    kubectl("wait deploy/web --for=condition=Available --timeout=30s")


def test_every_output(kubectl: Type, mesh: Mesh) -> None:
    kubectl("apply -f -", stdin=DEPLOYMENT)
    kubectl("rollout status deploy/web --timeout=40s")
    everywhere = kubectl("get pods -A").splitlines()
    assert everywhere[0].split() == ["NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    columns = kubectl("get deploy -o custom-columns=N:.metadata.name,R:.spec.replicas").splitlines()
    assert columns[0].split() == ["N", "R"]
    wide = kubectl("get pods -o wide -l app=web --sort-by=.metadata.name --show-labels").splitlines()
    assert wide[0].split()[-1] == "LABELS"
    assert {row.split()[6] for row in wide[1:]} <= {"node-1", "node-2"}
    assert "app=web" in kubectl("get pods -L app -l app=web --no-headers -o wide --show-labels")
    names = kubectl("get pods -l app=web -o go-template={{range.items}}{{.metadata.name}},{{end}}")
    assert names.count("web-") >= 2
    assert orjson.loads(kubectl("get nodes -o json"))["kind"] == "List"
    assert "is running at" in kubectl("cluster-info")
    assert "Normal" in kubectl("get events --field-selector=involvedObject.kind=Pod")
    assert "ScalingReplicaSet" in kubectl("describe deploy web")
    assert "Started" in kubectl("describe pods -l app=web")
    assert "Server Version" in kubectl("version")
    if minor(kubectl) > 25:  # newer kubectls have a verb for it
        assert "SuccessfulCreate" in kubectl("events --types=Normal")


def test_drain_and_uncordon(kubectl: Type) -> None:
    kubectl("apply -f -", stdin=DEPLOYMENT)
    kubectl("rollout status deploy/web --timeout=40s")
    assert "cordoned" in kubectl("cordon node-2")
    assert "SchedulingDisabled" in kubectl("get node node-2")
    try:
        drained = kubectl("drain node-2 --ignore-daemonsets --force --timeout=40s")
        assert "drained" in drained or "evicted" in drained
        kubectl("rollout status deploy/web --timeout=40s")
        assert set(kubectl("get pods -l app=web -o jsonpath={.items[*].spec.nodeName}").split()) == {"node-1"}
    finally:
        assert "uncordoned" in kubectl("uncordon node-2")
    assert "SchedulingDisabled" not in kubectl("get node node-2")
    kubectl("taint node node-2 key=value:NoSchedule")
    kubectl("taint node node-2 key:NoSchedule-")


def test_what_goes_with_what(kubectl: Type) -> None:
    kubectl("apply -f -", stdin=DEPLOYMENT)
    kubectl("rollout status deploy/web --timeout=40s")
    kubectl("delete deploy/web --cascade=orphan")
    assert kubectl("get rs -l app=web -o jsonpath={.items[*].metadata.ownerReferences}") == ""
    kubectl("apply -f -", stdin=DEPLOYMENT)  # adopts what is there
    kubectl("rollout status deploy/web --timeout=40s")
    kubectl("delete deploy/web --cascade=foreground --timeout=40s")
    assert kubectl("get rs,pods -l app=web -o name") == ""
    kubectl("apply -f -", stdin=DEPLOYMENT)
    kubectl("delete all -l app=web")
    assert kubectl("get deploy,rs,pods -l app=web -o name") == ""


CLAIMED = (
    STATEFUL.replace("db", "disks")
    .replace("containerPort: 80}]}", "containerPort: 80}], volumeMounts: MOUNTS}")
    .rstrip()
    + """
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
).replace("MOUNTS", "[{name: data, mountPath: /data}]")
JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: count}
spec:
  completions: 2
  template:
    spec:
      restartPolicy: Never
      containers: [{name: c, image: busybox, command: [echo, counted]}]
"""


def test_claims_of_a_stateful_set(kubectl: Type) -> None:
    kubectl("apply -f -", stdin=CLAIMED)
    kubectl("rollout status statefulset/disks --timeout=40s")
    rows = [row.split() for row in kubectl("get pvc --no-headers").splitlines()]
    assert [(row[0], row[1], row[3], row[4]) for row in rows] == [
        ("data-disks-0", "Bound", "1Gi", "RWO"), ("data-disks-1", "Bound", "1Gi", "RWO"),
    ]  # fmt: skip
    assert f"/{rows[0][0]}" in kubectl(f"get pv {rows[0][2]}")
    described = kubectl("describe pvc data-disks-0")
    assert re.search(r"(Used|Mounted) By: +disks-0", described)
    assert "Waiting for" not in kubectl("rollout status sts/disks")
    assert "shutting down" not in kubectl("describe sts disks")
    kubectl("delete statefulset disks")
    assert len(kubectl("get pvc -o name").split()) == 2
    kubectl("delete pvc --all --timeout=40s")
    assert kubectl("get pvc -o name") == ""


def test_a_job_to_its_end(kubectl: Type) -> None:
    kubectl("apply -f -", stdin=JOB)
    kubectl("wait job/count --for=condition=complete --timeout=40s")
    assert "2/2" in kubectl("get job count")
    assert "counted" in kubectl("logs job/count")
    assert "Completed" in kubectl("get pods -l job-name=count")
    assert "2 Succeeded" in kubectl("describe job count")
    kubectl("delete job count")
    assert kubectl("get pods -l job-name=count -o name") == ""
