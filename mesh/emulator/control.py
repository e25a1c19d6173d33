"""What does the control process hold, and in which order do its parts start and stop?

Store, registry, API server, controllers, DNS, gateway; and the children. A node that dies stays dead, for that is what
a lost node is; a gateway that was given a process of its own is started again.
"""

import asyncio
import logging
import os
import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import orjson

from mesh.api.storage_names import DEFAULT_CLASS, DIRECTORY, OBJECTS, PROVISIONER, SHARED
from mesh.apiserver import service_discovery
from mesh.apiserver.local import LocalClient
from mesh.apiserver.registry import Registry, index
from mesh.apiserver.server import ApiServer
from mesh.client.informer import Informers
from mesh.controllers.manager import Manager
from mesh.controllers.settings import Settings as ControllerSettings
from mesh.emulator.gateway import GatewayWorker
from mesh.emulator.names import Names
from mesh.emulator.processes import Child, ChildFailed
from mesh.emulator.request_totals import request_totals
from mesh.emulator.settings import Settings
from mesh.emulator.worker import access_log
from mesh.node.addresses import METRICS_PORT
from mesh.runtime.clock import Clock, SystemClock
from mesh.runtime.net import BindError
from mesh.runtime.tasks import Tasks
from mesh.store import Store, StoreError

log = logging.getLogger("mesh.emulator")
NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
STORAGE_CLASSES = {"standard": DIRECTORY, "shared": SHARED, "objects": OBJECTS}
"""Name -> kind of volume. The first is the default."""


class ControlPlane:
    """API server, controllers and DNS, in the caller's event loop. Use `start`, then `close`.

    node_alive: node name -> is its process known to run?
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        node_alive: Callable[[str], bool] | None = None,
    ) -> None:
        self.settings, self.clock = settings, clock or SystemClock()
        self.rng = rng or random.Random()
        self.tasks = Tasks("control")
        path = Path(settings.state_dir) / "objects.db" if settings.state_dir else None
        self.store = Store(path, self.clock.wall(), index)
        self.registry = Registry(self.store, self.clock, self.rng)
        self.client = LocalClient(self.registry)
        people = settings.plan.people
        pages = service_discovery.routes(self.registry, f"{people}:{METRICS_PORT}")
        self.api = ApiServer(self.registry, people, settings.api_port, pages)
        chosen = controller_settings(settings)
        if node_alive is not None:
            chosen = replace(chosen, node_alive=node_alive)
        self.manager = Manager(self.client, self.clock, chosen)
        self._names: Names | None = None

    async def start(self) -> None:
        """Bring everything up. Raises BindError; what was started is closed again."""
        try:
            self.registry.bootstrap(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in NAMESPACES
            )
            self.registry.bootstrap(storage_classes())
            await self.api.start()
            self._names = Names(self.settings, Informers(self.client, self.tasks), self.manager.recorder)
            await self._names.start()
            self.manager.start(self.tasks)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Stop in the opposite order. Safe to call twice."""
        await self.manager.close()
        if self._names is not None:
            await self._names.close()
        await self.tasks.close()
        await self.api.close()
        self.store.close()


def storage_classes() -> Iterator[dict[str, Any]]:
    """The classes that a mesh comes with. Users may change them, or add their own with the same provisioner."""
    for name, kind in STORAGE_CLASSES.items():
        default = {"annotations": {DEFAULT_CLASS: "true"}} if kind == DIRECTORY else {}
        yield {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": name, **default},
            "provisioner": PROVISIONER,
            "parameters": {"kind": kind},
            "reclaimPolicy": "Delete",
            "volumeBindingMode": "Immediate",
            "allowVolumeExpansion": True,
        }


def controller_settings(settings: Settings) -> ControllerSettings:
    """The controllers' part of what was chosen."""
    plan = settings.plan
    return ControllerSettings(
        service_prefix=plan.service_prefix,
        reserved_cluster_ips={
            ("default", "kubernetes"): plan.kubernetes_service,
            ("kube-system", "kube-dns"): plan.dns_service,
        },
        gateway_address=plan.people,
        api_address=(plan.people, settings.api_port),
        dns_address=(plan.dns_service, settings.dns_port),
        node_grace_s=settings.node_grace_s,
        detach_s=settings.volume_grace_s,
        load_balancer_address=plan.load_balancer,
        zones=settings.zones,
        request_totals=request_totals,
        volume_dir=str(Path(settings.state_dir) / "volumes") if settings.state_dir else None,
    )


class Supervisor:
    """The children of a control process."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self.settings, self.say = settings, say
        self.children: dict[str, Child] = {}
        self.tasks = Tasks("supervisor")
        self._stopping = False

    async def start(self) -> None:
        """Start all children at once and wait until each is ready. Raises ChildFailed."""
        config = self.settings.to_json()
        roles = {self.settings.node_name(i): ["node", str(i), config] for i in range(self.settings.nodes)}
        if self.settings.separate_gateway:
            roles["gateway"] = ["gateway", config]
        names = list(roles)
        spawned = await asyncio.gather(*(self._spawn(name, roles[name]) for name in names))
        for name, child in zip(names, spawned, strict=True):
            self.children[name] = child
        for name in names:
            await self.children[name].ready()
            self.say(f"{name} is up")
            self.watch(self.children[name], roles[name])

    def alive(self, name: str) -> bool:
        """Is the process of that node known to run?"""
        child = self.children.get(name)
        return child is not None and child.process.returncode is None

    @property
    def nodes(self) -> list[dict[str, Any]]:
        """Name and process id of each node."""
        return [{"name": name, "pid": child.pid} for name, child in self.children.items() if name != "gateway"]

    @property
    def gateway_pid(self) -> int:
        """The process that holds the gateway: this one, unless it has its own."""
        return self.children["gateway"].pid if "gateway" in self.children else os.getpid()

    async def _spawn(self, name: str, role: list[str]) -> Child:
        return await Child.spawn(name, role, Path(self.settings.state_dir) / f"{name}.log")

    def watch(self, child: Child, role: list[str]) -> None:
        self.tasks.start(self._mourn(child, role), f"watch-{child.name}")

    async def _mourn(self, child: Child, role: list[str]) -> None:
        code = await child.process.wait()
        if self._stopping:
            return
        log.warning("child ended name=%s pid=%d code=%d", child.name, child.pid, code)
        if child.name == "gateway":
            await asyncio.sleep(0.2)
            try:
                again = await self._spawn(child.name, role)
                await again.ready()
            except ChildFailed as error:
                log.error("gateway does not come back error=%s", error)
                return
            self.children[child.name] = again
            self.watch(again, role)

    async def close(self) -> None:
        """Stop all children together."""
        self._stopping = True
        await asyncio.gather(*(child.stop() for child in self.children.values()))
        await self.tasks.close()


async def run_control(settings: Settings, reports: TextIO) -> None:
    """The control process: report on `reports` as JSON lines until all is up, then run until told to stop."""
    stop = asyncio.Event()

    def report(event: dict[str, Any]) -> None:
        try:
            reports.write(orjson.dumps(event).decode() + "\n")
        except (BrokenPipeError, ValueError):
            log.warning("whoever started this mesh is gone before it was ready; stopping")
            stop.set()

    def say(text: str) -> None:
        report({"say": text})

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    supervisor = Supervisor(settings, say)
    starting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    control = gateway = None
    try:
        starting = asyncio.ensure_future(supervisor.start())
        control = ControlPlane(settings, node_alive=supervisor.alive)
        await control.start()
        say(f"API server at {settings.api_url}")
        if not settings.separate_gateway:
            gateway = GatewayWorker(settings, control.client, control.clock, access_log(settings))
            await gateway.start()
        await until(starting, stop)
        if not stop.is_set():
            report({"gateway_pid": supervisor.gateway_pid, "nodes": supervisor.nodes})
        reports.close()
        await stop.wait()
    except (BindError, ChildFailed, StoreError) as error:
        log.error("cannot start error=%s", error)
        report({"error": str(error)})
    except Exception as error:
        log.exception("start failed")
        report({"error": f"the control process failed: {error!r}; its log is {settings.state_dir}/control.log"})
    finally:
        starting.cancel()
        await supervisor.close()
        if gateway is not None:
            await gateway.close()
        if control is not None:
            await control.close()


async def until(work: "asyncio.Future[None]", stop: asyncio.Event) -> None:
    """Wait for the work, unless somebody asks to stop first."""
    asked = asyncio.ensure_future(stop.wait())
    both: set[asyncio.Future[Any]] = {work, asked}
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if work.done():
        work.result()
    else:
        work.cancel()
