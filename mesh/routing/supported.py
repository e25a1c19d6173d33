"""What of Envoy's configuration does this proxy execute?

A closed world: a message type or field that is not written here is refused with its path. The few fields under
`_NO_EFFECT` may be set although nothing happens, because with one worker, plain sockets and no tracing nobody
could see a difference.
"""

from __future__ import annotations

_HEADER_CHANGES = "request_headers_to_add request_headers_to_remove response_headers_to_add response_headers_to_remove"

_FIELDS: dict[str, str] = {
    "envoy.config.bootstrap.v3.Bootstrap": "node static_resources admin",
    "envoy.config.bootstrap.v3.Bootstrap.StaticResources": "listeners clusters",
    "envoy.config.bootstrap.v3.Admin": "address",
    "envoy.config.core.v3.Address": "socket_address",
    "envoy.config.core.v3.SocketAddress": "protocol address port_value",
    "envoy.config.core.v3.CidrRange": "address_prefix prefix_len",
    "envoy.config.core.v3.HeaderValueOption": "header append append_action keep_empty_value",
    "envoy.config.core.v3.HeaderValue": "key value",
    "envoy.config.core.v3.DataSource": "inline_string inline_bytes",
    "envoy.config.core.v3.RuntimeFractionalPercent": "default_value",
    "envoy.config.core.v3.RuntimeFeatureFlag": "default_value",
    "envoy.config.core.v3.TypedExtensionConfig": "name typed_config",
    "envoy.config.core.v3.SubstitutionFormatString": "text_format text_format_source",
    "envoy.config.core.v3.Locality": "region zone sub_zone",
    "envoy.config.core.v3.HttpProtocolOptions": (
        "idle_timeout max_connection_duration max_headers_count max_stream_duration "
        "headers_with_underscores_action max_requests_per_connection"
    ),
    "envoy.config.core.v3.Http1ProtocolOptions": (
        "allow_absolute_url accept_http_10 default_host_for_http_10 header_key_format enable_trailers "
        "allow_chunked_length allow_custom_methods"
    ),
    "envoy.config.core.v3.Http1ProtocolOptions.HeaderKeyFormat": "stateful_formatter",
    "envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig": "",
    "envoy.type.v3.FractionalPercent": "numerator denominator",
    "envoy.type.v3.Percent": "value",
    "envoy.type.v3.Int64Range": "start end",
    "envoy.type.v3.TokenBucket": "max_tokens tokens_per_fill fill_interval",
    "envoy.type.v3.HttpStatus": "code",
    "envoy.type.matcher.v3.StringMatcher": "exact prefix suffix safe_regex contains ignore_case",
    "envoy.type.matcher.v3.RegexMatcher": "regex",
    "envoy.type.matcher.v3.RegexMatchAndSubstitute": "pattern substitution",
    "envoy.config.listener.v3.Listener": (
        "name address stat_prefix filter_chains listener_filters per_connection_buffer_limit_bytes traffic_direction"
    ),
    "envoy.config.listener.v3.ListenerFilter": "name typed_config",
    "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector": "",
    "envoy.config.listener.v3.FilterChain": "name filters filter_chain_match transport_socket",
    "envoy.config.listener.v3.FilterChainMatch": "server_names",
    "envoy.config.core.v3.TransportSocket": "name typed_config",
    "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext": "common_tls_context",
    "envoy.extensions.transport_sockets.tls.v3.CommonTlsContext": "tls_certificates alpn_protocols",
    "envoy.extensions.transport_sockets.tls.v3.TlsCertificate": "certificate_chain private_key",
    "envoy.config.listener.v3.Filter": "name typed_config",
    "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy": (
        "stat_prefix cluster weighted_clusters idle_timeout downstream_idle_timeout max_connect_attempts hash_policy "
        "max_downstream_connection_duration access_log"
    ),
    "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster": "clusters",
    "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight": "name weight",
    "envoy.type.v3.HashPolicy": "source_ip",
    "envoy.type.v3.HashPolicy.SourceIp": "",
    "envoy.config.accesslog.v3.AccessLog": "name typed_config",
    "envoy.extensions.access_loggers.file.v3.FileAccessLog": "path format log_format",
    "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog": "log_format",
    "envoy.extensions.access_loggers.stream.v3.StderrAccessLog": "log_format",
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager": (
        "codec_type stat_prefix rds route_config http_filters common_http_protocol_options http_protocol_options "
        "server_name server_header_transformation max_request_headers_kb stream_idle_timeout request_timeout "
        "request_headers_timeout drain_timeout delayed_close_timeout access_log use_remote_address "
        "xff_num_trusted_hops internal_address_config skip_xff_append via generate_request_id "
        "preserve_external_request_id always_set_request_id_in_response proxy_100_continue upgrade_configs "
        "normalize_path merge_slashes path_with_escaped_slashes_action strip_matching_host_port strip_any_host_port "
        "strip_trailing_host_dot append_x_forwarded_port forward_client_cert_details"
    ),
    "envoy.extensions.filters.network.http_connection_manager.v3.Rds": "config_source route_config_name",
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter": "name typed_config disabled",
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.UpgradeConfig": (
        "upgrade_type enabled"
    ),
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.InternalAddressConfig": (
        "cidr_ranges"
    ),
    "envoy.extensions.filters.http.router.v3.Router": "suppress_envoy_headers",
    "envoy.extensions.filters.http.cors.v3.Cors": "",
    "envoy.extensions.filters.http.cors.v3.CorsPolicy": (
        "allow_origin_string_match allow_methods allow_headers expose_headers max_age allow_credentials "
        "filter_enabled forward_not_matching_preflights"
    ),
    "envoy.extensions.filters.http.fault.v3.HTTPFault": "delay abort upstream_cluster headers max_active_faults",
    "envoy.extensions.filters.http.fault.v3.FaultAbort": "http_status grpc_status percentage",
    "envoy.extensions.filters.common.fault.v3.FaultDelay": "fixed_delay percentage",
    "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit": (
        "stat_prefix status token_bucket filter_enabled filter_enforced request_headers_to_add_when_not_enforced "
        "response_headers_to_add local_rate_limit_per_downstream_connection rate_limited_as_resource_exhausted"
    ),
    "envoy.extensions.filters.http.stateful_session.v3.StatefulSession": "session_state strict",
    "envoy.extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute": "disabled stateful_session",
    "envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState": "cookie",
    "envoy.type.http.v3.Cookie": "name ttl path attributes",
    "envoy.type.http.v3.CookieAttribute": "name value",
    "envoy.config.route.v3.FilterConfig": "config disabled",
    "envoy.config.route.v3.RouteConfiguration": (
        "name virtual_hosts most_specific_header_mutations_wins ignore_port_in_host_matching request_mirror_policies "
        f"typed_per_filter_config validate_clusters {_HEADER_CHANGES}"
    ),
    "envoy.config.route.v3.VirtualHost": (
        "name domains routes cors typed_per_filter_config include_request_attempt_count "
        "include_attempt_count_in_response retry_policy per_request_buffer_limit_bytes request_body_buffer_limit "
        f"request_mirror_policies {_HEADER_CHANGES}"
    ),
    "envoy.config.route.v3.Route": (
        "name match route redirect direct_response metadata typed_per_filter_config per_request_buffer_limit_bytes "
        f"request_body_buffer_limit {_HEADER_CHANGES}"
    ),
    "envoy.config.route.v3.RouteMatch": (
        "prefix path safe_regex path_separated_prefix path_match_policy case_sensitive runtime_fraction headers "
        "query_parameters grpc"
    ),
    "envoy.config.route.v3.RouteMatch.GrpcRouteMatchOptions": "",
    "envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig": "path_template",
    "envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig": "path_template_rewrite",
    "envoy.config.route.v3.HeaderMatcher": (
        "name exact_match safe_regex_match range_match present_match prefix_match suffix_match contains_match "
        "string_match invert_match treat_missing_header_as_empty"
    ),
    "envoy.config.route.v3.QueryParameterMatcher": "name string_match present_match",
    "envoy.config.route.v3.RouteAction": (
        "cluster cluster_header weighted_clusters cluster_not_found_response_code metadata_match prefix_rewrite "
        "regex_rewrite path_rewrite_policy host_rewrite_literal auto_host_rewrite host_rewrite_header "
        "host_rewrite_path_regex append_x_forwarded_host timeout idle_timeout retry_policy request_mirror_policies "
        "hash_policy cors upgrade_configs max_stream_duration"
    ),
    "envoy.config.route.v3.RouteAction.UpgradeConfig": "upgrade_type enabled",
    "envoy.config.route.v3.RouteAction.MaxStreamDuration": "max_stream_duration",
    "envoy.config.route.v3.RouteAction.RequestMirrorPolicy": (
        "cluster cluster_header runtime_fraction disable_shadow_host_suffix_append host_rewrite_literal"
    ),
    "envoy.config.route.v3.RouteAction.HashPolicy": "header cookie connection_properties query_parameter terminal",
    "envoy.config.route.v3.RouteAction.HashPolicy.Header": "header_name regex_rewrite",
    "envoy.config.route.v3.RouteAction.HashPolicy.Cookie": "name ttl path attributes",
    "envoy.config.route.v3.RouteAction.HashPolicy.CookieAttribute": "name value",
    "envoy.config.route.v3.RouteAction.HashPolicy.ConnectionProperties": "source_ip",
    "envoy.config.route.v3.RouteAction.HashPolicy.QueryParameter": "name",
    "envoy.config.route.v3.WeightedCluster": "clusters total_weight header_name use_hash_policy",
    "envoy.config.route.v3.WeightedCluster.ClusterWeight": (
        f"name weight metadata_match host_rewrite_literal {_HEADER_CHANGES}"
    ),
    "envoy.config.route.v3.RedirectAction": (
        "https_redirect scheme_redirect host_redirect port_redirect path_redirect prefix_rewrite regex_rewrite "
        "response_code strip_query"
    ),
    "envoy.config.route.v3.DirectResponseAction": "status body",
    "envoy.config.route.v3.RetryPolicy": (
        "retry_on num_retries per_try_timeout per_try_idle_timeout retry_host_predicate "
        "host_selection_retry_max_attempts retriable_status_codes retry_back_off rate_limited_retry_back_off "
        "retriable_headers retriable_request_headers"
    ),
    "envoy.config.route.v3.RetryPolicy.RetryHostPredicate": "name typed_config",
    "envoy.config.route.v3.RetryPolicy.RetryBackOff": "base_interval max_interval",
    "envoy.config.route.v3.RetryPolicy.ResetHeader": "name format",
    "envoy.config.route.v3.RetryPolicy.RateLimitedRetryBackOff": "reset_headers max_interval",
    "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate": "",
    "envoy.config.route.v3.CorsPolicy": (
        "allow_origin_string_match allow_methods allow_headers expose_headers max_age allow_credentials "
        "filter_enabled forward_not_matching_preflights"
    ),
    "envoy.config.cluster.v3.Cluster": (
        "name alt_stat_name type eds_cluster_config connect_timeout lb_policy load_assignment circuit_breakers "
        "max_requests_per_connection common_http_protocol_options http_protocol_options "
        "typed_extension_protocol_options outlier_detection lb_subset_config ring_hash_lb_config maglev_lb_config "
        "least_request_lb_config round_robin_lb_config common_lb_config metadata"
    ),
    "envoy.config.cluster.v3.Cluster.EdsClusterConfig": "eds_config service_name",
    "envoy.config.cluster.v3.Cluster.LbSubsetConfig": "fallback_policy default_subset subset_selectors",
    "envoy.config.cluster.v3.Cluster.LbSubsetConfig.LbSubsetSelector": "keys fallback_policy",
    "envoy.config.cluster.v3.Cluster.RingHashLbConfig": "minimum_ring_size hash_function maximum_ring_size",
    "envoy.config.cluster.v3.Cluster.MaglevLbConfig": "table_size",
    "envoy.config.cluster.v3.Cluster.LeastRequestLbConfig": "choice_count active_request_bias",
    "envoy.config.cluster.v3.Cluster.RoundRobinLbConfig": "",
    "envoy.config.cluster.v3.Cluster.CommonLbConfig": (
        "healthy_panic_threshold locality_weighted_lb_config update_merge_window"
    ),
    "envoy.config.cluster.v3.Cluster.CommonLbConfig.LocalityWeightedLbConfig": "",
    "envoy.config.core.v3.RuntimeDouble": "default_value",
    "envoy.config.cluster.v3.CircuitBreakers": "thresholds",
    "envoy.config.cluster.v3.CircuitBreakers.Thresholds": (
        "priority max_connections max_pending_requests max_requests max_retries"
    ),
    "envoy.config.cluster.v3.OutlierDetection": (
        "consecutive_5xx interval base_ejection_time max_ejection_percent enforcing_consecutive_5xx "
        "enforcing_success_rate consecutive_gateway_failure enforcing_consecutive_gateway_failure "
        "split_external_local_origin_errors consecutive_local_origin_failure "
        "enforcing_consecutive_local_origin_failure enforcing_local_origin_success_rate max_ejection_time "
        "enforcing_failure_percentage always_eject_one_host"
    ),
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": "common_http_protocol_options explicit_http_config",
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig": "http_protocol_options",
    "envoy.config.endpoint.v3.ClusterLoadAssignment": "cluster_name endpoints policy",
    "envoy.config.endpoint.v3.ClusterLoadAssignment.Policy": "overprovisioning_factor",
    "envoy.config.endpoint.v3.LocalityLbEndpoints": "locality metadata lb_endpoints load_balancing_weight priority",
    "envoy.config.endpoint.v3.LbEndpoint": "endpoint health_status metadata load_balancing_weight",
    "envoy.config.endpoint.v3.Endpoint": "address hostname",
}

_NO_EFFECT: dict[str, str] = {
    # One worker accepts, nothing is traced, upstream names are not resolved, runtime keys have no runtime.
    "envoy.config.listener.v3.Listener": "enable_reuse_port",
    "envoy.config.core.v3.RuntimeFractionalPercent": "runtime_key",
    "envoy.config.core.v3.RuntimeFeatureFlag": "runtime_key",
    "envoy.config.core.v3.RuntimeDouble": "runtime_key",
    "envoy.type.matcher.v3.RegexMatcher": "google_re2",
    "envoy.config.route.v3.RouteAction.RequestMirrorPolicy": "trace_sampled",
    "envoy.config.route.v3.Route": "decorator",
    "envoy.config.cluster.v3.Cluster": "dns_lookup_family",
    "envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig": "forward_reason_phrase",
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter": "is_optional",
}

EXECUTED: dict[str, frozenset[str]] = {
    name: frozenset(fields.split()) | frozenset(_NO_EFFECT.get(name, "").split()) for name, fields in _FIELDS.items()
}

OPAQUE = frozenset(
    {
        "envoy.config.core.v3.Metadata",
        "envoy.config.core.v3.Node",
        "envoy.config.core.v3.ConfigSource",
        "envoy.config.route.v3.Decorator",
    }
)
"""Messages that are carried, compared or left alone whole; nothing inside them is looked at here."""

VALUES: dict[tuple[str, str], tuple[str, ...]] = {
    ("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", "codec_type"): (
        "AUTO",
        "HTTP1",
    ),
    ("envoy.config.core.v3.SocketAddress", "protocol"): ("TCP",),
    ("envoy.config.cluster.v3.Cluster", "type"): ("STATIC", "STRICT_DNS", "EDS"),
    ("envoy.config.cluster.v3.Cluster", "lb_policy"): (
        "ROUND_ROBIN",
        "LEAST_REQUEST",
        "RING_HASH",
        "RANDOM",
        "MAGLEV",
    ),
    ("envoy.config.cluster.v3.CircuitBreakers.Thresholds", "priority"): ("DEFAULT",),
    ("envoy.config.cluster.v3.Cluster.LbSubsetConfig.LbSubsetSelector", "fallback_policy"): ("NOT_DEFINED",),
}
"""Enumerations of which only some values are executed."""

HINTS: dict[tuple[str, str], str] = {
    ("envoy.config.listener.v3.FilterChainMatch", "destination_port"): "use one listener for each address and port",
    ("envoy.extensions.transport_sockets.tls.v3.CommonTlsContext", "tls_certificate_sds_secret_configs"): (
        "write the certificate under tls_certificates"
    ),
    ("envoy.config.cluster.v3.Cluster", "transport_socket"): "leave it out: endpoints are called in plain text",
    ("envoy.config.cluster.v3.Cluster", "health_checks"): "use outlier_detection, or set health_status on endpoints",
    ("envoy.config.cluster.v3.Cluster", "load_balancing_policy"): "use lb_policy",
    ("envoy.config.route.v3.RouteAction", "internal_redirect_policy"): "send the client a redirect",
    ("envoy.config.cluster.v3.Cluster.CommonLbConfig", "consistent_hashing_lb_config"): (
        "set hash_key in the endpoints' envoy.lb metadata"
    ),
    ("envoy.config.core.v3.Address", "pipe"): "use socket_address",
    ("envoy.config.core.v3.SocketAddress", "named_port"): "use port_value",
    ("envoy.extensions.access_loggers.file.v3.FileAccessLog", "json_format"): "use log_format.text_format_source",
    ("envoy.config.core.v3.SubstitutionFormatString", "json_format"): "use text_format_source",
    ("envoy.config.bootstrap.v3.Bootstrap", "dynamic_resources"): "write everything under static_resources",
    ("envoy.config.route.v3.WeightedCluster.ClusterWeight", "cluster_header"): "use name",
    ("envoy.config.route.v3.WeightedCluster.ClusterWeight", "typed_per_filter_config"): "say it on the route",
    ("envoy.config.core.v3.DataSource", "filename"): "use inline_string",
}
"""What to do instead, where the general sentence would not help."""
