"""DaemonSets, Jobs and the history of StatefulSets, as people meet them: through kubectl, on a real mesh."""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator

import orjson
import pytest

from tests.live.programs import newest_only
from tests.scenarios.support import Mesh, start, stop
from tests.tools import missing

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

DAEMONS = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: web, image: "httpd:2.4.57"}]}
"""
STORE = """
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: http, port: 7000}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, annotations: {kubernetes.io/change-cause: first}}
spec:
  serviceName: db
  replicas: 2
  selector: {matchLabels: {app: db}}
  persistentVolumeClaimRetentionPolicy: {whenScaled: Delete, whenDeleted: Delete}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
      - name: kv
        image: mesh/kv
        ports: [{name: http, containerPort: 7000}]
        volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
"""
JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: sum}
spec:
  completions: 3
  parallelism: 2
  completionMode: Indexed
  template:
    spec:
      restartPolicy: Never
      containers: [{name: work, image: busybox, command: [sh, -c, "echo part $JOB_COMPLETION_INDEX"]}]
"""
Type = Callable[..., str]


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    home = tmp_path_factory.mktemp("home")
    yield start(home, "--nodes", "2")
    stop(home)


@pytest.fixture(scope="module", params=newest_only())
def kubectl(request: pytest.FixtureRequest, mesh: Mesh, tmp_path_factory: pytest.TempPathFactory) -> Type:
    """Types words behind `kubectl`; what it prints. Fails when the command does, or with `fails` when it does not."""
    if not request.param:
        missing("no kubectl on this machine (package kubernetes-client)")
    home = tmp_path_factory.mktemp("kubectl")

    def run(line: str, *words: str, stdin: str | None = None, fails: bool = False) -> str:
        done = subprocess.run(
            [request.param, "-s", mesh.up["api"], *line.split(), *words],
            input=stdin, capture_output=True, text=True, timeout=60,
            env={"HOME": str(home), "PATH": os.environ["PATH"]},
        )  # fmt: skip
        assert (done.returncode != 0) is fails, f"kubectl {line}: {done.stdout}{done.stderr}"
        return done.stdout + (done.stderr if fails else "")

    return run


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()[1:]]


def gone(kubectl: Type, what: str) -> None:
    """Wait until nothing answers to it. (Old kubectls' `wait --for=delete` fails for what is gone already.)"""
    for _ in range(200):
        left = kubectl(f"get {what} -o name --ignore-not-found")
        if not left:
            return
        time.sleep(0.1)
    raise AssertionError(f"still there: {left}")


def history(kubectl: Type, what: str) -> dict[int, str]:
    """Revision -> why."""
    return {int(n): why for n, why in re.findall(r"^(\d+) +(.+?) *$", kubectl(f"rollout history {what}"), flags=re.M)}


def image(kubectl: Type, what: str) -> str:
    return kubectl(f"get {what} -o jsonpath={{.spec.template.spec.containers[0].image}}")


def test_a_daemon_on_every_node(kubectl: Type) -> None:
    kubectl("apply -f -", stdin=DAEMONS)
    assert 'daemon set "agent" successfully rolled out' in kubectl("rollout status ds/agent --timeout=20s")
    assert rows(kubectl("get ds"))[0][:7] == ["agent", "2", "2", "2", "2", "2", "<none>"]
    nodes = kubectl("get pods -l app=agent -o jsonpath={.items[*].spec.nodeName}").split()
    assert sorted(nodes) == ["node-1", "node-2"]

    kubectl("set image ds/agent web=httpd:2.4.62")
    assert "successfully rolled out" in kubectl("rollout status ds/agent --timeout=20s")
    assert sorted(history(kubectl, "ds/agent")) == [1, 2]
    assert "httpd:2.4.57" in kubectl("rollout history ds/agent --revision=1")
    assert "rolled back" in kubectl("rollout undo ds/agent")
    assert "successfully rolled out" in kubectl("rollout status ds/agent --timeout=20s")
    assert image(kubectl, "ds/agent") == "httpd:2.4.57"
    assert sorted(history(kubectl, "ds/agent")) == [2, 3]

    assert "Number of Nodes Misscheduled: 0" in kubectl("describe ds agent")
    said = kubectl("delete ds agent --wait=false")
    assert re.search(r'daemonset\S* "agent" deleted', said), said
    gone(kubectl, "pod -l app=agent")
    assert kubectl("get controllerrevisions -o name") == ""


def test_a_job_to_its_end(kubectl: Type) -> None:
    kubectl("apply -f -", stdin=JOB)
    assert "condition met" in kubectl("wait --for=condition=complete job/sum --timeout=20s")
    assert kubectl("logs job/sum").startswith("part ")
    told = kubectl("logs -l job-name=sum").splitlines()
    assert sorted(told) == ["part 0", "part 1", "part 2"]
    now = orjson.loads(kubectl("get job sum -o json"))["status"]
    assert (now["succeeded"], now["completedIndexes"]) == (3, "0-2")
    assert "Completed" in kubectl("get events --field-selector involvedObject.kind=Job,involvedObject.name=sum")
    assert "3/3" in kubectl("get jobs")
    assert "3 Succeeded" in kubectl("describe job sum")
    kubectl("delete job sum")
    gone(kubectl, "pod -l job-name=sum")


def test_a_job_that_fails(kubectl: Type) -> None:
    broken = JOB.replace("  completions: 3\n  parallelism: 2\n  completionMode: Indexed\n", "  backoffLimit: 0\n")
    kubectl("apply -f -", stdin=broken.replace("echo part $JOB_COMPLETION_INDEX", "exit 3"))
    assert "condition met" in kubectl("wait --for=condition=failed job/sum --timeout=20s")
    assert "Job has reached the specified backoff limit" in kubectl("describe job sum")
    kubectl("delete job sum")
    refused = JOB.replace("  completions: 3\n", "  completions: 3\n  podFailurePolicy: {rules: []}\n")
    assert "spec.podFailurePolicy" in kubectl("create -f -", stdin=refused, fails=True)


def test_the_history_of_a_store(kubectl: Type) -> None:
    kubectl("apply -f -", stdin=STORE)
    assert "complete: 2 new pods" in kubectl("rollout status sts/db --timeout=20s")
    assert history(kubectl, "sts/db") == {1: "first"}
    kubectl("apply -f -", stdin=STORE.replace("first", "second").replace("image: mesh/kv", "image: mesh/kv:2"))
    assert "complete: 2 new pods" in kubectl("rollout status sts/db --timeout=20s")
    assert history(kubectl, "sts/db") == {1: "first", 2: "second"}
    assert "mesh/kv:2" in kubectl("rollout history sts/db --revision=2")
    assert "rolled back" in kubectl("rollout undo sts/db --to-revision=1")
    assert "complete: 2 new pods" in kubectl("rollout status sts/db --timeout=20s")
    assert image(kubectl, "sts/db") == "mesh/kv"
    assert history(kubectl, "sts/db") == {2: "second", 3: "first"}

    kubectl("scale sts/db --replicas=1")
    gone(kubectl, "pod/db-1")
    gone(kubectl, "pvc/data-db-1")
    assert [row[:2] for row in rows(kubectl("get pvc"))] == [["data-db-0", "Bound"]]
    kubectl("delete sts,svc db")
    gone(kubectl, "pvc/data-db-0")
    assert kubectl("get pods,pvc,controllerrevisions -o name") == ""


@pytest.mark.soak
def test_a_drained_node_keeps_its_daemon_alone(kubectl: Type) -> None:
    kubectl("apply -f -", stdin=DAEMONS)
    kubectl("apply -f -", stdin=STORE)
    assert "successfully rolled out" in kubectl("rollout status ds/agent --timeout=20s")
    assert "complete: 2 new pods" in kubectl("rollout status sts/db --timeout=20s")
    node = kubectl("get pod db-1 -o jsonpath={.spec.nodeName}")
    try:
        said = kubectl(f"drain {node} --ignore-daemonsets --timeout=20s")
        assert "pod/db-1 evicted" in said
        assert "complete: 2 new pods" in kubectl("rollout status sts/db --timeout=20s")
        assert kubectl("get pod db-1 -o jsonpath={.spec.nodeName}") not in ("", node)
        left = kubectl(f"get pods --field-selector=spec.nodeName={node} -o name").split()
        assert [name.rpartition("-")[0] for name in left] == ["pod/agent"]
    finally:
        kubectl(f"uncordon {node}")
    kubectl("delete ds/agent sts/db svc/db --wait=false")
    gone(kubectl, "pvc")


def test_a_store_without_its_service_runs_on_and_says_so(kubectl: Type) -> None:
    _, _, alone = STORE.partition("---")
    kubectl("apply -f -", stdin=alone)
    assert "complete: 2 new pods" in kubectl("rollout status sts/db --timeout=20s")
    for _ in range(100):
        told = kubectl("get events --field-selector=reason=NoHeadlessService,type=Warning")
        if 'there is no Service "db"' in told:
            break
        time.sleep(0.1)
    assert "db-0.db.default.svc.cluster.local" in told
    kubectl("delete sts db")
    gone(kubectl, "pvc")
