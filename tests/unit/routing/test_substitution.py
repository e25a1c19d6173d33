import pytest

from mesh.routing.decision import Decision
from mesh.routing.errors import Refused
from mesh.routing.route_table import CLUSTER, Route
from mesh.routing.substitution import DEFAULT_ACCESS_LOG, compile_format, moment
from tests.unit.routing.conftest import request


def _decision() -> Decision:
    decision = Decision(100.0, 1_700_000_000.123456)
    decision.request = request("/p?q=1", "svc:80", x_user="jo", user_agent="curl", x_envoy_original_path="/old?q")
    decision.route = Route(CLUSTER, b"rule", b"vh")
    decision.cluster, decision.endpoint, decision.attempts = b"up", b"127.45.0.1:8080", 2
    decision.flags, decision.details, decision.response_code = b"URX,UF", b"via_upstream", 503
    decision.response_headers = [(b"x-envoy-upstream-service-time", b"7")]
    decision.bytes_received, decision.bytes_sent = 3, 44
    decision.peer, decision.local = ("127.9.1.7", 4711), ("127.0.0.1", 8080)
    decision.request_done_s, decision.response_started_s, decision.ended_s = 100.001, 100.0205, 100.0329
    return decision


def _write(text: str, decision: Decision | None = None, missing: bytes = b"") -> str:
    compiled = compile_format(text, "at", missing)
    return (compiled if isinstance(compiled, bytes) else compiled(decision or _decision())).decode()


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain", "plain"),
        ("100%%", "100%"),
        ("", ""),
        ("a%REQ(X-USER)%b", "ajob"),
        ("%REQ(:method)% %REQ(:path)% %REQ(:authority)% %REQ(:scheme)%", "GET /p?q=1 svc:80 http"),
        ("%REQ(x-none)%", ""),
        ("%REQ(x-none?x-user)%", "jo"),
        ("%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%", "/old?q"),
        ("%REQ(USER-AGENT):3%", "cur"),
        ("%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%|%RESP(x-none)%", "7|"),
        ("%PROTOCOL% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%", "HTTP/1.1 503 URX,UF via_upstream"),
        ("%BYTES_RECEIVED%/%BYTES_SENT%", "3/44"),
        ("%DURATION% %REQUEST_DURATION% %RESPONSE_DURATION%", "32 1 20"),
        ("%UPSTREAM_HOST% %UPSTREAM_CLUSTER% %UPSTREAM_REQUEST_ATTEMPT_COUNT%", "127.45.0.1:8080 up 2"),
        ("%UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "127.45.0.1"),
        ("%ROUTE_NAME%", "rule"),
        ("%DOWNSTREAM_REMOTE_ADDRESS%", "127.9.1.7:4711"),
        ("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_REMOTE_PORT%", "127.9.1.7 4711"),
        ("%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%", "127.9.1.7:4711"),
        ("%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_PORT%", "127.0.0.1:8080 8080"),
        ("%START_TIME%", "2023-11-14T22:13:20.123Z"),
        ("%START_TIME(%Y/%m/%d %H:%M:%S.%3f)%", "2023/11/14 22:13:20.123"),
        ("%START_TIME(%s)%", "1700000000"),
    ],
)
def test_operators(text: str, written: str) -> None:
    assert _write(text) == written


def test_the_remote_address_follows_x_forwarded_for() -> None:
    decision = _decision()
    decision.remote = ("10.1.1.1", 0)
    text = "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"
    assert _write(text, decision) == "10.1.1.1 127.9.1.7"


def test_ipv6_has_brackets() -> None:
    decision = _decision()
    decision.peer = ("::1", 80)
    assert _write("%DOWNSTREAM_REMOTE_ADDRESS%", decision) == "[::1]:80"


def test_what_is_missing_is_a_dash_in_a_log() -> None:
    empty = Decision(0.0)
    text = (
        "%REQ(:PATH)% %RESPONSE_FLAGS% %UPSTREAM_HOST% %ROUTE_NAME% %DURATION% %DOWNSTREAM_LOCAL_PORT% %RESPONSE_CODE%"
    )
    assert _write(text, empty, b"-") == "- - - - - - 0"


def test_the_default_access_log() -> None:
    assert _write(DEFAULT_ACCESS_LOG, missing=b"-") == (
        '[2023-11-14T22:13:20.123Z] "GET /old?q HTTP/1.1" 503 URX,UF 3 44 32 7 '
        '"-" "curl" "-" "svc:80" "127.45.0.1:8080"\n'
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("%NO_SUCH%", "at: %NO_SUCH% is not executed; use one of BYTES_RECEIVED"),
        ("50%", "at: cannot read '50%'"),
        ("%REQ()%", "takes NAME or NAME"),
        ("%RESP(a?b?c)%", "takes NAME or NAME"),
        ("%PROTOCOL(x)%", "%PROTOCOL% takes no argument"),
    ],
)
def test_refused(text: str, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        compile_format(text, "at")


def test_moment_rounds_down() -> None:
    assert moment(0.9999) == b"1970-01-01T00:00:00.999Z"
