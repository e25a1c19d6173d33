"""Whatever happens in whatever order, a cache ends as the store is, and its events tell the way there."""

import asyncio
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.api.core import Pod
from mesh.api.errors import ApiError
from mesh.apiserver.local import LocalClient
from mesh.apiserver.registry import Registry, index
from mesh.client.informer import Informer
from mesh.runtime.clock import SystemClock
from mesh.runtime.tasks import Tasks
from mesh.store import Store

STEP = st.tuples(st.sampled_from(["create", "label", "delete", "bind", "yield"]), st.sampled_from("abcd"))


async def play(steps: list[tuple[str, str]], log_length: int) -> None:
    clock = SystemClock()
    registry = Registry(Store(None, clock.wall(), index, events_per_resource=log_length), clock, random.Random(1))
    registry.bootstrap([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}])
    client, tasks = LocalClient(registry), Tasks("test")
    scopes = [("", ""), ("app=x", ""), ("", "spec.nodeName=n1"), ("app!=x", "metadata.name!=a")]
    informers = [Informer(client, Pod, "default", *scope) for scope in scopes]
    told: list[dict[str, str]] = [{} for _ in scopes]

    for informer, seen in zip(informers, told, strict=True):

        def hear(old: Pod | None, new: Pod | None, seen: dict[str, str] = seen) -> None:
            if old is None:
                assert new is not None
                assert new.name not in seen, "added twice"
            else:
                assert seen.pop(old.name) == old.metadata.resource_version, "not the state that was told before"
            if new is not None:
                seen[new.name] = new.metadata.resource_version or ""

        informer.on_change(hear)
        informer.start(tasks)
    for what, name in steps:
        try:
            await act(client, what, name)
        except ApiError:
            continue  # creating what is there, changing what is not: refused, and nothing has happened
    async with asyncio.timeout(5):
        for informer in informers:
            await informer.synced()
        for _ in range(50):  # nothing waits for time in here, so a few turns of the loop are enough
            await asyncio.sleep(0)
    for informer, seen, scope in zip(informers, told, scopes, strict=True):
        expected = {found.name: found for found in (await client.list(Pod, "default", *scope)).items}
        assert {found.name: found for found in informer.list()} == expected
        assert seen == {name: found.metadata.resource_version for name, found in expected.items()}
    await tasks.close()


async def act(client: LocalClient, what: str, name: str) -> None:
    if what == "create":
        spec = {"containers": [{"name": "c", "image": "i"}]}
        await client.create(Pod.model_validate({"metadata": {"name": name, "namespace": "default"}, "spec": spec}))
    elif what == "label":
        now = (await client.get(Pod, name, "default")).metadata.label_map
        labels = {"app": None if now.get("app") else "x"}
        await client.patch(Pod, name, {"metadata": {"labels": labels}}, "default")
    elif what == "bind":
        await client.patch(Pod, name, {"spec": {"nodeName": "n1"}}, "default")
    elif what == "delete":
        await client.delete(Pod, name, "default", grace_period_s=0)
    else:
        await asyncio.sleep(0)


@settings(max_examples=80, deadline=None)
@given(steps=st.lists(STEP, max_size=40), log_length=st.sampled_from([4, 1000]))
def test_any_history_ends_in_the_same_world(steps: list[tuple[str, str]], log_length: int) -> None:
    asyncio.run(play(steps, log_length))
