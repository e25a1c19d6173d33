"""May this text be a name, a label, a port name?

Each function answers with what is wrong, or None.
"""

import ipaddress
import re
from typing import Any

from mesh.api.errors import Cause, invalid

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_ENV_NAME = re.compile(r"[ -<>-~]+")  # printable ASCII without "="
_QUANTITY = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+|[numkMGTPE]|[KMGTPE]i)?")
_PERCENT = re.compile(r"\d+%")
_LARGEST_INT32 = 2**31 - 1


def dns_label(text: str) -> str | None:
    """RFC 1123 label: what a namespace may be called."""
    if len(text) > 63:
        return "must be no more than 63 characters"
    if not _LABEL.fullmatch(text):
        return "must be lower case letters, digits and '-', with a letter or digit at both ends (like 'my-name')"
    return None


def dns_label_1035(text: str) -> str | None:
    """RFC 1035 label: what a Service may be called."""
    if len(text) > 63:
        return "must be no more than 63 characters"
    if not _LABEL_1035.fullmatch(text):
        return "must be lower case letters, digits and '-', begin with a letter and end with a letter or digit"
    return None


def dns_subdomain(text: str) -> str | None:
    """RFC 1123 subdomain: what most objects may be called."""
    if len(text) > 253:
        return "must be no more than 253 characters"
    if not _SUBDOMAIN.fullmatch(text):
        return (
            "must be lower case letters, digits, '-' and '.', with a letter or digit at both ends of each part "
            "(like 'example.com')"
        )
    return None


def qualified_name(text: str) -> str | None:
    """A label or annotation key: `[prefix/]name`."""
    prefix, slash, name = text.rpartition("/")
    if slash and (not prefix or dns_subdomain(prefix)):
        return "the part before '/' must be a DNS name in lower case"
    if not name:
        return "the name part must not be empty"
    if len(name) > 63:
        return "the name part must be no more than 63 characters"
    if not _QUALIFIED.fullmatch(name):
        return "the name part must be letters, digits, '-', '_' and '.', with a letter or digit at both ends"
    return None


def label_value(text: str) -> str | None:
    """A label's value; empty is fine."""
    if len(text) > 63:
        return "must be no more than 63 characters"
    if text and not _QUALIFIED.fullmatch(text):
        return "must be letters, digits, '-', '_' and '.', with a letter or digit at both ends, or empty"
    return None


def port_name(text: str) -> str | None:
    """A name for a port (IANA service name): at most 15 characters with a letter among them."""
    if len(text) > 15:
        return "must be no more than 15 characters"
    if not _LABEL.fullmatch(text) or "--" in text or not any(char.isalpha() for char in text):
        return "must be lower case letters, digits and single '-', with at least one letter (like 'http')"
    return None


def env_name(text: str) -> str | None:
    """The name of an environment variable."""
    return None if _ENV_NAME.fullmatch(text) else "must be printable characters other than '='"


def port_number(value: int) -> str | None:
    """A TCP or UDP port."""
    return None if 1 <= value <= 65535 else "must be between 1 and 65535, inclusive"


def quantity(value: Any) -> str | None:
    """An amount of a resource: `100m`, `64Mi`, `1.5`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return None
    if isinstance(value, str) and _QUANTITY.fullmatch(value):
        return None
    return "must be a number with an optional suffix, like '100m', '0.5' or '64Mi'"


def ip_address(text: str) -> str | None:
    """An IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return "must be an IP address (like '10.9.8.7')"
    return None


def int_or_percent(field: str, value: Any) -> list[Cause]:
    """A count, or a share such as `25%`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return [] if value >= 0 else [invalid(field, value, "must be greater than or equal to 0")]
    if isinstance(value, str) and not _PERCENT.fullmatch(value):
        return [invalid(field, value, "must be a whole number or a percentage (like '25%')")]
    return []


def port_reference(field: str, value: Any) -> list[Cause]:
    """A port by number or by name."""
    if isinstance(value, bool):
        return [invalid(field, value, "must be a port number or the name of a port")]
    if isinstance(value, int):
        wrong = port_number(value)
    elif isinstance(value, str):
        wrong = port_name(value)
    else:
        return []
    return [invalid(field, value, wrong)] if wrong else []


def not_negative(spec: dict[str, Any], path: str, *fields: str) -> list[Cause]:
    """Counts that may be left out but not be below zero, nor beyond 32 bits."""
    return [
        invalid(
            f"{path}.{field}" if path else field, value,
            "must be greater than or equal to 0" if value < 0 else f"must be less than or equal to {_LARGEST_INT32}",
        )
        for field in fields
        if isinstance(value := spec.get(field), int) and not 0 <= value <= _LARGEST_INT32
    ]  # fmt: skip
