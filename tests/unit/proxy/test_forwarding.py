import ipaddress
import random
import re

import pytest

from mesh.proxy.forwarding import (
    HTTP,
    RequestIds,
    Trust,
    consume_control,
    forward,
    gateway_fields,
    replace,
    sidecar_fields,
)
from mesh.proxy.http1.request import RequestHead, RequestOptions, parse_request

SIDECAR = Trust()
GATEWAY = Trust(use_remote_address=True)
INSIDE = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("10.0.0.0/8"))


def head(*lines: str) -> RequestHead:
    text = "\r\n".join(["GET / HTTP/1.1", "host: h", *lines]) + "\r\n\r\n"
    return parse_request(text.encode(), RequestOptions())


def ids() -> RequestIds:
    return RequestIds(random.Random(1))


def names(fields: list[tuple[bytes, bytes]]) -> list[str]:
    return [name.decode() for name, _ in fields]


def test_a_sidecar_adds_scheme_and_id_behind_what_the_client_sent() -> None:
    found = forward(head("x-a: 1"), SIDECAR, "127.9.1.7", 80, ids())
    assert names(found.fields) == ["x-a", "x-forwarded-proto", "x-request-id"]


def test_a_gateway_says_who_asked() -> None:
    found = forward(head("x-a: 1"), GATEWAY, "127.9.1.7", 80, ids()).fields
    assert found[1:4] == [
        (b"x-forwarded-for", b"127.9.1.7"),
        (b"x-forwarded-proto", b"http"),
        (b"x-envoy-external-address", b"127.9.1.7"),
    ]
    assert gateway_fields(head("x-a: 1"), HTTP, b"127.9.1.7", ids()) == found, "the short way says the same"


def test_a_gateway_overwrites_claims_where_they_stand() -> None:
    sent = head("x-forwarded-proto: https", "x-b: 1", "x-request-id: mine", "x-forwarded-for: 1.2.3.4")
    found = forward(sent, GATEWAY, "127.9.1.7", 80, ids())
    assert names(found.fields) == [
        "x-forwarded-proto",
        "x-b",
        "x-request-id",
        "x-forwarded-for",
        "x-envoy-external-address",
    ]
    assert found.fields[0][1] == b"http"
    assert found.fields[2][1] == found.request_id != b"mine"
    assert found.fields[3][1] == b"1.2.3.4,127.9.1.7"


@pytest.mark.parametrize(
    ("trust", "lines", "peer", "internal"),
    [
        pytest.param(SIDECAR, ["x-forwarded-for: 10.0.0.1"], "127.0.0.1", False, id="no ranges"),
        pytest.param(
            Trust(internal_networks=INSIDE), ["x-forwarded-for: 10.0.0.1"], "127.0.0.1", True, id="one inside"
        ),
        pytest.param(
            Trust(internal_networks=INSIDE), ["x-forwarded-for: 10.0.0.1, 10.0.0.2"], "127.0.0.1", False, id="two"
        ),
        pytest.param(Trust(internal_networks=INSIDE), [], "127.0.0.1", False, id="none"),
        pytest.param(
            Trust(use_remote_address=True, internal_networks=INSIDE), [], "127.0.0.1", True, id="gateway peer"
        ),
        pytest.param(
            Trust(use_remote_address=True, internal_networks=INSIDE),
            ["x-forwarded-for: 10.0.0.1"],
            "127.0.0.1",
            False,
            id="gateway with a claim",
        ),
    ],
)
def test_who_is_internal(trust: Trust, lines: list[str], peer: str, internal: bool) -> None:
    sent = head(*lines, "x-envoy-max-retries: 3")
    found = forward(sent, trust, peer, 80, ids())
    assert found.internal is internal
    assert ("x-envoy-max-retries" in names(found.fields)) is internal
    assert ("x-envoy-internal" in names(found.fields)) is internal


def test_what_a_client_may_not_say_is_taken_out() -> None:
    sent = head("x-envoy-retry-on: 5xx", "x-forwarded-client-cert: By=x", "x-envoy-original-path: /zz", "x-b: 1")
    assert names(sidecar_fields(sent, SIDECAR, SIDECAR.untrusted)) == ["x-envoy-original-path", "x-b"]
    assert "x-envoy-original-path" not in names(forward(sent, GATEWAY, "127.0.0.2", 80, ids()).fields)


def test_the_router_keeps_its_own_headers() -> None:
    fields = [(b"x-envoy-max-retries", b"3"), (b"x-b", b"1")]
    assert consume_control(fields) == {b"x-envoy-max-retries": b"3"}
    assert fields == [(b"x-b", b"1")]


def test_replacing_keeps_the_place() -> None:
    fields = [(b"a", b"1"), (b"b", b"2")]
    replace(fields, b"a", b"3")
    replace(fields, b"c", b"4")
    assert fields == [(b"a", b"3"), (b"b", b"2"), (b"c", b"4")]


def test_ids_are_version_4_and_never_equal() -> None:
    made = ids()
    found = {made.next().decode() for _ in range(5000)}
    assert len(found) == 5000
    pattern = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    assert all(pattern.fullmatch(each) for each in found)
