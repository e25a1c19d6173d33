"""What do the HTTP filters before the router do to a request?

Faults, CORS, the local rate limit and session cookies, in the order of the configuration. Deciding is `routing`'s; here
a delay becomes a timer and a refusal a local reply. A route may bring its own settings for a filter or switch it off.
"""

from typing import TYPE_CHECKING, Any

from mesh.proxy import intake, router
from mesh.proxy.local_reply import Failure
from mesh.routing import cors, fault, rate_limit
from mesh.routing import decision as flags
from mesh.routing.session import session_of

if TYPE_CHECKING:
    from mesh.proxy.stream import Stream
    from mesh.routing.spec import FilterSpec


def run(stream: "Stream", at: int) -> None:
    """Go through the filters from number `at`; the last one hands the request to its route."""
    specs = stream.http.filters
    for number in range(at, len(specs)):
        spec = specs[number]
        config = _config(stream, spec)
        if config is None:
            continue
        if spec.kind == "fault":
            proceed = _fault(stream, config, number)
        elif spec.kind == "cors":
            proceed = _cors(stream, config)
        elif spec.kind == "session":
            stream.session = session_of(config, stream, stream.http.proxy.clock.wall())
            proceed = True
        else:
            proceed = _limit(stream, spec, config)
        if not proceed:
            return
    intake.dispatch(stream)


def _config(stream: "Stream", spec: "FilterSpec") -> Any:
    """What the filter does for this route; None: nothing."""
    said = stream.route.filters
    if spec.name in said:
        return said[spec.name]
    return None if spec.disabled else spec.config


def _fault(stream: "Stream", spec: fault.FaultSpec, number: int) -> bool:
    http = stream.http
    name = stream.route.cluster or b""
    decided = fault.decide(spec, stream, name, http.stats.fault_active_faults, http.rng)
    if decided is fault.NO_FAULT:
        return True
    if not decided.delay_s:
        _abort(stream, decided)
        return False
    stream.flag(flags.DELAY_INJECTED)
    http.stats.fault_delays_injected += 1
    http.stats.fault_active_faults += 1
    stream.faulted = True

    def go_on() -> None:
        stream.retry_timer = None
        if stream.over:
            return
        if decided.abort is not None:
            _abort(stream, decided)
        else:
            run(stream, number + 1)

    stream.retry_timer = stream.connection.loop.call_later(decided.delay_s, go_on)
    return False


def _abort(stream: "Stream", decided: fault.Fault) -> None:
    stream.http.stats.fault_aborts_injected += 1
    abort = decided.abort
    assert abort is not None
    stream.fail(
        Failure(abort.status, b"fault filter abort", flags.FAULT_INJECTED, b"fault_filter_abort", abort.grpc_status),
        early=True,
    )


def _cors(stream: "Stream", spec: cors.CorsSpec) -> bool:
    decided = cors.decide(spec, stream)
    if decided is cors.PASS:
        return True
    if decided.preflight is not None:
        stream.http.stats.cors_origin_valid += 1
        stream.fail(Failure(200, b"", b"", b"cors_response"), list(decided.preflight), early=True)
        return False
    stream.http.stats.cors_origin_valid += 1
    stream.on_answer = lambda fields: cors.apply(spec, decided, fields)
    return True


def _limit(stream: "Stream", spec: "FilterSpec", config: rate_limit.RateLimitSpec) -> bool:
    http = stream.http
    decided = rate_limit.decide(config, http.bucket(stream.connection, spec, config), http.proxy.clock.now(), http.rng)
    if decided == rate_limit.ALLOWED:
        return True
    if decided == rate_limit.SHADOWED:
        if config.request_mutation is not None:
            router.mutate(stream, config.request_mutation, stream.headers)
        return True
    extra: list[tuple[bytes, bytes]] = []
    if config.response_mutation is not None:
        router.mutate_response(stream, config.response_mutation, extra)
    grpc_status = 8 if config.as_resource_exhausted else None
    failure = Failure(config.status, b"local_rate_limited", flags.RATE_LIMITED, b"local_rate_limited", grpc_status)
    stream.fail(failure, extra, early=True)
    return False
