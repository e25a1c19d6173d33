"""Why does a request go where it goes?

The walk of `RouteTable.find` with its reasons: which virtual host and by which name, every route that was tried and
the first of its conditions that failed, and what the chosen route does. It runs the same compiled objects as the
proxy, so it cannot tell another story.
"""

from __future__ import annotations

from dataclasses import dataclass

from mesh.routing.match_header import shown
from mesh.routing.match_query import query_value
from mesh.routing.redirect import where
from mesh.routing.request import Request
from mesh.routing.route_table import DIRECT, REDIRECT, Route, RouteTable, VirtualHost


@dataclass(frozen=True, slots=True)
class Step:
    """One route that was looked at. A route that took the request has no `failed`."""

    number: int
    route: Route
    failed: str | None = None
    """The condition that was not met: `header x-user is 'jason'`."""
    seen: str | None = None
    """What the request had in its place."""

    @property
    def matched(self) -> bool:
        return self.failed is None


@dataclass(frozen=True, slots=True)
class Explanation:
    authority: bytes
    virtual_host: VirtualHost | None
    domain: str | None
    """The domain by which the virtual host was found."""
    steps: tuple[Step, ...]
    route: Route | None
    outcome: str
    """What happens, in words."""


def explain(table: RouteTable, request: Request) -> Explanation:
    """Account for the route of a request. Chance (fractions, weights) uses the request's own draw."""
    host = table.virtual_host(request.authority)
    if host is None:
        return Explanation(request.authority, None, None, (), None, "404 NR: no virtual host has this authority")
    steps = []
    chosen = None
    for number, route in enumerate(host.routes):
        step = _try(number, route, request)
        steps.append(step)
        if step.matched:
            chosen = route
            break
    outcome = "404 NR: no route of the virtual host matches" if chosen is None else _outcome(chosen, request)
    return Explanation(request.authority, host, table.domain_of(request.authority), tuple(steps), chosen, outcome)


def _try(number: int, route: Route, request: Request) -> Step:
    for condition in route.conditions:
        if not condition.test(request):
            return Step(number, route, f"{condition.subject} {condition.wants}", _seen(condition.subject, request))
    return Step(number, route)


def _seen(subject: str, request: Request) -> str:
    kind, _, name = subject.partition(" ")
    if kind == "path":
        return repr(request.bare_path().decode("utf-8", "replace"))
    if kind == "header":
        return shown(request, name)
    if kind == "query":
        value = query_value(request.path, name.removeprefix("parameter ").encode())
        return "absent" if value is None else repr(value.decode("utf-8", "replace"))
    return str(request.draw())


def _outcome(route: Route, request: Request) -> str:
    if route.kind == REDIRECT and route.redirect is not None:
        return f"{route.redirect.status} redirect to {where(route.redirect, request).decode('utf-8', 'replace')}"
    if route.kind == DIRECT and route.direct is not None:
        return f"{route.direct[0]} direct response of {len(route.direct[1])} bytes"
    if route.weighted is not None:
        parts = [
            f"{choice.weight}/{route.weighted.total} {choice.cluster.decode()}" for choice in route.weighted.choices
        ]
        return "split: " + ", ".join(parts)
    if route.cluster_header is not None:
        return f"cluster named by header {route.cluster_header.decode()}"
    return f"cluster {(route.cluster or b'').decode()}"
