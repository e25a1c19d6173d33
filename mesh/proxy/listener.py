"""What does a listener know that its requests do not have to find out again?

An `HttpListener` is one bound address with its connections. Everything that follows from its configuration is worked
out once in an `HttpState`; a change of configuration is a new state, which the next request of each connection sees.
"""

import asyncio
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mesh.metrics.scopes import HttpStats
from mesh.proxy.answer import APPEND_IF_ABSENT, OVERWRITE, PASS_THROUGH
from mesh.proxy.certificates import HANDSHAKE_S, Certificates
from mesh.proxy.downstream import DownstreamConnection
from mesh.proxy.forwarding import RequestIds, Trust
from mesh.proxy.http1.request import ALLOW, DROP, REJECT, RequestOptions, parser_for
from mesh.proxy.local_reply import Failure
from mesh.routing.decision import Decision
from mesh.routing.path import PathError, PathRedirect
from mesh.routing.rate_limit import RateLimitSpec, TokenBucket
from mesh.runtime.net import listen_stream

if TYPE_CHECKING:
    from mesh.proxy.server import ProxyServer
    from mesh.routing.spec import FilterSpec, HttpSpec, ListenerSpec

_SERVER_MODES = {"OVERWRITE": OVERWRITE, "APPEND_IF_ABSENT": APPEND_IF_ABSENT, "PASS_THROUGH": PASS_THROUGH}
_UNDERSCORES = {"ALLOW": ALLOW, "REJECT_REQUEST": REJECT, "DROP_HEADER": DROP}

LogLine = Callable[[Decision], None]


class HttpState:
    """One connection manager, worked out for the hot path."""

    __slots__ = (
        "accept_http_10",
        "allow_absolute",
        "buckets",
        "careful",
        "changes_host",
        "claims",
        "default_host",
        "delayed_close_s",
        "drain_s",
        "filters",
        "has_internal",
        "headers_timeout_s",
        "idle_s",
        "ids",
        "inbound",
        "keep_case",
        "logs",
        "max_duration_s",
        "max_requests",
        "max_stream_s",
        "normalises",
        "parser",
        "path",
        "paths",
        "port",
        "proto",
        "proxy",
        "request_id_in_response",
        "request_timeout_s",
        "rng",
        "routes",
        "scheme",
        "server",
        "server_line",
        "server_mode",
        "simple_gateway",
        "simple_trust",
        "spec",
        "stats",
        "stream_idle_s",
        "strip_any_port",
        "strip_dot",
        "strip_own_port",
        "suppress_envoy",
        "trailers",
        "trust",
        "untrusted",
        "upgrades",
        "via",
    )

    def __init__(self, proxy: "ProxyServer", listener: "ListenerSpec", spec: "HttpSpec") -> None:
        self.proxy = proxy
        self.spec = spec
        self.port = listener.port
        self.scheme = b"http" if listener.tls is None else b"https"
        self.proto = (b"x-forwarded-proto", self.scheme)
        self.inbound = listener.direction == "INBOUND"
        self.routes = spec.routes
        self.rng: random.Random = proxy.rng
        self.ids = RequestIds(proxy.rng)
        self.stats: HttpStats = proxy.metrics.http(spec.stat_prefix)
        self.parser = parser_for(
            RequestOptions(
                max_head_bytes=spec.max_request_headers_kb * 1024,
                max_fields=spec.max_headers_count,
                custom_methods=spec.allow_custom_methods,
                chunked_length=spec.allow_chunked_length,
                underscores=_UNDERSCORES[spec.underscores],
                keep_case=spec.preserve_case,
            )
        )
        self.trust = Trust(
            use_remote_address=spec.use_remote_address,
            xff_num_trusted_hops=spec.xff_num_trusted_hops,
            skip_xff_append=spec.skip_xff_append,
            generate_request_id=spec.generate_request_id,
            preserve_external_request_id=spec.preserve_external_request_id,
            append_x_forwarded_port=spec.append_x_forwarded_port,
            forward_client_cert=spec.forward_client_cert != "SANITIZE",
            internal_networks=spec.internal_ranges,
            proxy_100_continue=spec.proxy_100_continue,
        )
        self.has_internal = bool(spec.internal_ranges)
        self.simple_trust = not (spec.use_remote_address or spec.append_x_forwarded_port or self.has_internal)
        self.simple_gateway = (
            spec.use_remote_address
            and spec.generate_request_id
            and not (spec.append_x_forwarded_port or self.has_internal)
            and not (spec.xff_num_trusted_hops or spec.skip_xff_append)
        )
        self.untrusted = self.trust.untrusted
        self.claims = self.trust.claims
        self.path = spec.path
        self.normalises = bool(
            spec.path.normalize or spec.path.merge_slashes or spec.path.escaped_slashes != "KEEP_UNCHANGED"
        )
        self.paths: dict[bytes, bytes | PathError | PathRedirect] = {}
        self.strip_any_port = spec.strip_any_host_port
        self.strip_own_port = spec.strip_matching_host_port
        self.strip_dot = spec.strip_trailing_host_dot
        self.changes_host = self.strip_any_port or self.strip_own_port or self.strip_dot
        self.server = spec.server_name
        self.server_mode = _SERVER_MODES[spec.server_header]
        self.server_line = b"" if self.server_mode == PASS_THROUGH else b"server: %b\r\n" % spec.server_name
        self.accept_http_10 = spec.accept_http_10
        self.default_host = spec.default_host_for_http_10
        self.allow_absolute = spec.allow_absolute_url
        self.upgrades = spec.upgrades
        self.filters = _active(spec)
        self.buckets: dict[Any, TokenBucket] = {}
        self.stream_idle_s = spec.stream_idle_timeout_s
        self.request_timeout_s = spec.request_timeout_s
        self.headers_timeout_s = spec.request_headers_timeout_s
        self.idle_s = spec.idle_timeout_s
        self.max_duration_s = spec.max_connection_duration_s
        self.max_requests = spec.max_requests_per_connection
        self.max_stream_s = spec.max_stream_duration_s
        self.via = spec.via
        self.drain_s = spec.drain_timeout_s
        self.delayed_close_s = spec.delayed_close_timeout_s
        self.trailers = spec.enable_trailers
        self.keep_case = spec.preserve_case
        self.suppress_envoy = spec.suppress_envoy_headers
        self.request_id_in_response = spec.always_set_request_id_in_response
        self.careful = self.request_id_in_response or self.keep_case or self.has_internal or bool(self.via)
        self.logs: tuple[LogLine, ...] = proxy.logs_for(spec.access_logs)

    def bucket(self, connection: DownstreamConnection, filter_spec: "FilterSpec", config: RateLimitSpec) -> TokenBucket:
        """The token bucket of a rate limit: one a listener, or one a connection."""
        home = connection.metrics if config.per_connection else self.buckets
        key = (filter_spec.name, id(config))
        found = home.get(key)
        if found is None:
            found = home[key] = TokenBucket(config, self.proxy.clock.now())
        assert isinstance(found, TokenBucket)
        return found


def _active(spec: "HttpSpec") -> "tuple[FilterSpec, ...]":
    """The filters that may have something to do: a request pays for no other."""
    said = spec.routes.filters() if spec.routes is not None else frozenset[str]()
    return tuple(each for each in spec.filters if each.name in said or (each.config is not None and not each.disabled))


class HttpListener:
    """One bound address that speaks HTTP, and the connections that came in there."""

    __slots__ = (
        "address",
        "certificates",
        "connections",
        "http",
        "leaving",
        "loop",
        "number",
        "port",
        "proxy",
        "server",
        "spec",
        "stats",
    )

    def __init__(self, proxy: "ProxyServer", spec: "ListenerSpec") -> None:
        assert spec.http is not None
        self.proxy = proxy
        self.loop = asyncio.get_running_loop()
        self.spec = spec
        self.address, self.port = spec.address, spec.port
        self.certificates = Certificates(spec.tls) if spec.tls is not None else None
        self.http = HttpState(proxy, spec, spec.http)
        self.stats = proxy.metrics.listener(f"{spec.address}_{spec.port}")
        self.connections: set[DownstreamConnection] = set()
        self.server: asyncio.Server | None = None
        self.number = 0
        self.leaving = False
        """Nobody new is accepted; connections end with their next answer."""

    async def bind(self) -> None:
        """Start to accept. Raises BindError."""
        tls = self.certificates.context if self.certificates is not None else None
        self.server = await listen_stream(
            lambda: DownstreamConnection(self), self.address, self.port, tls=tls, handshake_s=HANDSHAKE_S
        )
        if self.port == 0:
            self.port = self.server.sockets[0].getsockname()[1]
            self.http.port = self.port

    def recertify(self, spec: "ListenerSpec") -> None:
        """Show the certificates of `spec`. Raises BadCertificate; then everything stays."""
        if self.certificates is not None and spec.tls is not None and spec.tls != self.spec.tls:
            self.certificates.exchange(spec.tls)

    def configure(self, spec: "ListenerSpec") -> None:
        """The same address with another content."""
        if spec.http is not self.spec.http and spec.http is not None:
            self.http = HttpState(self.proxy, spec, spec.http)
            self.http.port = self.port
        self.spec = spec

    def opened(self, connection: DownstreamConnection) -> None:
        self.number += 1
        connection.number = self.number
        self.connections.add(connection)
        self.stats.downstream_cx_total += 1
        self.stats.downstream_cx_active += 1
        http = self.http.stats
        http.downstream_cx_total += 1
        http.downstream_cx_http1_total += 1
        http.downstream_cx_active += 1

    def closed(self, connection: DownstreamConnection) -> None:
        self.connections.discard(connection)
        self.stats.downstream_cx_active -= 1
        self.stats.downstream_cx_destroy += 1
        http = self.http.stats
        http.downstream_cx_active -= 1
        http.downstream_cx_destroy += 1

    def count_refusal(self, connection: DownstreamConnection, failure: Failure) -> None:
        """A request that never became one was answered by its connection."""
        http = self.http
        http.stats.downstream_rq_total += 1
        http.stats.answered(failure.status, 0.0)
        if http.logs:
            decision = Decision(self.proxy.clock.now(), self.proxy.clock.wall())
            decision.peer = connection.peer
            decision.local = (self.address, self.port)
            decision.flags, decision.details = failure.flag, failure.details
            decision.response_code, decision.bytes_sent = failure.status, len(failure.body)
            decision.ended_s = decision.start_s
            for log in http.logs:
                log(decision)

    @property
    def busy(self) -> int:
        """Requests under way."""
        return sum(connection.stream is not None for connection in self.connections)

    def stop_accepting(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None

    def drain(self) -> None:
        """Accept nobody new; each connection ends with its next answer."""
        self.stop_accepting()
        self.leaving = True

    def close_idle(self) -> None:
        for connection in list(self.connections):
            connection.shut_down()

    def abort(self) -> None:
        self.stop_accepting()
        for connection in list(self.connections):
            connection.abort()
