"""`mesh trace-path TARGET`: the hops that a connection takes, with the layer of each, and why it ends where it ends."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from mesh.api import scheme
from mesh.api.config import Secret
from mesh.api.core import Node, Pod
from mesh.api.services import EndpointSlice, Ingress, IngressClass, Service
from mesh.api.traffic import RouteRule
from mesh.cli import output, rest, state
from mesh.cli.trace_facts import Facts, is_address, parse
from mesh.cli.trace_hops import Path
from mesh.cli.trace_plan import PEOPLE, trace
from mesh.cli.up import Form
from mesh.node.addresses import Plan
from mesh.node.ways import Target

SHOWN = 6
"""Endpoints that are printed one by one; -o json has all."""


def trace_path(
    target: Annotated[str, typer.Argument(help="ADDRESS[:PORT], a URL, a service, or a DNS name.")],
    source: Annotated[str, typer.Option("--from", help="The address that the connection comes from.")] = PEOPLE,
    form: Annotated[Form, typer.Option("-o", "--output", help="For people, or for programs.")] = Form.text,
    name: Annotated[str | None, typer.Option("--name", help="Which mesh, where several run.")] = None,
) -> None:
    """Show which hops a connection takes, and where it may end."""
    asked = parse(target)
    if not is_address(source):
        raise typer.BadParameter(f"{source!r} is no IPv4 address", param_hint="--from")
    paths = trace(asked, gather(state.choose(name)), source)
    if form is Form.json:
        output.as_json(as_data(target, source, paths))
    else:
        output.data("\n\n".join("\n".join(lines(path)) for path in paths))
    if not any(path.reaches for path in paths):
        raise typer.Exit(1)


def gather(running: state.State) -> Facts:
    """What the API says now."""
    server = rest.Rest(running.api)

    def every(cls: type[Any]) -> list[Any]:
        path = rest.collection_path(scheme.kind_of(cls), None)
        return [cls.model_validate(item) for item in server.call("GET", path).get("items") or ()]

    events = server.call("GET", "/api/v1/events").get("items") or ()
    address, _, port = running.gateway.removeprefix("http://").rpartition(":")
    plan = Plan(running.block)
    others = {
        _target(running.api.removeprefix("http://")): "API server",
        _target(running.dns): "DNS server",
        (plan.dns_service, int(running.dns.rpartition(":")[2])): "DNS server",
    }
    return Facts(
        services=every(Service),
        slices=every(EndpointSlice),
        node_objects=every(Node),
        pods=every(Pod),
        ingresses=every(Ingress),
        rules=every(RouteRule),
        more=[*every(IngressClass), *every(Secret)],
        gateway=(address, int(port)),
        https_port=int(running.gateway_tls.rpartition(":")[2] or 0),
        others=others,
        refused=refused(list(events)),
    )


def _target(text: str) -> Target:
    address, _, port = text.rpartition(":")
    return address, int(port)


def refused(events: list[dict[str, Any]]) -> dict[Target, str]:
    """Service addresses that kube-proxy could not bind when it last said something of them."""
    found: dict[Target, str] = {}
    told = [e for e in events if e.get("reason") in ("AddressNotServed", "AddressServed")]
    for event in sorted(told, key=lambda e: str(e.get("lastTimestamp"))):
        message = str(event.get("message"))
        where = next((word.rstrip(":") for word in message.split() if word.count(":") and word[0].isdigit()), "")
        if not where:
            continue
        if event["reason"] == "AddressServed":
            found.pop(_target(where), None)
        else:
            found[_target(where)] = message
    return found


def as_data(target: str, source: str, paths: tuple[Path, ...]) -> dict[str, Any]:
    """The trace for programs."""
    shown = [{**asdict(path), "reaches": path.reaches} for path in paths]
    return {"asked": target, "from": source, "reaches": any(path.reaches for path in paths), "paths": shown}


def lines(path: Path) -> list[str]:
    """One path for people."""
    rows = [("LAYER", "HOP", "NAME", "ADDRESS", "")]
    for hop in path.hops:
        layer = str(hop.layer) if hop.layer is not None else "-"
        rows.append((layer, hop.what, hop.name or "-", hop.address or "-", "; ".join(hop.notes)))
    found = [f"{path.address or 'no address'}{'' if path.reaches else ': leads nowhere'}"]
    found += ["  " + line for line in output.columns(rows).splitlines()] if path.hops else []
    if path.endpoints:
        found.append("  may end at:")
        for end in path.endpoints[:SHOWN]:
            where = f" on {end.node}" + (f" in zone {end.zone}" if end.zone else "") if end.node else ""
            found.append(f"    {end.address}:{end.port}  {end.pod or 'no pod'}{where}")
        if len(path.endpoints) > SHOWN:
            found.append(f"    and {len(path.endpoints) - SHOWN} more")
    if path.why:
        found.append(f"  because: {path.why}")
    elif path.fails_when:
        found.append(f"  fails when: {', or '.join(path.fails_when)}")
    return found
