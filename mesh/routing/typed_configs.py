"""Which module must be imported before an Any of a certain type can be read?

Protobuf knows a type only after its generated module was imported. Each costs memory in every process, so a
module is imported when a configuration first names its type.
"""

from __future__ import annotations

from importlib import import_module

_HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"

MODULES: dict[str, str] = {
    _HCM: "envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2",
    "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy": (
        "envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2"
    ),
    "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector": (
        "envoy.extensions.filters.listener.tls_inspector.v3.tls_inspector_pb2"
    ),
    "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext": (
        "envoy.extensions.transport_sockets.tls.v3.tls_pb2"
    ),
    "envoy.extensions.filters.http.router.v3.Router": "envoy.extensions.filters.http.router.v3.router_pb2",
    "envoy.extensions.filters.http.cors.v3.Cors": "envoy.extensions.filters.http.cors.v3.cors_pb2",
    "envoy.extensions.filters.http.cors.v3.CorsPolicy": "envoy.extensions.filters.http.cors.v3.cors_pb2",
    "envoy.extensions.filters.http.fault.v3.HTTPFault": "envoy.extensions.filters.http.fault.v3.fault_pb2",
    "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit": (
        "envoy.extensions.filters.http.local_ratelimit.v3.local_rate_limit_pb2"
    ),
    "envoy.extensions.filters.http.stateful_session.v3.StatefulSession": (
        "envoy.extensions.filters.http.stateful_session.v3.stateful_session_pb2"
    ),
    "envoy.extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute": (
        "envoy.extensions.filters.http.stateful_session.v3.stateful_session_pb2"
    ),
    "envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState": (
        "envoy.extensions.http.stateful_session.cookie.v3.cookie_pb2"
    ),
    "envoy.config.route.v3.FilterConfig": "envoy.config.route.v3.route_components_pb2",
    "envoy.extensions.access_loggers.file.v3.FileAccessLog": "envoy.extensions.access_loggers.file.v3.file_pb2",
    "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog": (
        "envoy.extensions.access_loggers.stream.v3.stream_pb2"
    ),
    "envoy.extensions.access_loggers.stream.v3.StderrAccessLog": (
        "envoy.extensions.access_loggers.stream.v3.stream_pb2"
    ),
    "envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig": (
        "envoy.extensions.http.header_formatters.preserve_case.v3.preserve_case_pb2"
    ),
    "envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig": (
        "envoy.extensions.path.match.uri_template.v3.uri_template_match_pb2"
    ),
    "envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig": (
        "envoy.extensions.path.rewrite.uri_template.v3.uri_template_rewrite_pb2"
    ),
    "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate": (
        "envoy.extensions.retry.host.previous_hosts.v3.previous_hosts_pb2"
    ),
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": (
        "envoy.extensions.upstreams.http.v3.http_protocol_options_pb2"
    ),
}


def load(type_url: str) -> bool:
    """Import the module of a type; False when the proxy executes no such type."""
    module = MODULES.get(type_url.rpartition("/")[2])
    if module is None:
        return False
    import_module(module)
    return True
