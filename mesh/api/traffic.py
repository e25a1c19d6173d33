"""What is a RouteRule (config.istio.io/v1alpha2)?

Field meanings and limits follow Istio 0.7 and 0.8; judging what a user wrote is `validation_routerule`'s work.
Durations stay the text that was written (`"10s"`); the old proto-JSON names in snake_case are accepted too.
"""

from typing import Any

from pydantic import Field, model_validator
from pydantic.alias_generators import to_camel

from mesh.api.meta import Condition, Model, Object, Raw

# Keys below these are the user's own words (header names, label keys), not field names.
_FREE_MAPS = frozenset({"headers", "labels", "appendHeaders"})


def camel_keys(value: Any) -> Any:
    """The same JSON with proto-style snake_case field names spelt in camelCase; free maps are left alone."""
    if isinstance(value, list):
        return [camel_keys(item) for item in value]
    if not isinstance(value, dict):
        return value
    out = {}
    for key, item in value.items():
        name = to_camel(key) if isinstance(key, str) and "_" in key else key
        out[name] = item if name in _FREE_MAPS else camel_keys(item)
    return out


class IstioService(Model):
    name: str | None = None
    namespace: str | None = None
    domain: str | None = None
    service: str | None = None
    labels: dict[str, str] | None = None


class StringMatch(Model):
    exact: str | None = None
    prefix: str | None = None
    regex: str | None = None


class MatchRequest(Model):
    headers: dict[str, StringMatch] | None = None


class MatchCondition(Model):
    source: IstioService | None = None
    request: MatchRequest | None = None
    tcp: Raw | None = None
    udp: Raw | None = None


class DestinationWeight(Model):
    destination: IstioService | None = None
    labels: dict[str, str] | None = None
    weight: int = 0


class HttpRedirect(Model):
    uri: str | None = None
    authority: str | None = None


class HttpRewrite(Model):
    uri: str | None = None
    authority: str | None = None


class SimpleTimeout(Model):
    timeout: str | None = None
    override_header_name: str | None = None


class HttpTimeout(Model):
    simple_timeout: SimpleTimeout | None = None
    custom: Raw | None = None


class SimpleRetry(Model):
    """attempts: retries after the first try."""

    attempts: int = 0
    per_try_timeout: str | None = None
    override_header_name: str | None = None


class HttpRetry(Model):
    simple_retry: SimpleRetry | None = None
    custom: Raw | None = None


class FaultDelay(Model):
    """percent: None: of all requests."""

    percent: float | None = None
    fixed_delay: str | None = None
    override_header_name: str | None = None


class FaultAbort(Model):
    """percent: None: of all requests."""

    percent: float | None = None
    http_status: int | None = None
    override_header_name: str | None = None


class HttpFault(Model):
    delay: FaultDelay | None = None
    abort: FaultAbort | None = None


class CorsPolicy(Model):
    allow_origin: list[str] | None = None
    allow_methods: list[str] | None = None
    allow_headers: list[str] | None = None
    expose_headers: list[str] | None = None
    max_age: str | None = None
    allow_credentials: bool | None = None


class RouteRuleSpec(Model):
    destination: IstioService | None = None
    precedence: int = 0
    match: MatchCondition | None = None
    route: list[DestinationWeight] | None = None
    redirect: HttpRedirect | None = None
    rewrite: HttpRewrite | None = None
    websocket_upgrade: bool | None = None
    http_req_timeout: HttpTimeout | None = None
    http_req_retries: HttpRetry | None = None
    http_fault: HttpFault | None = None
    l4_fault: Raw | None = None
    mirror: IstioService | None = None
    cors_policy: CorsPolicy | None = None
    append_headers: dict[str, str] | None = None

    @model_validator(mode="before")
    @classmethod
    def _accept_proto_names(cls, data: Any) -> Any:
        return camel_keys(data) if isinstance(data, dict) else data


class RouteRuleStatus(Model):
    conditions: list[Condition] | None = None
    observed_generation: int | None = None


class RouteRule(Object):
    spec: RouteRuleSpec = Field(default_factory=RouteRuleSpec)
    status: RouteRuleStatus | None = None
