"""What can be wrong with bytes that claim to be HTTP/1?

The texts are Envoy's response code details, so an access log of either proxy reads the same. What the other side
is told about each is decided in `proxy/local_reply`.
"""

MALFORMED = "http1.codec_error"
INVALID_CHARACTERS = "http1.invalid_characters"
INVALID_URL = "http1.invalid_url"
INVALID_SCHEME = "http1.invalid_scheme"
INVALID_AUTHORITY = "http.invalid_authority"
LENGTH_AND_CHUNKED = "http1.content_length_and_chunked_not_allowed"
BAD_TRANSFER_ENCODING = "http1.invalid_transfer_encoding"
BAD_CONNECTION = "http1.connection_header_rejected"
UNDERSCORE = "http1.unexpected_underscore"
TOO_MANY_HEADERS = "http1.too_many_headers"
HEADERS_TOO_LARGE = "http1.headers_too_large"


class ProtocolError(Exception):
    """Bytes from the peer that are not acceptable HTTP/1; `details` is one of the names above."""

    def __init__(self, details: str) -> None:
        super().__init__(details)
        self.details = details
