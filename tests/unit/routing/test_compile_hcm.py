from typing import Any

import pytest

from mesh.routing.compile import compile_hcm
from mesh.routing.decision import Decision
from mesh.routing.errors import Refused
from mesh.routing.path import PathSpec
from mesh.routing.spec import HttpSpec
from tests.unit.routing.conftest import message, route
from tests.unit.routing.test_compile_filters import ROUTER

T = "type.googleapis.com/"
KIND = "envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager:HttpConnectionManager"
ROUTES = {"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": [route({"prefix": "/"})]}]}


def _hcm(**fields: Any) -> HttpSpec:
    return compile_hcm(message(KIND, {"stat_prefix": "s", "http_filters": [ROUTER], "route_config": ROUTES, **fields}))


def test_defaults_are_envoys() -> None:
    spec = _hcm()
    assert spec.routes is not None
    assert spec.rds is None
    defaults = HttpSpec(stat_prefix="s", routes=spec.routes)
    assert spec == defaults


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"server_name": "istio-envoy"}, "server_name", b"istio-envoy"),
        ({"server_header_transformation": "PASS_THROUGH"}, "server_header", "PASS_THROUGH"),
        ({"use_remote_address": True}, "use_remote_address", True),
        ({"xff_num_trusted_hops": 2}, "xff_num_trusted_hops", 2),
        ({"normalize_path": True, "merge_slashes": True}, "path", PathSpec(normalize=True, merge_slashes=True)),
        (
            {"path_with_escaped_slashes_action": "UNESCAPE_AND_FORWARD"},
            "path",
            PathSpec(escaped_slashes="UNESCAPE_AND_FORWARD"),
        ),
        ({"upgrade_configs": [{"upgrade_type": "websocket"}]}, "upgrades", {b"websocket": True}),
        ({"stream_idle_timeout": "0s"}, "stream_idle_timeout_s", 0.0),
        ({"drain_timeout": "0.7s"}, "drain_timeout_s", 0.7),
        ({"delayed_close_timeout": "0s"}, "delayed_close_timeout_s", 0.0),
        ({"common_http_protocol_options": {"idle_timeout": "0.4s"}}, "idle_timeout_s", 0.4),
        ({"common_http_protocol_options": {"max_headers_count": 5}}, "max_headers_count", 5),
        ({"common_http_protocol_options": {"max_requests_per_connection": 2}}, "max_requests_per_connection", 2),
        (
            {"common_http_protocol_options": {"headers_with_underscores_action": "DROP_HEADER"}},
            "underscores",
            "DROP_HEADER",
        ),
        ({"max_request_headers_kb": 8}, "max_request_headers_kb", 8),
        ({"generate_request_id": False}, "generate_request_id", False),
        ({"http_protocol_options": {"allow_absolute_url": False}}, "allow_absolute_url", False),
        (
            {"http_protocol_options": {"accept_http_10": True, "default_host_for_http_10": "d"}},
            "default_host_for_http_10",
            b"d",
        ),
        ({"via": "v"}, "via", b"v"),
        ({"forward_client_cert_details": "APPEND_FORWARD"}, "forward_client_cert", "SANITIZE"),
        ({"forward_client_cert_details": "ALWAYS_FORWARD_ONLY"}, "forward_client_cert", "ALWAYS_FORWARD_ONLY"),
        ({"strip_trailing_host_dot": True}, "strip_trailing_host_dot", True),
    ],
)
def test_fields(fields: Any, name: str, value: object) -> None:
    assert getattr(_hcm(**fields), name) == value


def test_preserving_case() -> None:
    formatter = {
        "name": "preserve_case",
        "typed_config": {
            "@type": T + "envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig"
        },
    }
    assert _hcm(http_protocol_options={"header_key_format": {"stateful_formatter": formatter}}).preserve_case


def test_internal_addresses() -> None:
    spec = _hcm(internal_address_config={"cidr_ranges": [{"address_prefix": "127.1.0.0", "prefix_len": 16}]})
    assert [spec.is_internal(a) for a in ("127.1.2.3", "127.2.0.1", "::1", "nonsense")] == [True, False, False, False]
    assert not _hcm().is_internal("127.0.0.1")


@pytest.mark.parametrize(
    ("log", "path", "line"),
    [
        (
            {
                "@type": T + "envoy.extensions.access_loggers.file.v3.FileAccessLog",
                "path": "/tmp/log",
                "log_format": {"text_format_source": {"inline_string": "%RESPONSE_CODE%\n"}},
            },
            "/tmp/log",
            b"0\n",
        ),
        ({"@type": T + "envoy.extensions.access_loggers.stream.v3.StderrAccessLog"}, "/dev/stderr", None),
        ({"@type": T + "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"}, "/dev/stdout", None),
        (
            {"@type": T + "envoy.extensions.access_loggers.file.v3.FileAccessLog", "path": "p", "format": "%PROTOCOL%"},
            "p",
            b"HTTP/1.1",
        ),
    ],
    ids=["file", "stderr", "stdout", "old spelling"],
)
def test_access_logs(log: Any, path: str, line: bytes | None) -> None:
    (spec,) = _hcm(access_log=[{"name": "l", "typed_config": log}]).access_logs
    written = spec.line(Decision(0.0))
    assert spec.path == path
    assert written == line or (line is None and written.endswith(b'"-"\n'))


def test_routes_may_come_later() -> None:
    kind = {"stat_prefix": "s", "http_filters": [ROUTER]}
    rds = {"config_source": {"ads": {}, "resource_api_version": "V3"}, "route_config_name": "r"}
    spec = compile_hcm(message(KIND, {**kind, "rds": rds}))
    assert (spec.rds, spec.routes) == ("r", None)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        pytest.param({"codec_type": "HTTP2"}, "codec_type: HTTP2 is not executed; use AUTO or HTTP1", id="HTTP/2"),
        pytest.param({"tracing": {}}, "tracing: is not executed; leave it out", id="tracing"),
        pytest.param({"local_reply_config": {}}, "local_reply_config: is not executed", id="local replies"),
        pytest.param(
            {"internal_address_config": {"cidr_ranges": [{"address_prefix": "home", "prefix_len": 8}]}},
            r"cidr_ranges\[0\]: is not a network",
            id="network",
        ),
        pytest.param(
            {
                "access_log": [
                    {
                        "name": "l",
                        "typed_config": {
                            "@type": T + "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
                            "log_format": {"text_format_source": {"inline_string": "same"}},
                        },
                    }
                ]
            },
            "writes the same line for every request",
            id="constant log",
        ),
    ],
)
def test_refused(fields: Any, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        _hcm(**fields)


def test_no_routes_at_all() -> None:
    with pytest.raises(Refused, match="has no routes; use route_config or rds"):
        compile_hcm(message(KIND, {"stat_prefix": "s", "http_filters": [ROUTER]}))
