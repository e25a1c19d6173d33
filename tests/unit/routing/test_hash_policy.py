import json
import random
from dataclasses import dataclass
from typing import Any

import pytest
import xxhash

from mesh.balance.maglev import Maglev
from mesh.balance.ring import Ring
from mesh.routing.errors import Refused
from mesh.routing.hash_policy import HashContext, HashPolicies, compile_hash_policies, cookie_value, hash_of
from mesh.routing.request import Request
from tests.unit.routing.conftest import DATA, message, request

EMPTY = 0xEF46DB3751D8E999
HERE = HashContext(remote_ip=b"127.0.0.1", connection=b"127.0.0.1:4711127.60.0.1:80")


@dataclass(eq=False)
class Host:
    key: bytes
    weight: int = 1
    active: int = 0


def _policies(policies: list[Any]) -> HashPolicies | None:
    action = message("envoy.config.route.v3.route_components:RouteAction", {"hash_policy": policies})
    return compile_hash_policies(action.hash_policy, "route")


def _request(wire: Any) -> Request:
    authority = next((v for n, v in wire["headers"] if n == "x-host"), "svc.example")
    fields = [(n.lower().encode(), v.strip().encode()) for n, v in wire["headers"] if n != "x-host"]
    return Request(b"GET", wire["path"].encode(), authority.encode(), fields)


def _remote(case: Any, wire: Any) -> bytes:
    """The downstream remote address: the last x-forwarded-for entry, unless the listener trusts the peer only."""
    entries = [entry.strip() for n, v in wire["headers"] if n == "x-forwarded-for" for entry in v.split(",")]
    if entries and not case["hcm"].get("use_remote_address"):
        return str(entries[-1]).encode()
    return str(wire["src"]).encode()


@pytest.mark.parametrize("name", ["ring_hash", "maglev"])
def test_every_recorded_pick(name: str) -> None:
    data = json.loads((DATA / f"{name}.json").read_text())
    hosts = [Host(key.encode()) for key in data["policy_hosts"]]
    rng = random.Random(1)
    balancer: Any = Ring(hosts, rng) if name == "ring_hash" else Maglev(hosts, rng)
    checked = 0
    for case in data["hash_policies"]:
        policies = _policies(case["hash_policy"])
        for wire in case["requests"]:
            value = None
            if policies is not None:
                value = policies.value(_request(wire), HashContext(remote_ip=_remote(case, wire))).value
            if case["random"]:
                assert value is None, case["id"]
                continue
            assert hosts.index(balancer.pick(value)) == wire["pick"], (case["id"], wire)
            checked += 1
    assert checked > 1000


def test_every_recorded_cookie() -> None:
    data = json.loads((DATA / "ring_hash.json").read_text())
    ring = Ring([Host(key.encode()) for key in data["policy_hosts"]], random.Random(1))
    hosts = {key: i for i, key in enumerate(data["policy_hosts"])}
    for case in data["generated_cookies"]:
        policies = _policies([{"cookie": case["policy"]}])
        assert policies is not None
        context = HashContext(remote_ip=b"127.0.0.1", connection=(case["client"] + case["listener"]).encode())
        got = policies.value(request(), context)
        assert [c.decode() for c in got.set_cookie] == case["set_cookie"]
        if case["set_cookie"]:
            assert hosts[ring.pick(got.value).key.decode()] == case["pick"]
        else:
            assert got.value is None


@pytest.mark.parametrize(
    ("policy", "value"),
    [
        pytest.param({"header": {"header_name": "x-user"}}, xxhash.xxh64_intdigest(b"jason"), id="header"),
        pytest.param({"header": {"header_name": "X-User"}}, xxhash.xxh64_intdigest(b"jason"), id="name in capitals"),
        pytest.param({"header": {"header_name": "x-none"}}, None, id="absent"),
        pytest.param({"header": {"header_name": "x-empty"}}, EMPTY, id="empty"),
        pytest.param({"header": {"header_name": ":path"}}, xxhash.xxh64_intdigest(b"/p?u=a%20b&u=c&e"), id="path"),
        pytest.param({"header": {"header_name": "host"}}, xxhash.xxh64_intdigest(b"svc.example"), id="host"),
        pytest.param({"query_parameter": {"name": "u"}}, xxhash.xxh64_intdigest(b"a%20b"), id="query, raw, first"),
        pytest.param({"query_parameter": {"name": "e"}}, EMPTY, id="query without a value"),
        pytest.param({"query_parameter": {"name": "U"}}, None, id="query in another case"),
        pytest.param({"connection_properties": {"source_ip": True}}, xxhash.xxh64_intdigest(b"127.0.0.1"), id="source"),
        pytest.param({"connection_properties": {"source_ip": False}}, None, id="source, switched off"),
        pytest.param({"cookie": {"name": "s"}}, xxhash.xxh64_intdigest(b"v"), id="cookie"),
        pytest.param({"cookie": {"name": "t"}}, None, id="no cookie and no ttl"),
        pytest.param({"cookie": {"name": "t", "path": "/"}}, None, id="a path alone invents nothing"),
    ],
)
def test_one_policy(policy: Any, value: int | None) -> None:
    policies = _policies([policy])
    assert policies is not None
    head = request("/p?u=a%20b&u=c&e", x_user="jason", x_empty="", cookie="s=v")
    assert policies.value(head, HERE).value == value


def _combine(first: int, second: int) -> int:
    return (((first << 1) | (first >> 63)) & ((1 << 64) - 1)) ^ second


def test_policies_are_combined_by_rotation() -> None:
    a, b = xxhash.xxh64_intdigest(b"1"), xxhash.xxh64_intdigest(b"2")
    both = [{"header": {"header_name": "x-a"}}, {"header": {"header_name": "x-b"}}]
    head = request(x_a="1", x_b="2")
    for policies, wanted in (
        (both, _combine(a, b)),
        ([both[0], both[0]], _combine(a, a)),
        ([{**both[0], "terminal": True}, both[1]], a),
        ([{"header": {"header_name": "x-none"}, "terminal": True}, both[1]], b),
    ):
        compiled = _policies(policies)
        assert compiled is not None
        assert compiled.value(head, HERE).value == wanted


def test_lines_of_a_header_count_in_any_order() -> None:
    assert hash_of([b"b", b"a"]) == hash_of([b"a", b"b"]) != hash_of([b"a,b"])
    assert hash_of([]) is None


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        pytest.param([b"a=1; s=x; s=y"], b"x", id="first of two"),
        pytest.param([b"a=1", b"b=2; s=z"], b"z", id="in a second line"),
        pytest.param([b's="q"'], b"q", id="quoted"),
        pytest.param([b's="'], b'"', id="one quote stays"),
        pytest.param([b" s = v "], b"v", id="blanks"),
        pytest.param([b"s="], b"", id="empty"),
        pytest.param([b"S=v"], None, id="case counts"),
        pytest.param([b"xs=v"], None, id="another name"),
        pytest.param([], None, id="no cookies"),
    ],
)
def test_cookie_value(lines: list[bytes], value: bytes | None) -> None:
    head = Request(b"GET", b"/", b"h", [(b"cookie", line) for line in lines])
    assert cookie_value(head, b"s") == value


def test_an_invented_cookie_has_all_its_attributes() -> None:
    policies = _policies(
        [
            {
                "cookie": {
                    "name": "s",
                    "ttl": "1.9s",
                    "path": "/p",
                    "attributes": [{"name": "SameSite", "value": "Lax"}, {"name": "Secure"}],
                }
            }
        ]
    )
    assert policies is not None
    value = xxhash.xxh64_intdigest(HERE.connection)
    cookie = b's="%016x"; Max-Age=1; Path=/p; SameSite=Lax; Secure; HttpOnly' % value
    assert policies.value(request(), HERE).set_cookie == (cookie,)
    assert policies.value(request(cookie="s=v"), HERE).set_cookie == ()


@pytest.mark.parametrize(
    ("policy", "complaint"),
    [
        pytest.param({"filter_state": {"key": "k"}}, "filter_state: is not executed", id="filter state"),
        pytest.param({"header": {}}, r"header.header_name: is empty", id="no name"),
    ],
)
def test_refused(policy: Any, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        _policies([policy])


def test_no_policies() -> None:
    assert _policies([]) is None
