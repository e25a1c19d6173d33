"""A real `dig` asks a real mesh, over UDP and TCP, at the people's address and at the cluster's.

The questions and the specification's answers stand in tests/data/dns/queries.yaml.
"""

import ipaddress
import json
import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mesh.dns.zone import CIRCLE
from tests.scenarios.support import Mesh, start, stop
from tests.tools import program

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

DATA = Path(__file__).parents[1] / "data" / "dns"
QUERIES: list[dict[str, Any]] = yaml.safe_load((DATA / "queries.yaml").read_text())
MANY = 60
WAYS = [(where, how) for where in ("people", "cluster") for how in ("udp", "tcp")]
READY_S, ASK_S = 20, 20


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    home = tmp_path_factory.mktemp("home")
    running = start(home, "--image", "slow=never-ready", "--zones", "a,b,c", "--nodes-in", "a,b")
    running.apply_text((DATA / "cluster.yaml").read_text().replace("NET", net(running)) + many())
    yield running
    stop(home)


def many() -> str:
    """A service whose answer is too large for plain UDP."""
    endpoints = [{"addresses": [f"192.0.2.{100 + i}"]} for i in range(MANY)]
    manifest = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "many-1", "labels": {"kubernetes.io/service-name": "many"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
        "endpoints": endpoints,
    }
    return "---\n" + yaml.safe_dump(manifest)


def net(mesh: Mesh) -> str:
    """The first half of ClusterIPs."""
    return ".".join(cluster_dns(mesh).split(".")[:2])


def cluster_dns(mesh: Mesh) -> str:
    return str(get(mesh, "services/kube-dns", "kube-system")["spec"]["clusterIP"])


def get(mesh: Mesh, path: str, namespace: str = "default") -> Any:
    with urllib.request.urlopen(f"{mesh.up['api']}/api/v1/namespaces/{namespace}/{path}", timeout=ASK_S) as answer:
        return json.load(answer)


def dig(server: tuple[str, int], *words: str) -> list[dict[str, Any]]:
    """What dig saw, one for each question."""
    command = [
        program("dig", "package dnsutils"),
        f"@{server[0]}",
        "-p",
        str(server[1]),
        "+tries=1",
        "+time=5",
        "+yaml",
    ]
    done = subprocess.run([*command, *words], capture_output=True, text=True, timeout=ASK_S)
    return [seen["message"] for seen in yaml.load(done.stdout, yaml.CSafeLoader) if isinstance(seen["message"], dict)]


Server = Callable[[str], tuple[str, int]]


@pytest.fixture(scope="module")
def server(mesh: Mesh) -> Server:
    addresses = {"people": mesh.dns[0], "cluster": cluster_dns(mesh)}
    return lambda where: (addresses[where], mesh.dns[1])


@pytest.fixture(scope="module")
def names(mesh: Mesh) -> dict[str, str]:
    """What stands for $NAME in the questions, once every pod is there."""
    until = time.monotonic() + READY_S
    while True:
        pods = {pod["metadata"]["name"]: pod for pod in get(mesh, "pods")["items"]}
        ready = {
            name: pod["status"]["podIP"]
            for name, pod in pods.items()
            for c in pod["status"].get("conditions") or ()
            if c["type"] == "Ready"
            and (c["status"] == "True" or (name.startswith("slow") and pod["status"].get("podIP")))
        }
        if len(ready) == 6 or time.monotonic() > until:
            break
        time.sleep(0.1)
    assert len(ready) == 6, f"not ready: {pods.keys() - ready.keys()}"
    web = sorted(ip for name, ip in ready.items() if name.startswith("web"))
    found = {f"KV{i}": ready[f"kv-{i}"] for i in range(3)} | {"WEB0": web[0], "WEB1": web[1]}
    found["SLOW"] = next(ip for name, ip in ready.items() if name.startswith("slow"))
    more = {f"{name}_DASHED": ip.replace(".", "-") for name, ip in found.items()}
    for name, ip in (*found.items(), ("NET_200_1", f"{net(mesh)}.200.1")):
        more[f"{name}_REVERSED"] = ipaddress.ip_address(ip).reverse_pointer
    balancer = get(mesh, "services/edge")["status"]["loadBalancer"]["ingress"]
    more |= {f"LB{i}": entry["ip"] for i, entry in enumerate(balancer)}
    return found | more | {"NET": net(mesh), "D": "default.svc.cluster.local"}


def filled(text: str, names: dict[str, str]) -> str:
    return re.sub(r"\$([A-Z0-9_]+)", lambda found: names.get(found[1], found[0]), text)


Seen = dict[tuple[str, str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def seen(server: Server, names: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """(address, transport, question) -> what dig saw."""
    wait_for_endpoints(server("people"), names)
    found: Seen = {}
    batch = tmp_path_factory.mktemp("dig") / "questions"
    # dig builds its search list once and tells each answer that it got, so some questions take a process of their own.
    alone = [query for query in QUERIES if "+domain" in query["ask"] or query.get("alone")]
    together = [query for query in QUERIES if query not in alone]
    batch.write_text("".join(filled(query["ask"], names) + "\n" for query in together))
    for where, how in WAYS:
        transport = ["+tcp"] if how == "tcp" else []
        answers = dig(server(where), *transport, "-f", str(batch))
        assert len(answers) == len(together)
        for query, answer in zip(together, answers, strict=True):
            found[where, how, query["id"]] = answer
        for query in alone:
            *_, found[where, how, query["id"]] = dig(server(where), *transport, *filled(query["ask"], names).split())
    return found


def wait_for_endpoints(server: tuple[str, int], names: dict[str, str]) -> None:
    """Pods are Ready a moment before their endpoints say so."""
    until = time.monotonic() + READY_S
    wanted = {"kv": 3, "peers": 2, "warming-all": 1}
    while time.monotonic() < until:
        answers = [dig(server, f"{name}.{names['D']}")[0]["response_message_data"]["ANSWER"] for name in wanted]
        if answers == list(wanted.values()):
            return
        time.sleep(0.1)
    pytest.fail(f"endpoints {list(wanted)}: {answers}")


def records(data: dict[str, Any], section: str) -> list[str]:
    """`NAME TYPE DATA`, each with the TTL that all have here; the name without its dot."""
    found = []
    for line in data.get(f"{section}_SECTION") or ():
        name, ttl, of_class, rest = line.split(" ", 3)
        assert (ttl, of_class) == ("5", "IN"), line
        found.append(f"{name.removesuffix('.')} {rest}")
    return found


@pytest.mark.parametrize("query", QUERIES, ids=[query["id"] for query in QUERIES])
def test_dig(seen: Seen, names: dict[str, str], query: dict[str, Any]) -> None:
    for where, how in WAYS:
        try:
            compare(seen[where, how, query["id"]], query, names, how)
        except AssertionError as error:
            error.add_note(f"at the address of {where}, over {how}")
            raise


def compare(message: dict[str, Any], query: dict[str, Any], names: dict[str, str], how: str) -> None:
    """What dig saw against what is expected."""
    data = message["response_message_data"]
    expected = {"rcode": "NOERROR", "flags": "qr aa rd", "answer": [], "additional": []} | query
    if how == "udp":
        expected |= query.get("udp", {})
    assert message["socket_protocol"] == expected.get("transport", how.upper())
    assert (data["status"], data["flags"]) == (expected["rcode"], expected["flags"])
    assert data["opcode"] == expected.get("opcode", "QUERY")
    answer, additional = records(data, "ANSWER"), records(data, "ADDITIONAL")
    if "answers" in expected:
        assert len(set(answer)) == expected["answers"]
    else:
        check(answer, [filled(line, names) for line in expected["answer"]])
        check(additional, [filled(line, names) for line in expected["additional"]])
    authority = records(data, "AUTHORITY")
    if "soa" in expected:
        (line,) = authority
        figures = r" SOA ns\.dns\.cluster\.local\. hostmaster\.cluster\.local\. \d+ 7200 1800 86400 5"
        assert re.fullmatch(expected["soa"] + figures, line, re.IGNORECASE)
    else:
        assert authority == []
    options = data.get("OPT_PSEUDOSECTION")
    assert (options is None) == (expected.get("edns") == "none")
    assert (CIRCLE in str(options)) == ("remark" in expected)


def check(found: list[str], expected: list[str]) -> None:
    """The same records; with a CNAME among them in the same order."""
    if expected and expected[0].endswith("$SOA"):
        assert [line.split(" ")[:2] for line in found] == [expected[0].split(" ")[:2]]
    elif any(" CNAME " in line for line in expected):
        assert found == expected
    else:
        assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(
    ("name", "reason", "says"),
    [
        pytest.param("ping", "DNSCircle", "circle", id="circle"),
        pytest.param("pong", "DNSCircle", "pong.default -> ping.default -> pong.default", id="who-closed-it"),
        pytest.param("self", "DNSCircle", "self.default -> self.default", id="to-itself"),
        pytest.param("outside", "DNSOutside", "--dns-forward", id="outside"),
    ],
)
def test_external_names_that_lead_nowhere_are_warned_of(
    mesh: Mesh, seen: Seen, name: str, reason: str, says: str
) -> None:
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        for event in get(mesh, "events")["items"]:
            if event["involvedObject"]["name"] == name and event["reason"] == reason and says in event["message"]:
                assert (event["type"], event["source"]["component"]) == ("Warning", "dns")
                return
        time.sleep(0.1)
    pytest.fail(f"no event {reason} about {name}")


def through_sidecar(mesh: Mesh, names: dict[str, str], url: str) -> tuple[int, str]:
    """Status and body of a request that a pod makes through its sidecar."""
    proxy = f"http://{names['WEB0']}:15001"
    done = mesh.curl("--proxy", proxy, "--write-out", "\n%{http_code}", url)
    body, _, code = done.out.rpartition("\n")
    return int(code), body


@pytest.mark.parametrize("ordinal", range(3))
@pytest.mark.parametrize(
    "form", ["kv-{}.kv", "kv-{}.kv.default", "kv-{}.kv.default.svc", "kv-{}.kv.default.svc.cluster.local"]
)
def test_a_sidecar_reaches_a_headless_service_pod_by_pod(
    mesh: Mesh, seen: Seen, names: dict[str, str], form: str, ordinal: int
) -> None:
    code, body = through_sidecar(mesh, names, f"http://{form.format(ordinal)}/")
    assert code == 200
    assert f"Host: kv-{ordinal}," in body


@pytest.mark.parametrize("pod", ["WEB0", "WEB1"])
def test_a_sidecar_knows_pods_without_hostname_by_their_address(
    mesh: Mesh, seen: Seen, names: dict[str, str], pod: str
) -> None:
    (found,) = [each for each in get(mesh, "pods")["items"] if each["status"].get("podIP") == names[pod]]
    code, body = through_sidecar(mesh, names, f"http://{names[f'{pod}_DASHED']}.peers.default.svc.cluster.local/")
    assert code == 200
    assert f"Host: {found['metadata']['name']}," in body


@pytest.mark.parametrize("name", ["inside", "far", "inside.default.svc.cluster.local", "to-kv", "inside:8888"])
def test_a_sidecar_takes_an_external_name_for_the_service_that_it_points_to(
    mesh: Mesh, seen: Seen, names: dict[str, str], name: str
) -> None:
    code, body = through_sidecar(mesh, names, f"http://{name}/")
    assert code == 200
    assert body.startswith("Host: kv-" if name == "to-kv" else "Host: web-")


def test_an_ingress_may_name_an_external_name_as_its_backend(mesh: Mesh, seen: Seen) -> None:
    host = f"{mesh.people}:{mesh.gateway_port}"
    for name, code in (("far", "200"), ("outside", "503")):
        done = mesh.curl("-H", f"Host: {name}.test", "-o", os.devnull, "-w", "%{http_code}", f"http://{host}/")
        assert done.out == code


@pytest.mark.parametrize("name", ["kv-9.kv", "none", "kv-0.none", "web.none", "outside", "self", "lost"])
def test_a_sidecar_knows_no_route_to_names_that_lead_nowhere(
    mesh: Mesh, seen: Seen, names: dict[str, str], name: str
) -> None:
    assert through_sidecar(mesh, names, f"http://{name}/") == (404, "")


def test_the_well_known_port_answers_where_that_is_allowed(mesh: Mesh, seen: Seen) -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if lowest > 53 and os.geteuid() != 0:
        pytest.skip("port 53 needs privileges here")
    for transport in ("+notcp", "+tcp"):
        (message,) = dig((cluster_dns(mesh), 53), transport, "kubernetes.default.svc.cluster.local")
        assert message["response_message_data"]["ANSWER"] == 1
