"""What runs when a container has started, and before it is stopped?

postStart and preStop: `sleep`, `httpGet`, and `exec` beside a user's own program. A built-in application is no program
and its image holds no tools, so that a command meant for them would act on the machine itself: there only a plain
`sleep N` is executed, which is what most such hooks say.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from mesh.api.core import Container, HttpGetAction, Probe
from mesh.node import prober
from mesh.node.apps.context import MALFORMED, BadSetting
from mesh.node.probes import port_number
from mesh.node.quiet import Beside, command_of, quietly
from mesh.runtime.net import is_loopback

POST_START, PRE_STOP = "postStart", "preStop"
HTTP_LIMIT_S = 30


def action(container: Container, hook: str) -> Mapping[str, Any] | None:
    """What the container wants to be done then, if anything."""
    found = (container.lifecycle or {}).get(hook)
    return found if isinstance(found, Mapping) and found else None


def not_executed(container: Container, hook: str, program: bool) -> str | None:
    """Why a hook is not executed, if so. program: the container runs a user's program."""
    wanted = action(container, hook)
    if wanted is None or "sleep" in wanted:
        return None
    if isinstance(get := wanted.get("httpGet"), Mapping):
        return "httpGet over HTTPS is not executed here" if str(get.get("scheme")).upper() == "HTTPS" else None
    words = command_of(wanted.get("exec"))
    if not words:
        return f"{next(iter(wanted))} hooks do not run; use exec, httpGet or sleep"
    if program or _plain_sleep(words) is not None:
        return None
    return f"{' '.join(words)!r} does not run, since the container is a built-in application and holds no such program"


async def run(
    wanted: Mapping[str, Any], container: Container, address: str, program: bool, beside: Beside
) -> str | None:
    """Carry out one hook: None for success, else what went wrong. Cancelled: a command is killed."""
    words = command_of(wanted.get("exec"))
    seconds = _plain_sleep(words) if words and not program else None
    try:
        if "sleep" in wanted or seconds is not None:
            await asyncio.sleep(float(wanted["sleep"].get("seconds", 0)) if seconds is None else seconds)
        elif "httpGet" in wanted:
            get = HttpGetAction.model_validate(wanted["httpGet"])
            get.port = port_number(get.port, container)
            where = get.host if get.host and is_loopback(get.host) else address
            return await prober.ask(Probe(http_get=get, timeout_seconds=HTTP_LIMIT_S), container, where)
        elif words and program:
            code, said = await quietly(words, beside)
            if code:
                return f"command {' '.join(words)!r} exited with {code}: {said}".rstrip(": ")
    except (BadSetting, ValidationError, OSError, *MALFORMED) as error:
        return str(error)
    return None


def _plain_sleep(words: Sequence[str]) -> float | None:
    """Seconds, when the command does nothing but sleep: `sleep 5`, `/bin/sh -c "sleep 5"`."""
    if len(words) == 3 and words[0].rpartition("/")[2] in ("sh", "bash", "ash") and words[1] == "-c":
        words = words[2].split()
    if len(words) != 2 or words[0].rpartition("/")[2] != "sleep":
        return None
    try:
        seconds = float(words[1].removesuffix("s"))
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
