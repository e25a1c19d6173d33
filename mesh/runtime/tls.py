"""How does a certificate that is in memory get into a TLS server?

Python's ssl takes certificates from files alone. Where the system has files without a name (Linux), the key is never
on a disk; elsewhere a private temporary file exists for the moment of reading.
"""

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


class BadCertificate(ValueError):
    """A certificate and key that cannot be used; `str()` says why in a few words."""


def server_context(chain: bytes, key: bytes, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
    """The context of a server with one certificate chain and its key, both PEM. Raises BadCertificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if not _is_pem(chain, b"CERTIFICATE"):
        raise BadCertificate("the certificate is not PEM (-----BEGIN CERTIFICATE-----)")
    if b"ENCRYPTED" in key:
        raise BadCertificate("the key needs a password; write it without one")
    if not _is_pem(key, b"KEY"):
        raise BadCertificate("the key is not PEM (-----BEGIN PRIVATE KEY-----)")
    try:
        with _readable(chain) as chain_path, _readable(key) as key_path:
            context.load_cert_chain(chain_path, key_path)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise BadCertificate("the key does not belong to the certificate") from error
        why = (error.reason or "bad content").lower()
        raise BadCertificate(f"certificate or key cannot be read ({why})") from error
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def _is_pem(text: bytes, what: bytes) -> bool:
    first, _, _ = text.strip().partition(b"\n")
    return first.startswith(b"-----BEGIN ") and what in first


@contextmanager
def _readable(data: bytes) -> Iterator[str]:
    """A path under which some bytes can be read."""
    if hasattr(os, "memfd_create"):
        number = os.memfd_create("mesh-tls", os.MFD_CLOEXEC)
        try:
            os.write(number, data)
            yield f"/proc/self/fd/{number}"
        finally:
            os.close(number)
        return
    with tempfile.NamedTemporaryFile() as file:  # readable by nobody else, and gone at the end
        file.write(data)
        file.flush()
        yield file.name
