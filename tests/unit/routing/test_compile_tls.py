from typing import Any

import pytest

from mesh.routing.compile_listener import compile_listener
from mesh.routing.errors import Refused
from tests.unit.routing.conftest import message

_T = "type.googleapis.com/envoy.extensions."
HCM = {
    "name": "hcm",
    "typed_config": {
        "@type": _T + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "s",
        "route_config": {},
        "http_filters": [{"name": "r", "typed_config": {"@type": _T + "filters.http.router.v3.Router"}}],
    },
}
OTHER = {**HCM, "typed_config": {**HCM["typed_config"], "stat_prefix": "o"}}  # type: ignore[dict-item]
TCP = {
    "name": "tcp",
    "typed_config": {"@type": _T + "filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": "t", "cluster": "c"},
}
INSPECTOR = {"name": "i", "typed_config": {"@type": _T + "filters.listener.tls_inspector.v3.TlsInspector"}}


def chain(*names: str, filters: Any = HCM, common: Any = None, **more: Any) -> dict[str, Any]:
    certificate = {"certificate_chain": {"inline_string": "C"}, "private_key": {"inline_bytes": "Sw=="}}
    context = {"tls_certificates": [certificate], "alpn_protocols": ["http/1.1"], **(common or {})}
    socket = {"@type": _T + "transport_sockets.tls.v3.DownstreamTlsContext", "common_tls_context": context}
    return {
        "filters": [filters],
        "transport_socket": {"name": "tls", "typed_config": socket},
        **({"filter_chain_match": {"server_names": list(names)}} if names else {}),
        **more,
    }


PLAIN = {"filters": [HCM]}


def listener(*chains: Any, inspects: bool = True) -> Any:
    fields = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 1}},
        "listener_filters": [INSPECTOR] if inspects else [],
        "filter_chains": chains,
    }
    return compile_listener(message("envoy.config.listener.v3.listener:Listener", fields))


def test_certificates_by_name() -> None:
    spec = listener(chain("A.example", "*.b.example"), chain())
    assert [each.names for each in spec.tls.certificates] == [("a.example", "*.b.example"), ()]
    assert (spec.tls.certificates[0].chain, spec.tls.certificates[0].key) == (b"C", b"K")
    assert spec.tls.alpn == ("http/1.1",)
    assert "K" not in repr(spec.tls), "a key is never shown"


def test_one_certificate_for_everybody_needs_no_inspector() -> None:
    assert listener(chain(), inspects=False).tls is not None


def test_plain() -> None:
    assert listener(PLAIN).tls is None


@pytest.mark.parametrize(
    ("chains", "complaint"),
    [
        pytest.param([PLAIN, PLAIN], r"filter_chains: holds 2 chains; a plain listener has one", id="two plain ones"),
        pytest.param([chain(), PLAIN], r"filter_chains\[1\].transport_socket: is missing", id="half of each"),
        pytest.param([chain("a"), chain("b", filters=OTHER)], r"chains\[1\].filters: differ", id="other filters"),
        pytest.param([chain("a"), chain("a")], r"chains\[1\].filter_chain_match: matches what", id="a name twice"),
        pytest.param([chain(), chain()], r"chains\[1\].filter_chain_match: matches what", id="two for everybody"),
        pytest.param([chain("a*")], r"server_names\[0\]: 'a\*' is no name", id="a star inside"),
        pytest.param(
            [{**PLAIN, "filter_chain_match": {"server_names": ["a"]}}],
            "has no effect without",
            id="a name in plain text",
        ),
        pytest.param([chain(common={"alpn_protocols": ["h2"]})], "alpn_protocols: is http/1.1", id="HTTP/2"),
        pytest.param([chain(common={"tls_certificates": []})], "tls_certificates: holds 0", id="no certificate"),
        pytest.param([chain(common={"tls_certificates": [{}]})], "certificate_chain: is missing", id="an empty one"),
        pytest.param([chain(filters=TCP)], "TLS is executed before HTTP alone", id="TCP"),
    ],
)
def test_refused(chains: Any, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        listener(*chains)


def test_names_need_the_inspector() -> None:
    with pytest.raises(Refused, match="listener_filters: lack the TLS inspector"):
        listener(chain("a"), inspects=False)
