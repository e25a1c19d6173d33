import pytest

from mesh.routing.spec import ClusterSpec, EndpointSpec, HttpSpec


@pytest.mark.parametrize(
    ("metadata", "key", "labels"),
    [
        pytest.param({}, None, {}, id="none"),
        pytest.param({"istio": {"hash_key": "x"}}, None, {}, id="somebody else's"),
        pytest.param({"envoy.lb": {"hash_key": "k", "n": 1}}, b"k", {"hash_key": "k", "n": "1"}, id="ours"),
        pytest.param({"envoy.lb": {"hash_key": ""}}, None, {"hash_key": ""}, id="empty"),
        pytest.param({"envoy.lb": {"hash_key": 7}}, None, {"hash_key": "7"}, id="not a text"),
    ],
)
def test_what_metadata_says_of_an_endpoint(metadata: dict[str, object], key: bytes | None, labels: object) -> None:
    spec = EndpointSpec(address="127.0.0.1", port=80, metadata=metadata)
    assert spec.key == b"127.0.0.1:80"
    assert (spec.hash_key, spec.labels) == (key, labels)


def test_specs_compare_by_value_and_cannot_change() -> None:
    assert ClusterSpec(name=b"c") == ClusterSpec(name=b"c")
    assert HttpSpec() == HttpSpec()
    with pytest.raises(AttributeError):
        ClusterSpec(name=b"c").name = b"d"  # type: ignore[misc]
