"""`mesh proxy`: one proxy alone, on a static Envoy bootstrap."""

import typer


def proxy(
    config: str = typer.Option(..., "--config", "-c", help="An Envoy bootstrap, YAML or JSON."),
    drain_s: float = typer.Option(10.0, "--drain-seconds", help="How long a stopping proxy finishes requests."),
    access_log: bool = typer.Option(False, "--access-log", help="Print a line for each request, as Envoy does."),
) -> int:
    """Run one proxy on a static Envoy bootstrap, until SIGTERM."""
    from mesh.proxy.alone import run  # imported here: help pages need no data plane

    return run(config, drain_s=drain_s, access_log=access_log)
