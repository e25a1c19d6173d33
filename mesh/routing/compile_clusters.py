"""What do a Cluster and its endpoints come to?

A ClusterSpec (policy, limits, protocol options) and a tuple of EndpointSpecs. Endpoint messages change often, so
they compile on their own and never touch a cluster or a route.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from google.protobuf import json_format

from mesh.routing.check import refuse_unexecuted, unpack
from mesh.routing.compile_action import seconds
from mesh.routing.compile_listener import socket_address
from mesh.routing.errors import Refused, join
from mesh.routing.spec import ClusterSpec, EndpointSpec, LbOptions, OutlierSpec

_POLICIES = {0: "ROUND_ROBIN", 1: "LEAST_REQUEST", 2: "RING_HASH", 3: "RANDOM", 5: "MAGLEV"}
_HEALTH = {0: "HEALTHY", 1: "HEALTHY", 2: "UNHEALTHY", 3: "DRAINING", 4: "UNHEALTHY", 5: "DEGRADED"}
"""UNKNOWN, HEALTHY, UNHEALTHY, DRAINING, TIMEOUT, DEGRADED"""
_FALLBACK = {0: "NO_FALLBACK", 1: "ANY_ENDPOINT", 2: "DEFAULT_SUBSET"}
_HASHES = {0: "XX_HASH", 1: "MURMUR_HASH_2"}


def compile_cluster(message: Any, at: str = "", checked: bool = False) -> ClusterSpec:
    """The spec of an envoy.config.cluster.v3.Cluster (its load_assignment is compile_endpoints' matter)."""
    if not checked:
        refuse_unexecuted(message, at)
    if not message.name:
        raise Refused(join(at, "name"), "is empty; clusters are called by name")
    common, http1 = message.common_http_protocol_options, message.http_protocol_options
    for key in message.typed_extension_protocol_options:
        where = f'{join(at, "typed_extension_protocol_options")}["{key}"]'
        options = unpack(message.typed_extension_protocol_options[key], where)
        common = options.common_http_protocol_options
        http1 = options.explicit_http_config.http_protocol_options
    per_connection = common.max_requests_per_connection.value or message.max_requests_per_connection.value
    limits = next(iter(message.circuit_breakers.thresholds), None)
    return ClusterSpec(
        name=message.name.encode(),
        lb_policy=_POLICIES[message.lb_policy],
        lb=_options(message, at),
        connect_timeout_s=seconds(message.connect_timeout) if message.HasField("connect_timeout") else 5.0,
        max_connections=_value(limits, "max_connections", 1024),
        max_pending_requests=_value(limits, "max_pending_requests", 1024),
        max_requests=_value(limits, "max_requests", 1024),
        max_retries=_value(limits, "max_retries", 3),
        outlier=_outlier(message.outlier_detection) if message.HasField("outlier_detection") else None,
        enable_trailers=http1.enable_trailers,
        preserve_case=http1.header_key_format.HasField("stateful_formatter"),
        max_requests_per_connection=per_connection,
        idle_timeout_s=seconds(common.idle_timeout) if common.HasField("idle_timeout") else 3600.0,
        max_headers_count=common.max_headers_count.value or 100,
        stat_name=message.alt_stat_name or message.name,
        eds=(message.eds_cluster_config.service_name or message.name) if message.type == 3 else None,
        metadata=_metadata(message),
    )


def _value(message: Any, name: str, default: int) -> int:
    """An optional wrapped number."""
    return int(getattr(message, name).value) if message is not None and message.HasField(name) else default


def _options(message: Any, at: str) -> LbOptions:
    common, ring = message.common_lb_config, message.ring_hash_lb_config
    size = _value(message.maglev_lb_config, "table_size", 65_537)
    if size < 2 or any(size % n == 0 for n in range(2, int(size**0.5) + 1)):
        raise Refused(join(at, "maglev_lb_config.table_size"), f"{size} is not prime; use 65537")
    least, subset = message.least_request_lb_config, message.lb_subset_config
    smallest = _value(ring, "minimum_ring_size", 1024)
    largest = _value(ring, "maximum_ring_size", 8_388_608)
    if smallest > largest:
        raise Refused(join(at, "ring_hash_lb_config.minimum_ring_size"), "is at most maximum_ring_size")
    return LbOptions(
        hash_function=_HASHES[ring.hash_function],
        minimum_ring_size=smallest,
        maximum_ring_size=largest,
        table_size=size,
        choice_count=_value(least, "choice_count", 2),
        active_request_bias=least.active_request_bias.default_value if least.HasField("active_request_bias") else 1.0,
        healthy_panic_threshold=(
            common.healthy_panic_threshold.value if common.HasField("healthy_panic_threshold") else 50.0
        ),
        overprovisioning_factor=_value(message.load_assignment.policy, "overprovisioning_factor", 140),
        locality_weighted=common.HasField("locality_weighted_lb_config"),
        update_merge_window_s=seconds(common.update_merge_window) if common.HasField("update_merge_window") else 1.0,
        subset_keys=tuple(tuple(sorted(selector.keys)) for selector in subset.subset_selectors),
        subset_fallback=_FALLBACK[subset.fallback_policy],
        default_subset=tuple(sorted((k, str(v)) for k, v in json_format.MessageToDict(subset.default_subset).items())),
    )


def _outlier(message: Any) -> OutlierSpec:
    base_s = seconds(message.base_ejection_time) if message.HasField("base_ejection_time") else 30.0
    longest_s = seconds(message.max_ejection_time) if message.HasField("max_ejection_time") else 300.0
    return OutlierSpec(
        consecutive_5xx=_value(message, "consecutive_5xx", 5),
        enforcing_consecutive_5xx=_value(message, "enforcing_consecutive_5xx", 100),
        consecutive_gateway_failure=_value(message, "consecutive_gateway_failure", 5),
        enforcing_consecutive_gateway_failure=_value(message, "enforcing_consecutive_gateway_failure", 0),
        consecutive_local_origin_failure=_value(message, "consecutive_local_origin_failure", 5),
        enforcing_consecutive_local_origin_failure=_value(message, "enforcing_consecutive_local_origin_failure", 100),
        split_external_local_origin_errors=message.split_external_local_origin_errors,
        interval_s=seconds(message.interval) if message.HasField("interval") else 10.0,
        base_ejection_time_s=base_s,
        max_ejection_time_s=max(longest_s, base_s),
        max_ejection_percent=_value(message, "max_ejection_percent", 10),
        always_eject_one_host=message.always_eject_one_host.value,
    )


def compile_endpoints(message: Any, at: str = "", checked: bool = False) -> tuple[EndpointSpec, ...]:
    """The endpoints of an envoy.config.endpoint.v3.ClusterLoadAssignment, in order."""
    if not checked:
        refuse_unexecuted(message, at)
    compiled = []
    for i, group in enumerate(message.endpoints):
        locality = (group.locality.region, group.locality.zone, group.locality.sub_zone)
        weight = group.load_balancing_weight.value if group.HasField("load_balancing_weight") else None
        for j, entry in enumerate(group.lb_endpoints):
            where = join(at, f"endpoints[{i}].lb_endpoints[{j}]")
            address, port = socket_address(entry.endpoint.address, join(where, "endpoint.address"))
            _ip(address, join(where, "endpoint.address.socket_address.address"))
            if entry.HasField("load_balancing_weight") and entry.load_balancing_weight.value < 1:
                raise Refused(join(where, "load_balancing_weight"), "is at least 1")
            compiled.append(
                EndpointSpec(
                    address=address,
                    port=port,
                    weight=entry.load_balancing_weight.value if entry.HasField("load_balancing_weight") else 1,
                    priority=group.priority,
                    locality=locality,
                    locality_weight=weight,
                    health=_HEALTH[entry.health_status],
                    hostname=entry.endpoint.hostname,
                    metadata=_metadata(entry),
                )
            )
    return tuple(compiled)


def _ip(text: str, at: str) -> None:
    try:
        ip_address(text)
    except ValueError:
        raise Refused(at, f"{text!r} is a name; write an IP address (names are not resolved here)") from None


def _metadata(message: Any) -> dict[str, Any]:
    entries = message.metadata.filter_metadata
    return {key: json_format.MessageToDict(entries[key]) for key in sorted(entries)}
