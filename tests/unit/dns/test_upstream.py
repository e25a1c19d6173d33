import pytest

from mesh.dns.upstream import server_address


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("192.0.2.1", ("192.0.2.1", 53), id="address"),
        pytest.param("192.0.2.1:5353", ("192.0.2.1", 5353), id="address-and-port"),
        pytest.param("[2001:db8::1]:5353", ("2001:db8::1", 5353), id="ipv6-and-port"),
        pytest.param("2001:db8::1", ("2001:db8::1", 53), id="ipv6"),
    ],
)
def test_servers(text: str, found: tuple[str, int]) -> None:
    assert server_address(text) == found


@pytest.mark.parametrize(
    "text", ["", "dns.example.com", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:dns"]
)
def test_what_is_no_server(text: str) -> None:
    with pytest.raises(ValueError, match=r"192\.0\.2\.1 or 192\.0\.2\.1:53|port must be 1 to 65535"):
        server_address(text)
