"""How does a part of the house open a socket on loopback, and what does it say when it cannot?"""

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

# Linux: choose the port at connect(), so that a bound source address does not use one up per connection.
IP_BIND_ADDRESS_NO_PORT = 24


class BindError(OSError):
    """An address that could not be bound; `str()` is one line for a user."""

    def __init__(self, address: str, port: int, why: str) -> None:
        super().__init__(f"cannot listen on {address}:{port}: {why}")
        self.address, self.port, self.why = address, port, why


def is_loopback(address: str) -> bool:
    """True for 127.0.0.0/8, ::1 and the name localhost."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def listening_socket(address: str, port: int, backlog: int = 1024) -> socket.socket:
    """A bound, listening, non-blocking TCP socket. Raises BindError; refuses anything but loopback."""
    if not is_loopback(address):
        raise BindError(address, port, "only loopback addresses (127.0.0.0/8) are served")
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind((address, port))
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        raise BindError(address, port, bind_reason(error, address)) from error
    return sock


def bind_reason(error: OSError, address: str) -> str:
    """What to tell a person about a failed bind, with the command that helps where there is one."""
    if error.errno == errno.EADDRINUSE:
        return "the port is in use by another program"
    if error.errno == errno.EACCES:
        return "not permitted (ports below net.ipv4.ip_unprivileged_port_start need privileges)"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"this machine does not have the address; on macOS: sudo ifconfig lo0 alias {address} up"
    return error.strerror or str(error)


async def listen_stream(
    factory: Callable[[], asyncio.BaseProtocol],
    address: str,
    port: int,
    backlog: int = 1024,
    *,
    tls: "ssl.SSLContext | None" = None,
    handshake_s: float | None = None,
) -> asyncio.Server:
    """Serve `factory` on a loopback TCP address. Raises BindError. handshake_s: how long one of TLS may take."""
    sock = listening_socket(address, port, backlog)
    return await asyncio.get_running_loop().create_server(
        factory, sock=sock, ssl=tls, ssl_handshake_timeout=handshake_s if tls is not None else None
    )


def source_socket(source: str | None) -> socket.socket:
    """A non-blocking TCP socket that will leave from `source`, without reserving a port until it connects."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    if source is not None:
        try:
            sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        except OSError:
            pass  # other systems: the port is reserved at bind, which is correct but uses more of them
        sock.bind((source, 0))
    return sock
