"""What a person is told when a mesh is up."""

from typing import Any

import pytest

from mesh.cli.state import State
from mesh.cli.up import line_to_try, names, tls_rows

RUNNING = State(
    name="default",
    gateway="http://127.0.0.1:8080",
    api="http://127.0.0.1:8001",
    dns="127.0.0.1:1053",
    kubeconfig="/k",
    control_pid=1,
    gateway_pid=1,
    state_dir="/s",
    gateway_tls="https://127.0.0.1:8443",
)
PATHS = {"paths": [{"path": "/shop", "backend": {}}]}


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        pytest.param({"defaultBackend": {}, "rules": []}, "http://127.0.0.1:8001/api", id="an empty Ingress"),
        pytest.param({"defaultBackend": {"service": {}}}, "curl http://127.0.0.1:8080/", id="default backend"),
        pytest.param({"rules": [{"http": PATHS}]}, "curl http://127.0.0.1:8080/shop", id="path"),
        pytest.param(
            {"rules": [{"host": "*.shop.test", "http": PATHS}]},
            "curl -H 'Host: any.shop.test' http://127.0.0.1:8080/shop",
            id="host",
        ),
    ],
)
def test_the_first_way_in(spec: dict[str, Any], line: str) -> None:
    assert line in line_to_try(RUNNING, [{"spec": spec}])


def test_without_a_way_in_the_api_answers() -> None:
    assert line_to_try(RUNNING, []).startswith("curl http://127.0.0.1:8001/api/v1/services")


def test_the_address_for_tls_is_told_where_a_certificate_is_asked_for() -> None:
    assert tls_rows(RUNNING, [{"spec": {"rules": []}}]) == []
    assert [row[1] for row in tls_rows(RUNNING, [{"spec": {"tls": [{"secretName": "s"}]}}])] == [
        "https://127.0.0.1:8443"
    ]


@pytest.mark.parametrize(
    ("text", "zones"), [("", ()), ("a", ("a",)), (" a, b,c ", ("a", "b", "c")), ("a,,b", ("a", "", "b"))]
)
def test_zones_as_people_write_them(text: str, zones: tuple[str, ...]) -> None:
    assert names(text) == zones
