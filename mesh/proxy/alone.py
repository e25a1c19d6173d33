"""How is one proxy run alone, on a static Envoy bootstrap?

Reads the file, says in one line what is wrong with it, serves until SIGTERM or SIGINT, then drains. Knows nothing of
the mesh: `mesh proxy -c envoy.yaml` is the data plane by itself.
"""

import asyncio
import gc
import json
import signal
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mesh.metrics.names import ENVOY_SPELLING
from mesh.metrics.registry import ProxyMetrics
from mesh.proxy.server import Identity, ProxyServer, Tables
from mesh.routing.compile import compile_bootstrap
from mesh.routing.errors import Refused
from mesh.routing.spec import StaticConfig
from mesh.runtime.net import BindError
from mesh.runtime.tls import BadCertificate

_DRAIN_S = 10.0
_COLLECT_AFTER = 20_000
_DUMP = "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump"


class BadConfig(Exception):
    """The file cannot be run; `str()` is one line that names file and field."""


def read(path: str) -> Mapping[str, Any]:
    """The bootstrap in a YAML or JSON file. Raises BadConfig."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BadConfig(f"{path}: cannot read the file: {why}") from error
    try:
        if text.lstrip().startswith("{"):
            data = json.loads(text)
        else:
            import yaml  # only here: JSON needs no parser of its own

            data = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except ValueError as error:
        raise BadConfig(f"{path}: is not valid JSON: {_one_line(error)}") from error
    except Exception as error:  # yaml's own errors share no base class that can be named without importing it
        raise BadConfig(f"{path}: is not valid YAML: {_one_line(error)}") from error
    if not isinstance(data, dict):
        raise BadConfig(f"{path}: holds no bootstrap; it should be a mapping with static_resources")
    return data


def load(path: str) -> tuple[Mapping[str, Any], StaticConfig]:
    """The bootstrap of a file, and what it compiles to. Raises BadConfig."""
    data = read(path)
    try:
        return data, compile_bootstrap(dict(data))
    except Refused as error:
        raise BadConfig(f"{path}: {_one_line(error)}") from error


def run(config_path: str, *, drain_s: float = _DRAIN_S, access_log: bool = False) -> int:
    """Serve until told to stop. 0: drained; 1: an address cannot be bound; 2: the configuration is wrong."""
    import uvloop  # the library is loaded when it is needed, so that other commands start without it

    try:
        data, config = load(config_path)
    except BadConfig as error:
        print(f"mesh: {error}", file=sys.stderr)
        return 2
    try:
        return uvloop.run(_serve(data, config, drain_s, access_log))
    except BindError as error:
        print(f"mesh: {error}", file=sys.stderr)
        return 1
    except BadCertificate as error:
        print(f"mesh: {config_path}: {error}", file=sys.stderr)
        return 2


async def _serve(data: Mapping[str, Any], config: StaticConfig, drain_s: float, access_log: bool) -> int:
    server = ProxyServer(
        identity=Identity(name=str((data.get("node") or {}).get("id", "proxy"))),
        metrics=ProxyMetrics(tag=version("loopmesh"), spelling=ENVOY_SPELLING),
        admin=config.admin,
        access_log=_print_line if access_log else None,
        describe=lambda: {"configs": [{"@type": _DUMP, "bootstrap": data}]},
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await server.start()
        await server.apply(Tables(listeners=config.listeners, clusters=config.clusters, endpoints=config.endpoints))
        # What is loaded now stays: the collector need not look at it again while requests come and go.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_COLLECT_AFTER, 20, 20)
        await stop.wait()
        await server.drain(drain_s)
    finally:
        await server.close()
    return 0


def _print_line(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
