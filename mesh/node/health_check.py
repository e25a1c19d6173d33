"""What does a node answer at a healthCheckNodePort? How many endpoints of its own a service has there.

A load balancer in front of a service with `externalTrafficPolicy: Local` asks, and leaves out the nodes that have
none. Any path is fine. Source: kube-proxy's service health server.
"""

import asyncio
import json
from collections.abc import Callable
from typing import cast

MAX_HEAD = 16 * 1024


def answer(service: tuple[str, str], count: int) -> bytes:
    """One whole HTTP/1.1 answer: 200 with endpoints, 503 without."""
    namespace, name = service
    said = {"service": {"namespace": namespace, "name": name}, "localEndpoints": count, "serviceProxyHealthy": True}
    body = json.dumps(said).encode() + b"\n"
    status = b"200 OK" if count else b"503 Service Unavailable"
    head = (
        b"HTTP/1.1 %s\r\ncontent-type: application/json\r\nx-content-type-options: nosniff\r\n"
        b"x-load-balancing-endpoint-weight: %d\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
    )
    return head % (status, count, len(body)) + body


class HealthCheck(asyncio.Protocol):
    """One question, one answer. count: how many ready endpoints the node has now."""

    _transport: asyncio.Transport  # there from connection_made on

    def __init__(self, service: tuple[str, str], count: Callable[[], int]) -> None:
        self._service, self._count = service, count
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._head += data
        if len(self._head) > MAX_HEAD:
            self._transport.abort()
        elif b"\r\n\r\n" in self._head or b"\n\n" in self._head:
            self._transport.write(answer(self._service, self._count()))
            self._transport.close()
