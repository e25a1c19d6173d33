"""What is wrong with Endpoints and with an EndpointSlice?"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from mesh.api.errors import Cause, invalid, not_supported, required
from mesh.api.validation_names import dns_subdomain, ip_address, port_number

Json = dict[str, Any]
_TYPES = ["FQDN", "IPv4", "IPv6"]
_MOST_ADDRESSES = 100
_BYTE = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
# The quick answer for what almost all endpoints are: a service may have a thousand, written again and again.
_IPV4 = re.compile(rf"{_BYTE}(?:\.{_BYTE}){{3}}", re.ASCII)


def endpoints_causes(endpoints: Json) -> list[Cause]:
    """Addresses that are none, and ports out of range."""
    found: list[Cause] = []
    for number, subset in _objects(endpoints.get("subsets")):
        at = f"subsets[{number}]"
        for field in ("addresses", "notReadyAddresses"):
            for place, address in _objects(subset.get(field)):
                ip = address.get("ip")
                if isinstance(ip, str) and not _IPV4.fullmatch(ip) and (wrong := ip_address(ip)):
                    found.append(invalid(f"{at}.{field}[{place}].ip", ip, wrong))
        found += _ports(at, subset.get("ports"))
    return found


def slice_causes(piece: Json) -> list[Cause]:
    """The same of a slice, whose addresses are all of one type."""
    kind = piece.get("addressType")
    found: list[Cause] = []
    if isinstance(kind, str) and kind not in _TYPES:
        found.append(not_supported("addressType", kind, _TYPES))
    for number, endpoint in _objects(piece.get("endpoints")):
        at, addresses = f"endpoints[{number}].addresses", endpoint.get("addresses")
        if not addresses:
            found.append(required(at, "an endpoint has at least one address"))
        elif isinstance(addresses, list):
            found += _addresses(at, addresses, str(kind))
    return [*found, *_ports("", piece.get("ports"))]


def slice_update_causes(piece: Json, old: Json) -> list[Cause]:
    """Other addresses need another slice."""
    before, after = old.get("addressType"), piece.get("addressType")
    return [invalid("addressType", after or "", f"field is immutable; it is {before}")] if before != after else []


def _addresses(at: str, addresses: list[Any], kind: str) -> Iterator[Cause]:
    if len(addresses) > _MOST_ADDRESSES:
        yield invalid(at, len(addresses), f"must have at most {_MOST_ADDRESSES} items")
    for place, address in enumerate(addresses):
        if isinstance(address, str) and not (kind == "IPv4" and _IPV4.fullmatch(address)):
            wrong = dns_subdomain(address) if kind == "FQDN" else ip_address(address)
            if wrong is None and kind in ("IPv4", "IPv6") and (":" in address) != (kind == "IPv6"):
                wrong = f"must be an {kind} address"
            if wrong:
                yield invalid(f"{at}[{place}]", address, wrong)


def _ports(at: str, ports: Any) -> Iterator[Cause]:
    for place, port in _objects(ports):
        number = port.get("port")
        if isinstance(number, int) and (wrong := port_number(number)):
            yield invalid(f"{at}{'.' if at else ''}ports[{place}].port", number, wrong)


def _objects(items: Any) -> Iterable[tuple[int, Json]]:
    return [(n, item) for n, item in enumerate(items) if isinstance(item, dict)] if isinstance(items, list) else ()
