"""Does this request get a copy, and whom does the copy address?

A mirror's fraction looks at the stream's one draw, so a fraction of a HUNDRED goes hand in hand with a weighted
split of the same request (Envoy's behaviour; write MILLION to be independent of it).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mesh.routing.errors import Refused, join
from mesh.routing.match import fraction
from mesh.routing.request import Request, header


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorPolicy:
    cluster: bytes
    cluster_header: bytes | None = None
    numerator: int = 100
    denominator: int = 100
    shadow_suffix: bool = True
    """Whether the copy's authority says `-shadow`."""
    host_rewrite: bytes | None = None

    def wanted(self, request: Request) -> bool:
        if self.numerator >= self.denominator:
            return True
        return request.draw() % self.denominator < self.numerator

    def target(self, request: Request) -> bytes:
        """The cluster of the copy; empty: there is none."""
        if self.cluster_header is None:
            return self.cluster
        return header(request.headers, self.cluster_header) or b""

    def authority(self, authority: bytes) -> bytes:
        """The authority of the copy, from the one that the primary carries after rewriting."""
        if self.host_rewrite is not None:
            return self.host_rewrite
        return shadow(authority) if self.shadow_suffix else authority


def shadow(authority: bytes) -> bytes:
    """`a:8080` -> `a-shadow:8080`, `[::1]:80` -> `[::1]-shadow:80`."""
    host, colon, port = authority.rpartition(b":")
    if colon and (b"]" not in authority or host.endswith(b"]")):
        return host + b"-shadow:" + port
    return authority + b"-shadow"


def compile_mirror(policy: Any, at: str) -> MirrorPolicy:
    """The policy of a RequestMirrorPolicy message."""
    if bool(policy.cluster) == bool(policy.cluster_header):
        raise Refused(join(at, "cluster"), "name one cluster, or one cluster_header")
    numerator, denominator = 100, 100
    if policy.HasField("runtime_fraction"):
        numerator, denominator = fraction(policy.runtime_fraction.default_value)
    return MirrorPolicy(
        cluster=policy.cluster.encode(),
        cluster_header=policy.cluster_header.lower().encode() or None,
        numerator=numerator,
        denominator=denominator,
        shadow_suffix=not policy.disable_shadow_host_suffix_append,
        host_rewrite=policy.host_rewrite_literal.encode() or None,
    )
