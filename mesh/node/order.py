"""In which order do the containers of a pod run?

Init containers one by one, each until it has succeeded; one with restartPolicy Always stays, and the next one waits
only until it has started. Then all the others together.
"""

import asyncio
from collections.abc import Sequence

from mesh.api.core import Container, Pod
from mesh.node import status
from mesh.node.container import RunningContainer
from mesh.node.images import Image
from mesh.node.launch import runs_program
from mesh.runtime.tasks import Tasks


def policy_of(pod: Pod, container: Container, init: bool) -> str:
    """The restart policy of one container: an init container that has succeeded is done, whatever the pod's is."""
    pods = pod.spec.restart_policy or "Always"
    if init and container.restart_policy == "Always":
        return "Always"
    return "OnFailure" if init and pods == "Always" else pods


def never_ends(image: Image) -> bool:
    """Whether nothing comes after it: a built-in application serves until it is stopped."""
    return not runs_program(image) and image.behaviour == ""


async def run(init: Sequence[RunningContainer], containers: Sequence[RunningContainer], tasks: Tasks) -> None:
    """Run them until the last of `containers` has ended for good. What stays goes on running then, in `tasks`.

    Returns at once when an init container has failed for good.
    """
    for running in init:
        if running.facts.stays:
            running.came_up = asyncio.Event()
            tasks.start(running.run(), running.container.name)
            await running.came_up.wait()
        elif never_ends(running.image):
            running.skip()
        else:
            await running.run()
        running.facts.ready = running.facts.ready or (running.facts.initialized and not running.facts.stays)
        if not running.facts.initialized:
            return
    if init:
        for running in containers:
            running.facts.state = status.waiting(status.CREATING)
    await asyncio.gather(*(running.run() for running in containers))


async def stop(containers: Sequence[RunningContainer], init: Sequence[RunningContainer], left_s: float) -> None:
    """Stop them within so long: those that stayed beside the others last, in the opposite order of their start."""
    begun = asyncio.get_running_loop().time()
    await asyncio.gather(*(running.stop(left_s) for running in containers))
    for running in reversed(init):
        await running.stop(max(0.0, left_s - (asyncio.get_running_loop().time() - begun)))
