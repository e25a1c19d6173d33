"""May this caller drive the API at all?

The server has no passwords: whoever reaches loopback may use it. A web page in the user's browser also reaches
loopback, so a request that names another host (DNS rebinding) or comes from a foreign page is refused.
"""

from urllib.parse import urlsplit

from mesh.api.errors import Forbidden
from mesh.runtime.net import is_loopback


def check(host: str | None, origin: str | None) -> None:
    """Raises Forbidden unless both headers, where present, name this machine's loopback."""
    if host and not is_loopback(_without_port(host).lower()):
        raise Forbidden(f'Host "{host[:100]}": only loopback names (127.0.0.1, localhost) are served')
    if origin is None:
        return
    try:
        parts = urlsplit(origin)
        local = parts.scheme in ("http", "https") and is_loopback(parts.hostname or "")
    except ValueError:
        local = False
    if not local:
        raise Forbidden(f'Origin "{origin[:100]}": web pages from elsewhere may not drive this API')


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.rpartition(":")[0] if ":" in host else host
