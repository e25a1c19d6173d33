"""`mesh logs`: what a pod has said, and with -f what it says from now on."""

import contextlib
import http.client
import json
import sys
from typing import Annotated
from urllib.parse import quote, urlencode, urlsplit

import typer

from mesh.api import errors
from mesh.cli import rest
from mesh.cli.errors import UserError
from mesh.cli.get import kind_named
from mesh.cli.state import choose

CHUNK_BYTES = 1 << 16
_ANSWER_S = 15.0


def logs(
    pod: Annotated[str, typer.Argument(metavar="POD", help="A pod, or KIND/NAME: deploy/my-app")],
    container: Annotated[str | None, typer.Option("-c", "--container")] = None,
    namespace: Annotated[str, typer.Option("-n", "--namespace")] = "default",
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Wait for what comes.")] = False,
    tail: Annotated[int | None, typer.Option("--tail", min=0, help="Only the last lines.")] = None,
    since_s: Annotated[int | None, typer.Option("--since", min=1, help="Only the last so many seconds.")] = None,
    timestamps: Annotated[bool, typer.Option("--timestamps")] = False,
    previous: Annotated[bool, typer.Option("-p", "--previous", help="Of the run before the present one.")] = False,
    name: Annotated[str | None, typer.Option("--name", help="Which mesh.")] = None,
) -> None:
    """Print the log of a pod. A built-in application's holds its start and its last 64 requests."""
    url = choose(name).api
    asked = {
        "container": container or "",
        "follow": "true" if follow else "",
        "tailLines": "" if tail is None else str(tail),
        "sinceSeconds": "" if since_s is None else str(since_s),
        "timestamps": "true" if timestamps else "",
        "previous": "true" if previous else "",
    }
    query = urlencode({key: value for key, value in asked.items() if value})
    found = quote(pod_of(rest.Rest(url), pod, namespace), safe="")
    path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{found}/log"
    with contextlib.suppress(BrokenPipeError):
        copy(url, f"{path}?{query}" if query else path)


def pod_of(server: rest.Rest, word: str, namespace: str) -> str:
    """The pod that is meant: itself, or the first one by name that a workload's selector takes. Raises UserError."""
    kind_word, slash, name = word.rpartition("/")
    kind = kind_named(kind_word) if slash else None
    if kind is None or kind.plural == "pods":
        return name
    owner = server.call("GET", rest.object_path(kind, namespace, name))
    selector = (owner.get("spec") or {}).get("selector") or {}
    labels = selector.get("matchLabels") if "matchLabels" in selector else selector
    if not labels or not all(isinstance(value, str) for value in labels.values()):
        raise UserError(f"{word}: it selects no pods by labels; name a pod")
    wanted = ",".join(f"{key}={value}" for key, value in labels.items())
    pods = server.call("GET", rest.collection_path(kind_named("pods"), namespace, labelSelector=wanted))["items"]
    if not pods:
        raise UserError(f"{word}: no pod is there", 1)
    return str(min(pods, key=lambda pod: str(pod["metadata"]["name"]))["metadata"]["name"])


def copy(url: str, path: str) -> None:
    """The answer to standard output, as it comes. Raises UserError, ApiError."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 80, timeout=_ANSWER_S)
    try:
        connection.connect()
        sock = connection.sock
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status >= 400:
            raise errors.from_status(json.loads(answer.read()))
        sock.settimeout(None)  # a log may be silent for long
        while data := answer.read1(CHUNK_BYTES):
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise UserError(f"the log cannot be read: {error}", 1) from error
    finally:
        connection.close()
