import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from mesh.api.core import Event
from mesh.api.scheme import kind_of
from mesh.api.traffic import RouteRule
from mesh.apiserver.local import LocalClient
from mesh.apiserver.registry import Registry
from mesh.discovery.advice import Advice
from mesh.discovery.checks import problem_of
from mesh.discovery.compiled import Compiled
from mesh.discovery.report import Reporter
from mesh.discovery.source import ConfigSource
from mesh.runtime.clock import SystemClock
from mesh.runtime.tasks import Tasks

GOOD = """
kind: RouteRule
metadata: {name: r}
spec: {destination: {name: shop}, route: [{labels: {version: v1}, weight: 100}]}
"""


async def _condition(client: LocalClient, status: str) -> Any:
    async with asyncio.timeout(2):
        while True:
            rule = await client.get(RouteRule, "r", "default")
            for condition in (rule.status.conditions if rule.status else None) or ():
                if condition.status == status:
                    return condition
            await asyncio.sleep(0.01)


async def test_a_refused_rule_gets_a_condition_and_an_event_and_the_old_one_stays(
    client: LocalClient, registry: Registry, tasks: Tasks, tables: Any, proxy: Any, parse: Callable[[str], list[Any]]
) -> None:
    reporter = Reporter(client, SystemClock())
    reporter.start(tasks)
    source = ConfigSource(client, tables, reporter=reporter)
    source.start(tasks)
    gateway = proxy()
    await source.subscribe_gateway("127.0.0.1", 8080, gateway)
    await client.create(parse(GOOD)[0])
    await gateway.until(lambda found: found.route("shop.example/") == "default/r")

    # The API would refuse this one: it stands for what another version of the mesh stored.
    stored = registry.get(kind_of(RouteRule), "default", "r")
    bad = stored.load()
    bad["spec"]["httpFault"] = {}
    registry.store.replace(stored.resource, bad, stored.version)
    condition = await _condition(client, "False")
    assert (condition.type, condition.reason) == ("Accepted", "Refused")
    assert "spec.httpFault" in condition.message
    async with asyncio.timeout(2):
        while not (events := (await client.list(Event)).items):
            await asyncio.sleep(0.01)
    (event,) = events
    assert (event.type, event.reason, event.involved_object.name) == ("Warning", "Refused", "r")
    assert event.involved_object.field_path == "spec.httpFault"
    assert gateway.route("shop.example/") == "default/r"
    await asyncio.sleep(0.05)
    assert len((await client.list(Event)).items) == 1

    current = await client.get(RouteRule, "r", "default")
    current.spec.http_fault = None
    await client.update(current)
    assert (await _condition(client, "True")).reason == "Accepted"


async def test_an_object_that_is_gone_does_not_hold_up_the_next(
    client: LocalClient, tasks: Tasks, parse: Callable[[str], list[Any]]
) -> None:
    reporter = Reporter(client, SystemClock())
    reporter.start(tasks)
    await client.create(parse(GOOD)[0])
    for name in ("gone", "r"):
        problem = problem_of(parse(GOOD.replace("name: r", f"name: {name}").replace("100", "99"))[0], Compiled())
        assert problem is not None
        reporter.refused(problem)
    assert "sum to exactly 100" in (await _condition(client, "False")).message


async def test_what_looks_wrong_for_a_while_becomes_an_event(
    client: LocalClient, tasks: Tasks, tables: Any, parse: Callable[[str], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mesh.discovery.source.ADVICE_PERIOD_S", 0.01)
    monkeypatch.setattr("mesh.discovery.source.Advice", partial(Advice, settle_s=0.05))
    reporter = Reporter(client, SystemClock())
    reporter.start(tasks)
    ConfigSource(client, tables, reporter=reporter).start(tasks)
    await client.create(parse(GOOD.replace("version: v1", "version: v9"))[0])
    async with asyncio.timeout(2):
        while not (events := (await client.list(Event)).items):
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    (event,) = (await client.list(Event)).items
    assert event == events[0]
    assert (event.reason, event.involved_object.name) == ("IST0101", "r")
    assert event.message == (
        "spec.route[0].labels: no pod of shop.default.svc.cluster.local has version=v9; its share gets 503"
    )
