"""Recorded routing cases and short ways to write configurations."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format

from mesh.routing.compile import compile_routes
from mesh.routing.request import Request
from mesh.routing.route_table import RouteTable
from mesh.routing.typed_configs import MODULES, load

DATA = Path(__file__).parents[2] / "data"


def message(kind: str, fields: Any) -> Any:
    """A message of `envoy...` type `module:Name` from its JSON."""
    from importlib import import_module

    for name in MODULES:
        load(name)
    module, _, name = kind.partition(":")
    target: Any = import_module(f"{module}_pb2")
    for part in name.split("."):
        target = getattr(target, part)
    return json_format.ParseDict(fields, target())


def table(*routes: Any, **more: Any) -> RouteTable:
    """A table of one virtual host for every authority."""
    config = {"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": list(routes)}], **more}
    return compile_routes(message("envoy.config.route.v3.route:RouteConfiguration", config))


def route(match: Any, name: str = "", **action: Any) -> Any:
    return {"name": name, "match": match, **(action or {"route": {"cluster": "c"}})}


def request(
    path: str = "/",
    authority: str = "svc.example",
    method: str = "GET",
    draw: int = -1,
    scheme: str = "http",
    **headers: str,
) -> Request:
    """A request; x_user="a" is the header x-user: a."""
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request(
        method.encode(), path.encode(), authority.encode(), fields, scheme.encode(), rng=random.Random(1), draw=draw
    )


@pytest.fixture(scope="session")
def recorded() -> Any:
    return json.loads((DATA / "routing_cases.json").read_text())
