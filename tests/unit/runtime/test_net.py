"""Sockets: loopback only, and one clear line when an address cannot be had."""

import socket

import pytest

from mesh.runtime.net import BindError, is_loopback, listening_socket, source_socket


@pytest.mark.parametrize(
    ("address", "loopback"),
    [("127.0.0.1", True), ("127.244.3.9", True), ("localhost", True), ("[::1]", True), ("0.0.0.0", False),
     ("10.0.0.1", False), ("example.com", False), ("", False)],
)  # fmt: skip
def test_is_loopback(address: str, loopback: bool) -> None:
    assert is_loopback(address) is loopback


def test_a_taken_port_is_named() -> None:
    with listening_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BindError, match=f"127.0.0.1:{port}: the port is in use"):
            listening_socket("127.0.0.1", port)


def test_other_addresses_are_refused() -> None:
    with pytest.raises(BindError, match="only loopback"):
        listening_socket("0.0.0.0", 0)


def test_a_connection_leaves_from_its_source() -> None:
    with listening_socket("127.0.0.1", 0) as server, source_socket("127.3.2.1") as client:
        client.setblocking(True)
        client.settimeout(5)
        server.setblocking(True)
        server.settimeout(5)
        client.connect(server.getsockname())
        accepted, peer = server.accept()
        accepted.close()
        assert peer[0] == "127.3.2.1"
    assert isinstance(client, socket.socket)
