"""What does an HttpConnectionManager come to?

An HttpSpec: every flag as a plain value, the filters compiled, the route table too unless somebody else delivers it.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from mesh.routing.check import refuse_unexecuted, unpack
from mesh.routing.compile_action import seconds
from mesh.routing.compile_filters import compile_http_filters
from mesh.routing.compile_routes import compile_routes
from mesh.routing.errors import Refused, join
from mesh.routing.path import (
    KEEP_UNCHANGED,
    REJECT_REQUEST,
    UNESCAPE_AND_FORWARD,
    UNESCAPE_AND_REDIRECT,
    PathSpec,
)
from mesh.routing.spec import AccessLogSpec, HttpSpec
from mesh.routing.substitution import DEFAULT_ACCESS_LOG, compile_format

_ESCAPED = (KEEP_UNCHANGED, KEEP_UNCHANGED, REJECT_REQUEST, UNESCAPE_AND_REDIRECT, UNESCAPE_AND_FORWARD)
_SERVER = {0: "OVERWRITE", 1: "APPEND_IF_ABSENT", 2: "PASS_THROUGH"}
_UNDERSCORES = {0: "ALLOW", 1: "REJECT_REQUEST", 2: "DROP_HEADER"}
_ALWAYS_FORWARD_CERT = 4


def compile_hcm(message: Any, at: str = "", checked: bool = False) -> HttpSpec:
    """The spec of an envoy...http_connection_manager.v3.HttpConnectionManager."""
    if not checked:
        refuse_unexecuted(message, at)
    filters, suppress = compile_http_filters(message.http_filters, at)
    common, http1 = message.common_http_protocol_options, message.http_protocol_options
    kind = message.WhichOneof("route_specifier")
    if kind is None:
        raise Refused(at, "has no routes; use route_config or rds")
    return HttpSpec(
        stat_prefix=message.stat_prefix,
        routes=compile_routes(message.route_config, join(at, "route_config"), True) if kind == "route_config" else None,
        validate_clusters=_validates(message.route_config),
        rds=message.rds.route_config_name if kind == "rds" else None,
        filters=filters,
        suppress_envoy_headers=suppress,
        access_logs=compile_access_logs(message.access_log, at),
        server_name=message.server_name.encode() or b"envoy",
        server_header=_SERVER[message.server_header_transformation],
        use_remote_address=message.use_remote_address.value,
        xff_num_trusted_hops=message.xff_num_trusted_hops,
        skip_xff_append=message.skip_xff_append,
        append_x_forwarded_port=message.append_x_forwarded_port,
        internal_ranges=_ranges(message.internal_address_config.cidr_ranges, join(at, "internal_address_config")),
        path=PathSpec(
            normalize=message.normalize_path.value,
            merge_slashes=message.merge_slashes,
            escaped_slashes=_ESCAPED[message.path_with_escaped_slashes_action],
        ),
        strip_any_host_port=message.strip_any_host_port,
        strip_matching_host_port=message.strip_matching_host_port,
        strip_trailing_host_dot=message.strip_trailing_host_dot,
        upgrades={
            u.upgrade_type.lower().encode(): u.enabled.value if u.HasField("enabled") else True
            for u in message.upgrade_configs
        },
        stream_idle_timeout_s=_duration(message, "stream_idle_timeout", 300.0),
        request_timeout_s=_duration(message, "request_timeout", 0.0),
        request_headers_timeout_s=_duration(message, "request_headers_timeout", 0.0),
        drain_timeout_s=_duration(message, "drain_timeout", 5.0),
        delayed_close_timeout_s=_duration(message, "delayed_close_timeout", 1.0),
        idle_timeout_s=_duration(common, "idle_timeout", 3600.0),
        max_connection_duration_s=_duration(common, "max_connection_duration", 0.0),
        max_stream_duration_s=_duration(common, "max_stream_duration", 0.0),
        max_requests_per_connection=common.max_requests_per_connection.value,
        max_headers_count=_number(common, "max_headers_count", 100),
        max_request_headers_kb=_number(message, "max_request_headers_kb", 60),
        underscores=_UNDERSCORES[common.headers_with_underscores_action],
        proxy_100_continue=message.proxy_100_continue,
        generate_request_id=message.generate_request_id.value if message.HasField("generate_request_id") else True,
        preserve_external_request_id=message.preserve_external_request_id,
        always_set_request_id_in_response=message.always_set_request_id_in_response,
        via=message.via.encode(),
        accept_http_10=http1.accept_http_10,
        default_host_for_http_10=http1.default_host_for_http_10.encode(),
        allow_absolute_url=http1.allow_absolute_url.value if http1.HasField("allow_absolute_url") else True,
        allow_chunked_length=http1.allow_chunked_length,
        allow_custom_methods=http1.allow_custom_methods,
        enable_trailers=http1.enable_trailers,
        preserve_case=http1.header_key_format.HasField("stateful_formatter"),
        # The other modes keep the header on connections with a client certificate only, and ours have none.
        forward_client_cert=(
            "ALWAYS_FORWARD_ONLY" if message.forward_client_cert_details == _ALWAYS_FORWARD_CERT else "SANITIZE"
        ),
    )


def _validates(config: Any) -> bool:
    return bool(config.validate_clusters.value) if config.HasField("validate_clusters") else True


def _duration(message: Any, name: str, default_s: float) -> float:
    return seconds(getattr(message, name)) if message.HasField(name) else default_s


def _number(message: Any, name: str, default: int) -> int:
    return int(getattr(message, name).value) if message.HasField(name) else default


def _ranges(ranges: Any, at: str) -> tuple[Any, ...]:
    networks = []
    for i, entry in enumerate(ranges):
        try:
            networks.append(ip_network(f"{entry.address_prefix}/{entry.prefix_len.value}", strict=False))
        except ValueError:
            raise Refused(join(at, f"cidr_ranges[{i}]"), "is not a network, for example 10.0.0.0 and 8") from None
    return tuple(networks)


def compile_access_logs(logs: Any, at: str) -> tuple[AccessLogSpec, ...]:
    """The access logs of a listener's filter."""
    compiled = []
    for i, log in enumerate(logs):
        where = join(at, f"access_log[{i}].typed_config")
        config = unpack(log.typed_config, where)
        kind = config.DESCRIPTOR.name
        if kind not in ("FileAccessLog", "StdoutAccessLog", "StderrAccessLog"):
            raise Refused(where, "is not executed; use FileAccessLog, StdoutAccessLog or StderrAccessLog")
        path = {"StdoutAccessLog": "/dev/stdout", "StderrAccessLog": "/dev/stderr"}.get(kind) or config.path
        text = getattr(config, "format", "") or _log_text(config, join(where, "log_format")) or DEFAULT_ACCESS_LOG
        line = compile_format(text, where, missing=b"-")
        if isinstance(line, bytes):
            raise Refused(where, "writes the same line for every request; use operators such as %RESPONSE_CODE%")
        compiled.append(AccessLogSpec(path=path, line=line, text=text))
    return tuple(compiled)


def _log_text(config: Any, at: str) -> str:
    if not config.HasField("log_format"):
        return ""
    form = config.log_format
    kind = form.WhichOneof("format")
    if kind == "text_format":
        return str(form.text_format)
    if kind == "text_format_source":
        return str(form.text_format_source.inline_string or form.text_format_source.inline_bytes.decode())
    raise Refused(at, "is empty; use text_format_source.inline_string")
