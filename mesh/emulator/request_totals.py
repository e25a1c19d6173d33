"""How many requests has each pod answered so far? Asked of the sidecars, for the autoscalers."""

import asyncio
from collections.abc import Mapping, Sequence

import aiohttp

from mesh.node.addresses import METRICS_PORT

TIMEOUT_S = 2.0
_SERIES, _OURS = "istio_requests_total{", 'reporter="destination"'


async def request_totals(pod_ips: Sequence[str], port: int = METRICS_PORT) -> Mapping[str, float]:
    """Address -> requests that arrived at the pod; who does not answer is left out."""
    if not pod_ips:
        return {}
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session:
        found = await asyncio.gather(*(_total(session, ip, port) for ip in pod_ips))
    return {ip: total for ip, total in zip(pod_ips, found, strict=True) if total is not None}


async def _total(session: aiohttp.ClientSession, pod_ip: str, port: int) -> float | None:
    try:
        async with session.get(f"http://{pod_ip}:{port}/stats/prometheus") as response:
            return count(await response.text()) if response.status == 200 else None
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None  # a pod without a sidecar, or one that is on its way


def count(text: str) -> float:
    """The sum of the series that the receiving side counts."""
    return sum(
        float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(_SERIES) and _OURS in line
    )
