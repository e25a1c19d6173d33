"""Which certificate does a client see?

The one for the name that it asks for (SNI): an exact name before the longest `*.suffix` before the certificate for
everybody else. Where none fits, the connection ends, as it does at an Envoy without a matching filter chain.
"""

import ssl
from typing import TYPE_CHECKING

from mesh.runtime.tls import server_context

if TYPE_CHECKING:
    from mesh.routing.spec import TlsSpec

HANDSHAKE_S = 10.0
"""A client that takes longer is not served."""


class Certificates:
    """The certificates of one listener. They may be exchanged while it listens; connections keep what they have."""

    __slots__ = ("_by_name", "context")

    def __init__(self, spec: "TlsSpec") -> None:
        """Raises BadCertificate."""
        self._by_name = _contexts(spec)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        """What a handshake begins with: it has no certificate of its own."""
        self.context.sni_callback = self._choose

    def exchange(self, spec: "TlsSpec") -> None:
        """Show others from now on. Raises BadCertificate; then everything stays."""
        self._by_name = _contexts(spec)

    def of(self, name: str) -> ssl.SSLContext | None:
        """The context for a server name; empty: the client named none."""
        known = self._by_name
        labels = name.lower().rstrip(".").split(".")
        for start in range(len(labels)):
            suffix = ".".join(labels[start:])
            found = known.get(f"*.{suffix}" if start else suffix)
            if found is not None and suffix:
                return found
        return known.get("")

    def _choose(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> int | None:
        found = self.of(name or "")
        if found is None:
            return int(ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)
        connection.context = found
        return None


def _contexts(spec: "TlsSpec") -> dict[str, ssl.SSLContext]:
    """By server name; empty: everybody else's."""
    found: dict[str, ssl.SSLContext] = {}
    for each in spec.certificates:
        context = server_context(each.chain, each.key, spec.alpn)
        for name in each.names or ("",):
            found.setdefault(name, context)
    return found
