"""What Endpoints and slices may not say."""

from typing import Any

import pytest

from mesh.api.validation_endpoints import endpoints_causes, slice_causes, slice_update_causes


def subset(ip: str = "127.0.0.1", port: int = 80, field: str = "addresses") -> dict[str, Any]:
    return {"subsets": [{field: [{"ip": ip}], "ports": [{"port": port}]}]}


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        pytest.param({}, [], id="none"),
        pytest.param(subset(), [], id="good"),
        pytest.param(subset("10.0.0.1"), [], id="elsewhere"),
        pytest.param(subset("db.example"), ["subsets[0].addresses[0].ip"], id="a name"),
        pytest.param(
            subset("127.1", field="notReadyAddresses"), ["subsets[0].notReadyAddresses[0].ip"], id="not ready"
        ),
        pytest.param(subset(port=0), ["subsets[0].ports[0].port"], id="port"),
        pytest.param({"subsets": "x"}, [], id="wrong shape"),
    ],
)
def test_endpoints(given: dict[str, Any], fields: list[str]) -> None:
    assert [cause.field for cause in endpoints_causes(given)] == fields


def piece(*addresses: str, kind: str = "IPv4", port: int = 80) -> dict[str, Any]:
    return {"addressType": kind, "endpoints": [{"addresses": list(addresses)}], "ports": [{"port": port}]}


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        pytest.param(piece("127.0.0.1"), [], id="good"),
        pytest.param(piece("::1", kind="IPv6"), [], id="v6"),
        pytest.param(piece("db.example", kind="FQDN"), [], id="name"),
        pytest.param(piece("127.0.0.1", "db"), ["endpoints[0].addresses[1]"], id="no address"),
        pytest.param(piece("::1"), ["endpoints[0].addresses[0]"], id="another family"),
        pytest.param(piece("a b", kind="FQDN"), ["endpoints[0].addresses[0]"], id="no name"),
        pytest.param(piece(), ["endpoints[0].addresses"], id="empty"),
        pytest.param(piece(*["127.0.0.1"] * 101), ["endpoints[0].addresses"], id="too many"),
        pytest.param(piece("127.0.0.1", kind="Unix"), ["addressType"], id="type"),
        pytest.param(piece("127.0.0.1", port=70000), ["ports[0].port"], id="port"),
    ],
)
def test_slices(given: dict[str, Any], fields: list[str]) -> None:
    assert [cause.field for cause in slice_causes(given)] == fields


def test_the_type_of_addresses_stays() -> None:
    assert slice_update_causes(piece("127.0.0.1"), piece("127.0.0.2")) == []
    assert [c.field for c in slice_update_causes(piece("::1", kind="IPv6"), piece("127.0.0.1"))] == ["addressType"]
