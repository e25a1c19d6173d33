"""What do the filter chains of a TLS listener come to?

A TlsSpec: certificates by the server names that each chain matches. The chains may differ in nothing else, for behind
all of them the same connection manager serves; a listener that chooses by server name needs the TLS inspector.
"""

from __future__ import annotations

from typing import Any

from mesh.routing.check import unpack
from mesh.routing.errors import Refused, join
from mesh.routing.spec import CertificateSpec, TlsSpec

_CONTEXT = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
_INSPECTOR = "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"


def compile_tls(message: Any, at: str) -> TlsSpec | None:
    """The TLS part of a Listener message with at least one filter chain; None: it speaks plain text."""
    chains, inspects = message.filter_chains, _inspects(message, at)
    secured = [chain.HasField("transport_socket") for chain in chains]
    if not any(secured):
        if len(chains) != 1:
            raise Refused(join(at, "filter_chains"), f"holds {len(chains)} chains; a plain listener has one")
        if chains[0].HasField("filter_chain_match"):
            where = join(at, "filter_chains[0].filter_chain_match")
            raise Refused(where, "has no effect without transport_socket; leave it out")
        return None
    certificates, alpns = [], []
    taken: dict[str, str] = {}
    for i, chain in enumerate(chains):
        where = join(at, f"filter_chains[{i}]")
        if not secured[i]:
            raise Refused(join(where, "transport_socket"), "is missing; all chains of a listener speak TLS, or none")
        if list(chain.filters) != list(chains[0].filters):
            raise Refused(join(where, "filters"), "differ from those of filter_chains[0]; use the same")
        certificate, alpn = _certificate(chain, where)
        for name in certificate.names or ("",):
            if name in taken:
                raise Refused(join(where, "filter_chain_match"), f"matches what {taken[name]} matches already")
            taken[name] = f"filter_chains[{i}]"
        certificates.append(certificate)
        alpns.append(alpn)
    if alpns != alpns[:1] * len(alpns):
        raise Refused(join(at, "filter_chains"), "offer different alpn_protocols; use the same")
    if any(taken) and not inspects:
        raise Refused(join(at, "listener_filters"), "lack the TLS inspector, without which no server name is known")
    return TlsSpec(certificates=tuple(certificates), alpn=alpns[0])


def _certificate(chain: Any, at: str) -> tuple[CertificateSpec, tuple[str, ...]]:
    where = join(at, "transport_socket.typed_config")
    config = unpack(chain.transport_socket.typed_config, where)
    if config.DESCRIPTOR.full_name != _CONTEXT:
        raise Refused(where, f"{config.DESCRIPTOR.full_name} is not executed on listeners; use {_CONTEXT}")
    common, place = config.common_tls_context, join(where, "common_tls_context")
    if len(common.tls_certificates) != 1:
        raise Refused(join(place, "tls_certificates"), f"holds {len(common.tls_certificates)}; a chain has one")
    alpn = tuple(common.alpn_protocols)
    if alpn not in ((), ("http/1.1",)):
        raise Refused(join(place, "alpn_protocols"), "is http/1.1, or left out")
    names = []
    for i, name in enumerate(chain.filter_chain_match.server_names):
        if not name or "*" in name.removeprefix("*."):
            raise Refused(join(at, f"filter_chain_match.server_names[{i}]"), f"{name!r} is no name, nor *.suffix")
        names.append(name.lower())
    certificate = common.tls_certificates[0]
    spec = CertificateSpec(
        names=tuple(names),
        chain=_data(certificate.certificate_chain, join(place, "tls_certificates[0].certificate_chain")),
        key=_data(certificate.private_key, join(place, "tls_certificates[0].private_key")),
    )
    return spec, alpn


def _data(source: Any, at: str) -> bytes:
    if source.WhichOneof("specifier") == "inline_bytes":
        return bytes(source.inline_bytes)
    if not source.inline_string:
        raise Refused(at, "is missing; write it as inline_string or inline_bytes")
    text: str = source.inline_string
    return text.encode()


def _inspects(message: Any, at: str) -> bool:
    for i, item in enumerate(message.listener_filters):
        where = join(at, f"listener_filters[{i}].typed_config")
        config = unpack(item.typed_config, where)
        if config.DESCRIPTOR.full_name != _INSPECTOR:
            raise Refused(where, f"{config.DESCRIPTOR.full_name} is not executed on listeners; use {_INSPECTOR}")
    return len(message.listener_filters) > 0
