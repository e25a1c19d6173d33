"""What is a DestinationRule (networking.istio.io), as far as it is executed here?

It says how the requests to a host are spread over its endpoints. All else that Istio's DestinationRule knows is refused
when it is written (`validation_destination`), so what is stored is what is done.
"""

from pydantic import Field

from mesh.api.meta import Condition, IntOrString, Model, Object


class HttpCookie(Model):
    """ttl: a duration such as `0s`; with one, a cookie is made where the client sends none."""

    name: str | None = None
    path: str | None = None
    ttl: str | None = None


class RingHash(Model):
    minimum_ring_size: IntOrString | None = None


class MaglevTable(Model):
    table_size: IntOrString | None = None


class ConsistentHash(Model):
    """One of the first four says what is hashed; ring_hash (default) or maglev, how the endpoints are laid out."""

    http_header_name: str | None = None
    http_cookie: HttpCookie | None = None
    use_source_ip: bool | None = None
    http_query_parameter_name: str | None = None
    ring_hash: RingHash | None = None
    maglev: MaglevTable | None = None
    minimum_ring_size: IntOrString | None = None


class LoadBalancerSettings(Model):
    simple: str | None = None
    consistent_hash: ConsistentHash | None = None


class TrafficPolicy(Model):
    load_balancer: LoadBalancerSettings | None = None


class DestinationRuleSpec(Model):
    host: str = ""
    traffic_policy: TrafficPolicy | None = None


class DestinationRuleStatus(Model):
    conditions: list[Condition] | None = None
    observed_generation: int | None = None


class DestinationRule(Object):
    spec: DestinationRuleSpec = Field(default_factory=DestinationRuleSpec)
    status: DestinationRuleStatus | None = None
