"""How do the programs of a pod find names?

A machine has one `/etc/resolv.conf`, and its entries cannot name a port. So each pod has files of its own, `etc/hosts`
and `etc/resolv.conf` as a kubelet writes them, and its programs find in RESOLV_CONF and HOSTS_FILE where they are, in
MESH_DNS where the mesh's DNS answers without privileges, and in MESH_SEARCH what to try behind a short name.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mesh.api.core import Pod

ZONE = "cluster.local"
MACHINES = Path("/etc/resolv.conf")
_LOCAL = (("127.0.0.1", "localhost"), ("::1", "localhost ip6-localhost ip6-loopback"))


def search_of(pod: Pod) -> list[str]:
    """What is tried behind a name with few dots."""
    if (pod.spec.dns_policy or "ClusterFirst") in ("Default", "None"):
        return list(_config(pod).get("searches") or ())
    own = [f"{pod.namespace}.svc.{ZONE}", f"svc.{ZONE}", ZONE]
    return list(dict.fromkeys([*own, *(_config(pod).get("searches") or ())]))


def resolv_conf(pod: Pod, nameserver: str, machines: str) -> str:
    """The text of the pod's resolv.conf. nameserver: the mesh's DNS.  machines: that of the machine."""
    policy, config = pod.spec.dns_policy or "ClusterFirst", _config(pod)
    added = [f"nameserver {address}" for address in config.get("nameservers") or ()]
    options = {"ndots": "5"} if policy not in ("Default", "None") else {}
    options |= {str(o.get("name")): str(o.get("value") or "") for o in config.get("options") or ()}
    lines = machines.rstrip("\n").splitlines() if policy == "Default" else []
    if policy not in ("Default", "None"):
        lines.append(f"nameserver {nameserver}")
    lines += added
    if search := search_of(pod):
        lines.append("search " + " ".join(search))
    if options:
        lines.append("options " + " ".join(f"{name}:{value}" if value else name for name, value in options.items()))
    return "".join(f"{line}\n" for line in lines)


def hosts(pod: Pod, pod_ip: str) -> str:
    """The text of the pod's hosts file."""
    name = pod.spec.hostname or pod.name
    full = f"{name}.{pod.spec.subdomain}.{pod.namespace}.svc.{ZONE}\t{name}" if pod.spec.subdomain else name
    lines = ["# Kubernetes-managed hosts file.", *(f"{ip}\t{names}" for ip, names in _LOCAL), f"{pod_ip}\t{full}"]
    if pod.spec.host_aliases:
        lines += ["", "# Entries added by HostAliases."]
        lines += ["\t".join([alias.ip, *(alias.hostnames or ())]) for alias in pod.spec.host_aliases]
    return "".join(f"{line}\n" for line in lines)


def prepare(pod: Pod, folder: Path, pod_ip: str, nameserver: str, dns: str) -> dict[str, str]:
    """Write both files below the folder; the environment that says where they are.

    nameserver: address of the mesh's DNS in the cluster.  dns: ADDRESS:PORT where it answers people.  Raises OSError.
    """
    etc = folder / "etc"
    os.makedirs(etc, exist_ok=True)
    machines = MACHINES.read_text() if pod.spec.dns_policy == "Default" and MACHINES.exists() else ""
    (etc / "resolv.conf").write_text(resolv_conf(pod, nameserver, machines))
    (etc / "hosts").write_text(hosts(pod, pod_ip))
    return {
        "RESOLV_CONF": str(etc / "resolv.conf"),
        "HOSTS_FILE": str(etc / "hosts"),
        "MESH_DNS": dns,
        "MESH_SEARCH": " ".join(search_of(pod)),
    }


def _config(pod: Pod) -> Mapping[str, Any]:
    found = (pod.spec.model_extra or {}).get("dnsConfig")
    return found if isinstance(found, Mapping) else {}
