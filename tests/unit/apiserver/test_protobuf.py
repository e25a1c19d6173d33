"""Bodies as newer kubectls send them, and what cannot be read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.api.errors import ApiError, BadRequest, UnsupportedMediaType
from mesh.apiserver.protobuf import MAGIC, decode
from mesh.apiserver.protobuf_tables import MESSAGES, WHOLE

# `kubectl create namespace dev`, as it was on the wire.
NAMESPACE = bytes.fromhex(
    "6b387300 0a0f 0a027631 12094e616d657370616365 121b 0a13 0a03646576 1200 1a00 2200 2a00 3200 3800 4200 1200"
    "1a02 0a00 1a00 2200"
)


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = b""
    while value >= 0x80:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    return MAGIC + field(1, field(1, api_version) + field(2, kind)) + field(2, raw)


def entry(key: str, value: str) -> bytes:
    return field(1, key) + field(2, value)


META = (
    field(1, "x") + field(2, "") + field(7, 0) + field(8, b"") + field(11, entry("a", "1")) + field(11, entry("b", "2"))
)


def test_a_namespace_as_it_was_sent() -> None:
    assert decode(NAMESPACE) == {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "dev"}}


def test_a_deployment() -> None:
    port = field(1, "") + field(2, 0) + field(3, 80) + field(4, "") + field(5, "")
    container = field(1, "c") + field(2, "nginx") + field(3, "sh") + field(3, "-c") + field(6, port) + field(8, b"")
    pod = field(2, container) + field(3, "") + field(4, 0) + field(11, 0)
    template = field(1, META) + field(2, pod)
    rolling = field(1, field(1, 1) + field(2, 0) + field(3, "25%")) + field(2, field(1, 0) + field(2, 0) + field(3, ""))
    spec = (
        field(1, 0) + field(2, field(1, entry("a", "1"))) + field(3, template)
        + field(4, field(1, "") + field(2, rolling)) + field(5, 0) + field(7, 0)
    )  # fmt: skip
    found = decode(envelope("apps/v1", "Deployment", field(1, META) + field(2, spec) + field(3, field(1, 5))))
    assert found == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "x", "labels": {"a": "1", "b": "2"}},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"a": "1"}},
            "template": {
                "metadata": {"name": "x", "labels": {"a": "1", "b": "2"}},
                "spec": {
                    "terminationGracePeriodSeconds": 0,
                    "containers": [
                        {"name": "c", "image": "nginx", "command": ["sh", "-c"], "ports": [{"containerPort": 80}]}
                    ],
                },
            },
            "strategy": {"rollingUpdate": {"maxUnavailable": "25%", "maxSurge": 0}},
        },
    }


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        pytest.param(field(1, 0) + field(2, 8080), 8080, id="number"),
        pytest.param(field(1, 1) + field(3, "http"), "http", id="name"),
        pytest.param(field(1, 0) + field(2, 0) + field(3, ""), None, id="left-out"),
    ],
)
def test_service_target_ports(number: bytes, expected: Any) -> None:
    ports = field(1, field(3, 80) + field(4, number))
    found = decode(envelope("v1", "Service", field(2, ports)))
    assert found["spec"]["ports"] == [{"port": 80, **({"targetPort": expected} if expected else {})}]


def test_an_ingress_has_its_paths_in_place() -> None:
    backend = field(4, field(1, "s") + field(2, field(1, "") + field(2, 80)))
    paths = field(1, field(1, "/") + field(2, backend) + field(3, "Prefix"))
    rule = field(1, "a.local") + field(2, field(1, paths))
    found = decode(envelope("networking.k8s.io/v1", "Ingress", field(2, field(3, rule))))
    assert found["spec"]["rules"] == [
        {
            "host": "a.local",
            "http": {
                "paths": [
                    {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "s", "port": {"number": 80}}}}
                ]
            },
        }
    ]


def test_times_and_negative_numbers() -> None:
    meta = field(1, "x") + field(8, field(1, 1_800_000_000)) + field(10, -1)
    found = decode(envelope("v1", "Namespace", field(1, meta)))
    assert found["metadata"] == {
        "name": "x", "creationTimestamp": "2027-01-15T08:00:00Z", "deletionGracePeriodSeconds": -1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "error", "says"),
    [
        pytest.param(b"{}", BadRequest, "not a protobuf message", id="no-envelope"),
        pytest.param(envelope("v1", "Binding", b""), UnsupportedMediaType, "Binding in v1 cannot be read", id="kind"),
        pytest.param(MAGIC, UnsupportedMediaType, "this object", id="empty"),
        pytest.param(NAMESPACE[:-9], BadRequest, "ends too early", id="cut-off"),
        pytest.param(MAGIC + b"\xff" * 20, BadRequest, "middle of a number", id="endless-number"),
        pytest.param(MAGIC + b"\x0b", BadRequest, "unknown wire type", id="wire-type"),
        pytest.param(envelope("v1", "Namespace", field(1, field(1, b"\xff"))), BadRequest, "not UTF-8", id="text"),
        pytest.param(envelope("v1", "Namespace", field(1, 5)), BadRequest, "is a number", id="number-for-a-message"),
        pytest.param(
            envelope("v1", "Namespace", field(1, field(7, "x"))), BadRequest, "not a number", id="text-for-a-number"
        ),
        pytest.param(
            envelope("v1", "Namespace", field(1, field(8, field(1, 1 << 60)))), BadRequest, "not a time", id="time"
        ),
        pytest.param(
            envelope("v1", "Namespace", field(2, field(9, "x"))), BadRequest, "field 9 of NamespaceSpec", id="unlisted"
        ),
    ],
)
def test_refusals(body: bytes, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        decode(body)


@given(st.binary(max_size=80), st.sampled_from(sorted(WHOLE)))
def test_any_bytes_are_refused_or_read(raw: bytes, kind: tuple[str, str]) -> None:
    for body in (MAGIC + raw, envelope(*kind, raw), envelope(*kind, field(2, raw))):
        try:
            found = decode(body)
        except ApiError as error:
            found = error.status()
        assert found["kind"] in {"Status", kind[1]}


def test_every_named_message_is_in_the_table() -> None:
    named = {found.type for fields in MESSAGES.values() for found in fields.values()}
    assert named <= set(MESSAGES) | {
        "text", "int", "bool", "map", "bytes-map", "amounts", "Amount", "Time", "Number", "skip",
    }  # fmt: skip
    assert set(WHOLE.values()) <= set(MESSAGES)


@pytest.mark.parametrize(
    ("api_version", "kind", "raw", "wanted"),
    [
        pytest.param("v1", "ConfigMap", field(2, entry("a", "1")) + field(2, entry("b", "")),
                     {"data": {"a": "1", "b": ""}}, id="config-map"),
        pytest.param("v1", "Secret", field(2, entry("a", "x")) + field(3, "Opaque"),
                     {"data": {"a": "eA=="}, "type": "Opaque"}, id="secret-bytes"),
        pytest.param("v1", "ResourceQuota", field(2, field(1, field(1, "cpu") + field(2, field(1, "500m")))),
                     {"spec": {"hard": {"cpu": "500m"}}}, id="amounts"),
        pytest.param("policy/v1", "Eviction", field(1, field(1, "a")), {"metadata": {"name": "a"}}, id="eviction"),
    ],
)  # fmt: skip
def test_configuration(api_version: str, kind: str, raw: bytes, wanted: dict[str, Any]) -> None:
    assert decode(envelope(api_version, kind, raw)) == {"apiVersion": api_version, "kind": kind, **wanted}
