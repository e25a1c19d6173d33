import pytest

from mesh.runtime.tls import BadCertificate, server_context
from tests.certificates import certificate


def test_a_certificate_from_memory() -> None:
    pair = certificate("a.example")
    stats = server_context(pair.chain, pair.key).cert_store_stats()
    assert stats["x509"] == 0, "whose certificates we believe is another matter"


@pytest.mark.parametrize(
    ("chain", "key", "complaint"),
    [
        pytest.param(b"", None, "the certificate is not PEM", id="no certificate"),
        pytest.param(b"abc", None, "the certificate is not PEM", id="something else"),
        pytest.param(None, b"", "the key is not PEM", id="no key"),
        pytest.param(None, b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nx", "needs a password", id="a key with a password"),
        pytest.param(
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", None, "cannot be read", id="garbage"
        ),
    ],
)
def test_what_is_no_certificate(chain: bytes | None, key: bytes | None, complaint: str) -> None:
    pair = certificate("a.example")
    with pytest.raises(BadCertificate, match=complaint):
        server_context(pair.chain if chain is None else chain, pair.key if key is None else key)


def test_a_key_of_another_certificate() -> None:
    with pytest.raises(BadCertificate, match="does not belong to the certificate"):
        server_context(certificate("a.example").chain, certificate("b.example").key)
