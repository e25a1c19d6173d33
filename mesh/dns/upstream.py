"""Which server does a person mean who names one to forward to? Loads no library, for every process reads settings."""

from __future__ import annotations

import ipaddress

DNS_PORT = 53


def server_address(text: str) -> tuple[str, int]:
    """`ADDRESS` or `ADDRESS:PORT`, IPv6 in brackets. Raises ValueError with a line for people."""
    host, port = text, str(DNS_PORT)
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":") or port
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    try:
        address = str(ipaddress.ip_address(host))
    except ValueError:
        raise ValueError(f"{text}: must be the address of a DNS server, as 192.0.2.1 or 192.0.2.1:53") from None
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise ValueError(f"{text}: the port must be 1 to 65535")
    return address, int(port)
