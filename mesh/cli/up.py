"""`mesh up`: start a mesh, and stay with it until Ctrl-C (or leave it running with --detach)."""

import signal
import time
from enum import StrEnum
from typing import Annotated, Any

import typer

from mesh.cli import ending, launch, output, rest, state
from mesh.cli.readiness import items
from mesh.node.addresses import Plan


class Form(StrEnum):
    json = "json"
    text = "text"


def up(
    files: Annotated[
        list[str] | None, typer.Option("-f", "--filename", help="Manifests to apply (repeatable).")
    ] = None,
    nodes: Annotated[int, typer.Option("--nodes", help="Node processes.")] = 2,
    state_dir: Annotated[str | None, typer.Option("--state", help="Keep objects and volumes in this folder.")] = None,
    name: Annotated[str, typer.Option("--name", help="A name, to run several meshes.")] = "default",
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when ready; stop with mesh down.")] = False,
    images: Annotated[
        list[str] | None,
        typer.Option("--image", help="NAME=COMMAND: run your own program for an image; or a file of such lines."),
    ] = None,
    access_log: Annotated[
        bool, typer.Option("--access-log", help="Proxies log each request (Envoy's format).")
    ] = False,
    node_grace_s: Annotated[float, typer.Option("--node-grace", help="Seconds until a silent node is lost.")] = 4.0,
    volume_grace_s: Annotated[
        float, typer.Option("--volume-grace", help="Seconds that a lost node keeps its volumes; a cluster says 360.")
    ] = 0.0,
    gateway_port: Annotated[int, typer.Option(help="Port of the ingress gateway.")] = Plan.gateway_port,
    gateway_tls_port: Annotated[
        int, typer.Option("--gateway-tls-port", help="Its TLS port, open while Ingresses have certificates.")
    ] = Plan.gateway_tls_port,
    api_port: Annotated[int, typer.Option(help="Port of the API server.")] = Plan.api_port,
    dns_port: Annotated[int, typer.Option(help="Port of the DNS server.")] = Plan.dns_port,
    dns_forward: Annotated[
        str, typer.Option("--dns-forward", help="DNS server (ADDRESS or ADDRESS:PORT) for names outside the mesh.")
    ] = "",
    separate_gateway: Annotated[
        bool, typer.Option("--separate-gateway", help="A process of its own for the gateway: for load tests.")
    ] = False,
    zones: Annotated[
        str, typer.Option("--zones", help="Zones with a subnet, for example a,b,c: a network load balancer is in each.")
    ] = "",
    nodes_in: Annotated[str, typer.Option("--nodes-in", help="Zones of the nodes, in turn: a,b.")] = "",
    wait_s: Annotated[float, typer.Option("--wait", help="Seconds that pods may take to become ready.")] = 60.0,
    form: Annotated[Form, typer.Option("-o", "--output", help="For people, or for programs.")] = Form.text,
) -> None:
    """Start a mesh."""
    options = launch.UpOptions(
        files=tuple(files or ()),
        nodes=nodes,
        name=name,
        state_dir=state_dir,
        images=tuple(images or ()),
        access_log=access_log,
        node_grace_s=node_grace_s,
        volume_grace_s=volume_grace_s,
        gateway_port=gateway_port,
        gateway_tls_port=gateway_tls_port,
        api_port=api_port,
        dns_port=dns_port,
        dns_forward=dns_forward,
        separate_gateway=separate_gateway,
        zones=names(zones),
        nodes_in=names(nodes_in),
        wait_s=wait_s,
    )
    began = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends a start, nothing of it stays behind
    running = launch.start(options, output.say)
    try:
        if form is Form.json:
            output.as_json(summary(running), indent=None)
        else:
            print_summary(running, time.monotonic() - began)
        if not detach:
            stay(running)
    except KeyboardInterrupt:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # nothing shall come between it and the end
        output.say("stopping")
        ending.stop(running)


def names(text: str) -> tuple[str, ...]:
    """`a,b` as two words."""
    return tuple(word.strip() for word in text.split(",")) if text else ()


def summary(running: state.State) -> dict[str, Any]:
    """What a program needs to use the mesh."""
    return {
        "gateway": running.gateway,
        "gateway_tls": running.gateway_tls,
        "api": running.api,
        "dns": running.dns,
        "kubeconfig": running.kubeconfig,
        "name": running.name,
        "control": {"pid": running.control_pid},
        "gateway_pid": running.gateway_pid,
        "nodes": [{"name": node.name, "pid": node.pid} for node in running.nodes],
    }


def print_summary(running: state.State, took_s: float) -> None:
    output.say(f"ready in {took_s:.1f} s")
    named = "" if running.name == "default" else f" --name {running.name}"
    ingresses = items(rest.Rest(running.api), "ingresses")
    rows = [
        ("gateway", running.gateway, "HTTP from outside; Ingress rules apply"),
        *tls_rows(running, ingresses),
        ("api", running.api, f"export KUBECONFIG=$(mesh kubeconfig{named})"),
        (
            "dns",
            running.dns,
            f"dig @{running.dns.split(':')[0]} -p {running.dns.split(':')[1]} NAME.default.svc.cluster.local",
        ),
    ]
    output.data(output.columns(rows))
    output.data(f"\ntry:  {line_to_try(running, ingresses)}")


def tls_rows(running: state.State, ingresses: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """The gateway's other address, where an Ingress brings a certificate: without one nobody listens there."""
    if not any((ingress.get("spec") or {}).get("tls") for ingress in ingresses):
        return []
    return [("", running.gateway_tls, "the same by TLS; the name that the client sends chooses the certificate")]


def line_to_try(running: state.State, ingresses: list[dict[str, Any]]) -> str:
    """A curl line that answers: the first way in that an Ingress opens; without one, what the API has."""
    for ingress in ingresses:
        spec = ingress.get("spec") or {}
        if spec.get("defaultBackend"):
            return f"curl {running.gateway}/"
        for rule in spec.get("rules") or ():
            host = str(rule.get("host") or "").replace("*", "any")
            path = next((path.get("path") for path in (rule.get("http") or {}).get("paths") or ()), None)
            return "curl " + (f"-H 'Host: {host}' " if host else "") + f"{running.gateway}{path or '/'}"
    return f"curl {running.api}/api/v1/services    # nothing leads in through the gateway yet: that takes an Ingress"


def stay(running: state.State) -> None:
    """Stay with the mesh for as long as it runs. Raises KeyboardInterrupt on Ctrl-C and SIGTERM."""
    output.say("running; Ctrl-C stops it")
    while state.alive(running.control_pid):
        time.sleep(0.2)
        ending.reap(running.control_pid)
    state.forget(running.name)
    output.say("the mesh has ended; its log is in " + running.state_dir)
    raise typer.Exit(1)
