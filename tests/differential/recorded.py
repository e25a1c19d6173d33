"""Which cases were recorded from a real Envoy, and how does a bootstrap look that serves them all at once?

Each case gets a listener and origins of its own on loopback addresses that nobody else in the test suite uses, so that
one proxy process can run hundreds of them side by side.
"""

import copy
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent.parent / "data" / "http_cases.json"
_TYPES = "type.googleapis.com/envoy.extensions.filters."
_MANAGER = _TYPES + "network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = {
    "name": "envoy.filters.http.router",
    "typed_config": {"@type": _TYPES + "http.router.v3.Router"},
}
_REPEATED = re.compile("«REP (.) (\\d+)»", re.S)


@dataclass(frozen=True, slots=True)
class Plan:
    """Where one case lives in a run."""

    case: dict[str, Any]
    listener: tuple[str, int]
    origins: dict[str, tuple[str, int]]


def load() -> dict[str, Any]:
    return unfold(json.loads(DATA.read_text(encoding="utf-8")))


def unfold(value: Any) -> Any:
    """Write out the abbreviation for long repetitions."""
    if isinstance(value, str):
        return _REPEATED.sub(lambda found: found[1] * int(found[2]), value)
    if isinstance(value, list):
        return [unfold(item) for item in value]
    if isinstance(value, dict):
        return {key: unfold(item) for key, item in value.items()}
    return value


def playable(data: dict[str, Any]) -> list[dict[str, Any]]:
    """All cases whose outcome is not a draw."""
    return [case for case in data["cases"] if not case.get("nondeterministic") and "host_order" not in case]


def plan(cases: Iterable[dict[str, Any]], data: dict[str, Any], block: int) -> list[Plan]:
    """Addresses for each case; block (0, 1, ...) keeps two proxies apart."""
    plans = []
    for number, case in enumerate(cases):
        config = _config(case, data)
        names: list[str] = []
        for cluster in config.get("clusters", {}).values():
            for endpoint in cluster["endpoints"]:
                name = endpoint if isinstance(endpoint, str) else endpoint["name"]
                if name not in names:
                    names.append(name)
        net = f"127.{84 + 4 * block + number // 250}.{number % 250}"
        origins = {name: (f"{net}.{i + 1}", 18099 if name == "REFUSED" else 18080) for i, name in enumerate(names)}
        plans.append(Plan(case, (f"127.62.{block}.1", 21000 + number), origins))
    return plans


def bootstrap(plans: list[Plan], data: dict[str, Any], admin: tuple[str, int]) -> dict[str, Any]:
    """One bootstrap with a listener per case."""
    listeners, clusters = [], []
    for number, place in enumerate(plans):
        config = _config(place.case, data)
        own = {name: f"case{number}/{name}" for name in config.get("clusters", {})}
        for name, settings in config.get("clusters", {}).items():
            settings = copy.deepcopy(settings)
            endpoints = [_endpoint(entry, place.origins) for entry in settings.pop("endpoints")]
            assignment = {"cluster_name": own[name], "endpoints": [{"lb_endpoints": endpoints}]}
            clusters.append(
                {
                    "type": "STATIC",
                    "connect_timeout": "1s",
                    **settings,
                    "name": own[name],
                    "load_assignment": assignment,
                }
            )
        manager = {
            "@type": _MANAGER,
            "stat_prefix": "recorded",
            "http_filters": [*config.get("filters", []), _ROUTER],
            **data["bases"][config.get("base", "sidecar")],
            **config.get("hcm", {}),
            "route_config": {
                "name": f"routes{number}",
                "validate_clusters": False,
                "virtual_hosts": _with_own_names(config["virtual_hosts"], own),
                **config.get("route_config", {}),
            },
        }
        network = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
        listeners.append(
            {
                "name": f"listener{number}",
                "address": _address(place.listener),
                "filter_chains": [{"filters": [network]}],
                **config.get("listener", {}),
            }
        )
    return {
        "admin": {"address": _address(admin)},
        "static_resources": {"listeners": listeners, "clusters": clusters},
    }


def _config(case: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    config = case["config"]
    found: dict[str, Any] = data["configs"][config] if isinstance(config, str) else config
    return found


def _address(where: tuple[str, int]) -> dict[str, Any]:
    return {"socket_address": {"address": where[0], "port_value": where[1]}}


def _endpoint(entry: Any, origins: dict[str, tuple[str, int]]) -> dict[str, Any]:
    entry = {"name": entry} if isinstance(entry, str) else entry
    endpoint: dict[str, Any] = {"endpoint": {"address": _address(origins[entry["name"]])}}
    if entry.get("hostname"):
        endpoint["endpoint"]["hostname"] = entry["hostname"]
    if entry.get("weight") is not None:
        endpoint["load_balancing_weight"] = entry["weight"]
    if entry.get("health"):
        endpoint["health_status"] = entry["health"]
    return endpoint


def _with_own_names(value: Any, own: dict[str, str]) -> Any:
    """Rename the clusters that routes, weighted clusters and mirrors point at."""
    if isinstance(value, list):
        return [_with_own_names(item, own) for item in value]
    if not isinstance(value, dict):
        return value
    renamed = {}
    for key, inner in value.items():
        if key == "cluster" and isinstance(inner, str):
            renamed[key] = own.get(inner, inner)
        elif key == "weighted_clusters":
            clusters = [{**entry, "name": own.get(entry["name"], entry["name"])} for entry in inner["clusters"]]
            renamed[key] = _with_own_names({**inner, "clusters": clusters}, own)
        else:
            renamed[key] = _with_own_names(inner, own)
    return renamed
