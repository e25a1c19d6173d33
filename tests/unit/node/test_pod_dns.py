from pathlib import Path
from typing import Any

import pytest

from mesh.api.core import Pod
from mesh.node import pod_dns
from mesh.node.pod_dns import hosts, prepare, resolv_conf, search_of

CLUSTER = "search shop.svc.cluster.local svc.cluster.local cluster.local"
CONFIG = {"nameservers": ["1.2.3.4"], "searches": ["corp.example", "cluster.local"],
          "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}]}  # fmt: skip


def pod(**spec: Any) -> Pod:
    return Pod.model_validate({"metadata": {"name": "web-0", "namespace": "shop", "uid": "u"}, "spec": spec})


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        pytest.param({}, ["nameserver 127.96.0.10", CLUSTER, "options ndots:5"], id="cluster first"),
        pytest.param(
            {"dnsConfig": CONFIG},
            ["nameserver 127.96.0.10", "nameserver 1.2.3.4", CLUSTER + " corp.example", "options ndots:2 edns0"],
            id="cluster first, and more",
        ),
        pytest.param({"dnsPolicy": "Default"}, ["nameserver 9.9.9.9", "search home"], id="the machine's"),
        pytest.param(
            {"dnsPolicy": "None", "dnsConfig": CONFIG},
            ["nameserver 1.2.3.4", "search corp.example cluster.local", "options ndots:2 edns0"],
            id="only what is said",
        ),
    ],
)
def test_resolv_conf(spec: dict[str, Any], wanted: list[str]) -> None:
    assert resolv_conf(pod(**spec), "127.96.0.10", "nameserver 9.9.9.9\nsearch home\n").splitlines() == wanted


def test_hosts() -> None:
    aliases = [{"ip": "10.1.2.3", "hostnames": ["foo.local", "foo"]}]
    text = hosts(pod(hostname="web-0", subdomain="web", hostAliases=aliases), "127.244.0.7")
    assert "127.244.0.7\tweb-0.web.shop.svc.cluster.local\tweb-0\n" in text
    assert text.endswith("# Entries added by HostAliases.\n10.1.2.3\tfoo.local\tfoo\n")
    assert "127.244.0.7\tweb-0\n" in hosts(pod(), "127.244.0.7")


def test_what_programs_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "machine").write_text("nameserver 9.9.9.9\n")
    monkeypatch.setattr(pod_dns, "MACHINES", tmp_path / "machine")
    env = prepare(pod(dnsPolicy="Default"), tmp_path / "pod", "127.244.0.7", "127.96.0.10", "127.0.0.1:1053")
    assert Path(env["RESOLV_CONF"]).read_text() == "nameserver 9.9.9.9\n"
    assert Path(env["HOSTS_FILE"]).is_relative_to(tmp_path / "pod")
    assert (env["MESH_DNS"], env["MESH_SEARCH"]) == ("127.0.0.1:1053", "")
    assert search_of(pod())[0] == "shop.svc.cluster.local"
