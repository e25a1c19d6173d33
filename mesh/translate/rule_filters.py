"""What does a RouteRule ask of the HTTP filters before the router: faults and CORS?

A fault belongs to the requests that its rule takes. (The Istio of that time tied it to the clusters that the rule led
to, so it hit requests of other rules as well.)
"""

from typing import Any

from envoy.config.route.v3 import route_components_pb2 as rc
from envoy.extensions.filters.common.fault.v3 import fault_pb2 as common_pb2
from envoy.extensions.filters.http.cors.v3 import cors_pb2
from envoy.extensions.filters.http.fault.v3 import fault_pb2
from envoy.type.matcher.v3 import string_pb2
from envoy.type.v3 import percent_pb2
from google.protobuf import any_pb2, duration_pb2, wrappers_pb2

from mesh.api.durations import parse_ms
from mesh.api.traffic import CorsPolicy, HttpFault, HttpRetry, RouteRuleSpec

FAULT, CORS = "envoy.filters.http.fault", "envoy.filters.http.cors"
RETRY_ON = "5xx,connect-failure,refused-stream"
"""What simpleRetry meant; a method that changes something is said again as well."""
_MILLION = percent_pb2.FractionalPercent.MILLION


def filters() -> list[tuple[str, Any]]:
    """The filters, in their order, with nothing to do unless a route says so."""
    return [(CORS, packed(cors_pb2.Cors())), (FAULT, packed(fault_pb2.HTTPFault()))]


def speak(route: Any, spec: RouteRuleSpec) -> None:
    """Write into a Route what its rule asks of the filters."""
    if spec.http_fault is not None:
        route.typed_per_filter_config[FAULT].CopyFrom(packed(_fault(spec.http_fault)))
    if spec.cors_policy is not None:
        route.typed_per_filter_config[CORS].CopyFrom(packed(_cors(spec.cors_policy)))


def retry_policy(retries: HttpRetry | None) -> Any | None:
    """The RetryPolicy; None: nothing is tried again."""
    simple = retries.simple_retry if retries else None
    if simple is None or not simple.attempts:
        return None
    return rc.RetryPolicy(
        retry_on=RETRY_ON,
        num_retries=wrappers_pb2.UInt32Value(value=simple.attempts),
        per_try_timeout=duration(simple.per_try_timeout),
    )


def duration(text: str | None) -> Any:
    """A Duration of whole milliseconds; nothing written is zero."""
    whole = int((parse_ms(text) if text else None) or 0)
    return duration_pb2.Duration(seconds=whole // 1000, nanos=whole % 1000 * 1_000_000)


def packed(message: Any) -> Any:
    found = any_pb2.Any()
    found.Pack(message, deterministic=True)
    return found


def _fault(fault: HttpFault) -> Any:
    made = fault_pb2.HTTPFault()
    if fault.delay is not None:
        made.delay.CopyFrom(
            common_pb2.FaultDelay(fixed_delay=duration(fault.delay.fixed_delay), percentage=_share(fault.delay.percent))
        )
    if fault.abort is not None:
        made.abort.CopyFrom(
            fault_pb2.FaultAbort(http_status=fault.abort.http_status or 0, percentage=_share(fault.abort.percent))
        )
    return made


def _share(percent: float | None) -> Any:
    """Exact to a millionth; nothing written is everybody."""
    numerator = 1_000_000 if percent is None else round(percent * 10_000)
    return percent_pb2.FractionalPercent(numerator=numerator, denominator=_MILLION)


def _cors(cors: CorsPolicy) -> Any:
    policy = cors_pb2.CorsPolicy(
        allow_origin_string_match=[string_pb2.StringMatcher(exact=origin) for origin in cors.allow_origin or ()],
        allow_methods=",".join(cors.allow_methods or ()),
        allow_headers=",".join(cors.allow_headers or ()),
        expose_headers=",".join(cors.expose_headers or ()),
        allow_credentials=wrappers_pb2.BoolValue(value=bool(cors.allow_credentials)),
    )
    if cors.max_age:
        policy.max_age = str(int((parse_ms(cors.max_age) or 0) // 1000))
    return policy
