"""`mesh status` and `mesh kubeconfig`: what runs, and how to reach it."""

import os
from pathlib import Path
from typing import Annotated

import typer

from mesh.cli import output, rest, state
from mesh.cli.readiness import items, pod_reasons, unready
from mesh.cli.up import Form, summary


def rss_mb(pid: int) -> float | None:
    """Resident memory of a process in MB; None where the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, ValueError, IndexError):
        return None


def status(
    name: Annotated[str | None, typer.Option("--name", help="Which mesh.")] = None,
    form: Annotated[Form, typer.Option("-o", "--output", help="For people, or for programs.")] = Form.text,
) -> None:
    """Show a running mesh: processes, addresses, and what is not ready."""
    running = state.choose(name)
    server = rest.Rest(running.api)
    pods, missing = items(server, "pods"), list(unready(server, len(running.nodes)))
    processes = [("control", running.control_pid)]
    if running.gateway_pid != running.control_pid:
        processes.append(("gateway", running.gateway_pid))
    processes += [(node.name, node.pid) for node in running.nodes]
    reasons = list(pod_reasons(pods, items(server, "events"))) if missing else []
    memory = {part: rss_mb(pid) for part, pid in processes}
    if form is Form.json:
        output.as_json({**summary(running), "pods": len(pods), "rss_mb": memory, "not_ready": [*missing, *reasons]})
    else:
        rows = [("PROCESS", "PID", "STATE", "MEMORY")]
        for part, pid in processes:
            used = memory[part]
            rows.append((part, str(pid), "running" if state.alive(pid) else "gone", f"{used:.0f} MB" if used else "-"))
        output.data(output.columns(rows))
        output.data(f"\ngateway {running.gateway}   api {running.api}   dns {running.dns}   pods {len(pods)}")
        for phrase in (*missing, *reasons):
            output.data(f"not ready: {phrase}")
    if missing:
        raise typer.Exit(1)


def kubeconfig(name: Annotated[str | None, typer.Option("--name", help="Which mesh.")] = None) -> None:
    """Print the path of a running mesh's kubeconfig: export KUBECONFIG=$(mesh kubeconfig)."""
    output.data(state.choose(name).kubeconfig)
