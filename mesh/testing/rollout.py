"""How is a rollout started, awaited and taken back, as `kubectl set`, `rollout status` and `rollout undo` do it?

An undo is no verb of the API: a client looks up the template of an earlier revision and writes it back.
"""

import asyncio
import time
from typing import Any

from mesh.api import scheme
from mesh.api.workloads import Deployment, ReplicaSet
from mesh.client.base import JSON_PATCH, STRATEGIC_PATCH, Client
from mesh.testing.scenario import Rollout

REVISION = "deployment.kubernetes.io/revision"
HASH_LABEL = "pod-template-hash"
_POLL_S = 0.02


class RolloutError(ValueError):
    """A rollout that cannot be begun; `str()` is one line."""


async def begin(client: Client, rollout: Rollout) -> None:
    """Change the template, or take the last change back; nothing when the rollout only waits."""
    if rollout.undo or rollout.to_revision:
        await _undo(client, rollout)
    elif change := template_change(rollout):
        await client.patch(Deployment, rollout.name, change, rollout.namespace, content_type=STRATEGIC_PATCH)


def template_change(rollout: Rollout) -> dict[str, Any]:
    """The strategic merge patch for new images, environment and labels; empty when there is nothing to change."""
    containers: dict[str, dict[str, Any]] = {}
    for name, image in rollout.image.items():
        containers.setdefault(name, {"name": name})["image"] = image
    for name, variables in rollout.env.items():
        listed = [{"name": key, "value": value} for key, value in variables.items()]
        containers.setdefault(name, {"name": name})["env"] = listed
    template: dict[str, Any] = {}
    if containers:
        template["spec"] = {"containers": list(containers.values())}
    if rollout.labels:
        template["metadata"] = {"labels": dict(rollout.labels)}
    return {"spec": {"template": template}} if template else {}


async def _undo(client: Client, rollout: Rollout) -> None:
    deployment = await client.get(Deployment, rollout.name, rollout.namespace)
    sets = (await client.list(ReplicaSet, rollout.namespace)).items
    own = [
        one for one in sets if any(ref.uid == deployment.metadata.uid for ref in one.metadata.owner_references or ())
    ]
    template = earlier_template(
        {revision_of(one): scheme.encode(one)["spec"]["template"] for one in own}, rollout.to_revision, rollout.name
    )
    change = [{"op": "replace", "path": "/spec/template", "value": template}]
    await client.patch(Deployment, rollout.name, change, rollout.namespace, content_type=JSON_PATCH)


def earlier_template(templates: dict[int, dict[str, Any]], wanted: int | None, name: str) -> dict[str, Any]:
    """The template to go back to, without the label that marks its ReplicaSet. Raises RolloutError."""
    if wanted is None:
        if len(templates) < 2:
            raise RolloutError(f"deployment {name} has no earlier revision to go back to")
        wanted = sorted(templates)[-2]
    if wanted not in templates:
        have = ", ".join(map(str, sorted(templates))) or "none"
        raise RolloutError(f"deployment {name} has no revision {wanted}; there are {have}")
    template = templates[wanted]
    metadata = dict(template.get("metadata") or {})
    metadata["labels"] = {k: v for k, v in (metadata.get("labels") or {}).items() if k != HASH_LABEL}
    return {**template, "metadata": metadata}


def revision_of(one: ReplicaSet) -> int:
    return int((one.metadata.annotations or {}).get(REVISION, "0"))


async def until_complete(client: Client, rollout: Rollout) -> float:
    """How long it took, in seconds. Raises RolloutError when the time is over."""
    begin = time.monotonic()
    while True:
        done, said = progress(await client.get(Deployment, rollout.name, rollout.namespace))
        took_s = time.monotonic() - begin
        if done:
            return took_s
        if took_s > rollout.timeout_s:
            raise RolloutError(f"not complete within {rollout.timeout_s:g} s: {said}")
        await asyncio.sleep(_POLL_S)


def progress(deployment: Deployment) -> tuple[bool, str]:
    """Is the rollout over, and how far is it? By the rules of `kubectl rollout status`."""
    status, wanted = deployment.status, deployment.spec.replicas or 0
    if (status.observed_generation or 0) < (deployment.metadata.generation or 0):
        return False, "the change is not observed yet"
    updated, total, available = status.updated_replicas or 0, status.replicas or 0, status.available_replicas or 0
    said = f"{updated} of {wanted} pods updated, {total} in all, {available} available"
    return updated == total == available == wanted, said
