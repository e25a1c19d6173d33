"""What is a request told about its way: who sent it, through which scheme, under which id?

Decides which headers of a client are believed and which are added (x-forwarded-*, x-envoy-*, x-request-id), in the
order in which Envoy writes them. A sidecar believes its own application's neighbours little and changes little; a
gateway (`use_remote_address`) starts the record anew. What depends on the head alone is kept with the head.
"""

import ipaddress
import random
import socket
from dataclasses import dataclass
from functools import lru_cache

from mesh.proxy.http1.lines import Field
from mesh.proxy.http1.request import RequestHead

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Only a trusted (internal) client may steer the router with these.
_CONTROL = frozenset(
    b"x-envoy-upstream-rq-timeout-ms x-envoy-upstream-rq-per-try-timeout-ms x-envoy-max-retries x-envoy-retry-on"
    b" x-envoy-retry-grpc-on x-envoy-retriable-status-codes x-envoy-retriable-header-names"
    b" x-envoy-hedge-on-per-try-timeout x-envoy-upstream-alt-stat-name x-envoy-ip-tags x-envoy-force-trace"
    b" x-envoy-internal x-envoy-expected-rq-timeout-ms x-envoy-upstream-rq-timeout-alt-response".split()
)
# A gateway also takes these from everybody who is not internal.
_EDGE = _CONTROL | frozenset(
    b"x-envoy-decorator-operation x-envoy-original-path x-envoy-downstream-service-cluster"
    b" x-envoy-downstream-service-node".split()
)
_CLAIMS = frozenset((b"x-forwarded-for", b"x-forwarded-proto", b"x-request-id", b"x-envoy-external-address"))
# The router reads these from internal clients and does not pass them on.
_CONSUMED = frozenset(
    b"x-envoy-upstream-rq-timeout-ms x-envoy-upstream-rq-per-try-timeout-ms x-envoy-max-retries x-envoy-retry-on"
    b" x-envoy-retry-grpc-on x-envoy-retriable-status-codes x-envoy-retriable-header-names"
    b" x-envoy-hedge-on-per-try-timeout x-envoy-upstream-alt-stat-name".split()
)

HTTP = (b"x-forwarded-proto", b"http")
_INTERNAL = (b"x-envoy-internal", b"true")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What a listener believes of its clients; names follow the connection manager's fields."""

    use_remote_address: bool = False
    xff_num_trusted_hops: int = 0
    skip_xff_append: bool = False
    generate_request_id: bool = True
    preserve_external_request_id: bool = False
    append_x_forwarded_port: bool = False
    forward_client_cert: bool = False
    internal_networks: tuple[Network, ...] = ()
    proxy_100_continue: bool = False

    @property
    def untrusted(self) -> frozenset[bytes]:
        """Headers that an external client's request loses here."""
        drop = _EDGE if self.use_remote_address else _CONTROL
        return drop if self.forward_client_cert else drop | {b"x-forwarded-client-cert"}

    @property
    def claims(self) -> frozenset[bytes]:
        """Headers without which a request to a gateway is an ordinary one."""
        return self.untrusted | _CLAIMS


class Forwarded:
    """The outcome for one request."""

    __slots__ = ("fields", "internal", "request_id")

    def __init__(self, fields: list[Field], request_id: bytes, internal: bool) -> None:
        self.fields = fields
        self.request_id = request_id
        """The id that was made for it; empty when it came with one."""
        self.internal = internal


class RequestIds:
    """Version-4 UUIDs as text. The end counts up from a random number, so that no two of one proxy are ever equal."""

    __slots__ = ("_count", "_middle", "_rng")

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._middle = b"%04x-4%03x-%04x" % (rng.getrandbits(16), rng.getrandbits(12), 0x8000 | rng.getrandbits(14))
        self._count = rng.getrandbits(47)

    def next(self) -> bytes:
        self._count = count = self._count + 1
        return b"%08x-%b-%012x" % (self._rng.getrandbits(32), self._middle, count)


@lru_cache(maxsize=1)
def node_address() -> bytes:
    """The machine's own non-loopback address: what Envoy writes for a client at 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a documentation address; connecting a UDP socket sends nothing
            return str(probe.getsockname()[0]).encode()
        except OSError:
            return b"127.0.0.1"


def sidecar_fields(head: RequestHead, trust: Trust, untrusted: frozenset[bytes]) -> list[Field]:
    """The fields of `head` without what an untrusted client may not say. A new list each time.

    untrusted: `trust.untrusted`, worked out once by the caller.
    """
    if untrusted.isdisjoint(head.names) and not head.expect_continue:
        return head.fields.copy()
    return _without(head, _CONTROL, trust)


def gateway_fields(head: RequestHead, proto: Field, peer: bytes, ids: RequestIds) -> list[Field]:
    """The usual case of a gateway: an external client that claims nothing. A new list each time.

    proto: the x-forwarded-proto of the listener. peer: the client's address. (`forward` serves every other case.)
    """
    own = node_address() if peer == b"127.0.0.1" else peer
    return [
        *head.fields,
        (b"x-forwarded-for", own),
        proto,
        (b"x-envoy-external-address", peer),
        (b"x-request-id", ids.next()),
    ]


def _without(head: RequestHead, drop: frozenset[bytes], trust: Trust) -> list[Field]:
    """A new list of the fields whose names are not in `drop`, nor taken by what the listener does itself."""
    names = head.names
    kept = head.fields.copy() if drop.isdisjoint(names) else [field for field in head.fields if field[0] not in drop]
    if b"x-forwarded-client-cert" in names and not trust.forward_client_cert:
        kept = [field for field in kept if field[0] != b"x-forwarded-client-cert"]
    if head.expect_continue and not trust.proxy_100_continue:
        kept = [field for field in kept if field[0] != b"expect"]
    return kept


def forward(
    head: RequestHead, trust: Trust, peer_ip: str, local_port: int, ids: RequestIds, proto: Field = HTTP
) -> Forwarded:
    """The fields to route on and to send, for any listener. proto: its x-forwarded-proto."""
    if trust.use_remote_address:
        return _gateway(head, trust, peer_ip, local_port, ids, proto)
    names = head.names
    internal = False
    if trust.internal_networks and b"x-forwarded-for" in names:
        entry = _value(head.fields, b"x-forwarded-for")
        internal = b"," not in entry and _is_internal(entry.decode("latin-1").strip(), trust.internal_networks)
    if internal:
        fields = _without(head, frozenset((b"x-envoy-internal",)), trust)
    else:
        fields = sidecar_fields(head, trust, trust.untrusted)
    if b"x-forwarded-proto" not in names:
        fields.append(proto)
    if trust.append_x_forwarded_port:
        replace(fields, b"x-forwarded-port", b"%d" % local_port)
    if internal:
        fields.append(_INTERNAL)
    made = b""
    if trust.generate_request_id and b"x-request-id" not in names:
        made = ids.next()
        fields.append((b"x-request-id", made))
    return Forwarded(fields, made, internal)


def _gateway(
    head: RequestHead, trust: Trust, peer_ip: str, local_port: int, ids: RequestIds, proto: Field
) -> Forwarded:
    names = head.names
    known = _value(head.fields, b"x-forwarded-for") if b"x-forwarded-for" in names else b""
    internal = not known and _is_internal(peer_ip, trust.internal_networks)
    fields = _without(head, frozenset((b"x-envoy-internal",)) if internal else _EDGE, trust)
    peer = peer_ip.encode()
    # In the order in which missing ones are added; those that the client sent keep their place.
    said: dict[bytes, bytes] = {}
    if not trust.skip_xff_append:
        own = node_address() if peer == b"127.0.0.1" else peer
        said[b"x-forwarded-for"] = known + b"," + own if known else own
    if not (trust.xff_num_trusted_hops and b"x-forwarded-proto" in names):
        said[b"x-forwarded-proto"] = proto[1]
    if trust.append_x_forwarded_port:
        said[b"x-forwarded-port"] = b"%d" % local_port
    if internal:
        said[b"x-envoy-internal"] = b"true"
    else:
        hops = known.split(b",") if known and trust.xff_num_trusted_hops else []
        trusted = trust.xff_num_trusted_hops
        said[b"x-envoy-external-address"] = hops[-trusted].strip() if trusted and len(hops) >= trusted else peer
    made = b""
    if trust.generate_request_id and not (
        b"x-request-id" in names and (internal or trust.preserve_external_request_id)
    ):
        made = said[b"x-request-id"] = ids.next()
    if not names.isdisjoint(said):
        fields = [(name, said.pop(name)) if name in said else (name, value) for name, value in fields]
    fields.extend(said.items())
    return Forwarded(fields, made, internal)


def consume_control(fields: list[Field]) -> dict[bytes, bytes]:
    """Take the router's own headers of an internal client out of `fields` and return them."""
    found = {name: value for name, value in fields if name in _CONSUMED}
    if found:
        fields[:] = [field for field in fields if field[0] not in _CONSUMED]
    return found


def replace(fields: list[Field], name: bytes, value: bytes) -> None:
    """Set a header where it stands, or append it."""
    for at, field in enumerate(fields):
        if field[0] == name:
            fields[at] = (name, value)
            return
    fields.append((name, value))


def _value(fields: list[Field], name: bytes) -> bytes:
    for key, value in fields:
        if key == name:
            return value
    return b""


def _is_internal(address: str, networks: tuple[Network, ...]) -> bool:
    if not networks:
        return False
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(ip in network for network in networks)
