"""How do bytes become SPDY/3.1 frames, and frames bytes?

The part of the protocol that kubectl uses: no settings, no flow control, since its library ignores both. Everything is
bounded before memory is taken for it.
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from mesh.node.kubelet.spdy_dictionary import DICTIONARY

MAX_DATA, MAX_CONTROL, MAX_HEADERS, MAX_HEADER_COUNT = 1 << 20, 1 << 14, 1 << 15, 64
SYN_STREAM, SYN_REPLY, RST_STREAM, PING, GOAWAY, HEADERS = 1, 2, 3, 6, 7, 8
FIN = 1
PROTOCOL_ERROR, REFUSED_STREAM = 1, 3
_CONTROL, _HEAD, _VERSION = 0x80000000, 8, 3
_ID = 0x7FFFFFFF


class BadFrame(Exception):
    """The peer does not speak the protocol, or speaks it without measure."""


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes on a stream. fin: the last ones."""

    stream: int
    data: bytes
    fin: bool


@dataclass(frozen=True, slots=True)
class Opened:
    """The peer opened a stream."""

    stream: int
    headers: Mapping[str, str]
    fin: bool


@dataclass(frozen=True, slots=True)
class Reset:
    stream: int


@dataclass(frozen=True, slots=True)
class Ping:
    payload: bytes


@dataclass(frozen=True, slots=True)
class GoAway:
    """The peer opens no more streams."""


Frame = Data | Opened | Reset | Ping | GoAway


class Reader:
    """Frames from the bytes of one connection; they come in any portions."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are now complete. Raises BadFrame."""
        self._held += data
        frames: list[Frame] = []
        at = 0
        while len(self._held) - at >= _HEAD:
            word, rest = struct.unpack_from(">II", self._held, at)
            flags, length = rest >> 24, rest & 0xFFFFFF
            if length > (MAX_CONTROL if word & _CONTROL else MAX_DATA):
                raise BadFrame(f"a frame of {length} bytes")
            end = at + _HEAD + length
            if len(self._held) < end:
                break
            frame = self._frame(word, flags, bytes(self._held[at + _HEAD : end]))
            if frame is not None:
                frames.append(frame)
            at = end
        del self._held[:at]
        return frames

    def _frame(self, word: int, flags: int, payload: bytes) -> Frame | None:
        if not word & _CONTROL:
            return Data(word, payload, bool(flags & FIN))
        version, kind = (word >> 16) & 0x7FFF, word & 0xFFFF
        if version != _VERSION:
            raise BadFrame(f"SPDY version {version}, not {_VERSION}")
        if kind == SYN_STREAM:
            return Opened(_stream_id(payload, 10), self._headers(payload[10:]), bool(flags & FIN))
        if kind in (HEADERS, SYN_REPLY):
            self._headers(payload[4:])  # only read so that the compression stays in step
            return None
        if kind == RST_STREAM:
            return Reset(_stream_id(payload, 8))
        if kind == PING:
            return Ping(payload)
        return GoAway() if kind == GOAWAY else None

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            plain = self._inflate.decompress(block, MAX_HEADERS)
        except zlib.error as error:
            raise BadFrame(f"headers cannot be read: {error}") from None
        if self._inflate.unconsumed_tail:
            raise BadFrame(f"headers of more than {MAX_HEADERS} bytes")
        return _read_headers(plain)


class Writer:
    """Frames to one connection."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def reply(self, stream: int) -> bytes:
        """A stream was accepted; there is nothing to say about it."""
        return self._control(SYN_REPLY, struct.pack(">I", stream) + self._block({}))

    def open(self, stream: int, headers: Mapping[str, str]) -> bytes:
        return self._control(SYN_STREAM, struct.pack(">IIBB", stream, 0, 0, 0) + self._block(headers))

    def _block(self, headers: Mapping[str, str]) -> bytes:
        words = [word.encode("latin-1") for pair in headers.items() for word in pair]
        plain = struct.pack(">I", len(headers)) + b"".join(struct.pack(">I", len(word)) + word for word in words)
        return self._deflate.compress(plain) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    @staticmethod
    def data(stream: int, data: bytes, fin: bool = False) -> bytes:
        return struct.pack(">II", stream, (FIN if fin else 0) << 24 | len(data)) + data

    @classmethod
    def reset(cls, stream: int, code: int) -> bytes:
        return cls._control(RST_STREAM, struct.pack(">II", stream, code))

    @classmethod
    def ping(cls, payload: bytes) -> bytes:
        return cls._control(PING, payload)

    @classmethod
    def go_away(cls, last: int, code: int) -> bytes:
        return cls._control(GOAWAY, struct.pack(">II", last, code))

    @staticmethod
    def _control(kind: int, payload: bytes, flags: int = 0) -> bytes:
        return struct.pack(">HHI", 0x8000 | _VERSION, kind, flags << 24 | len(payload)) + payload


def _stream_id(payload: bytes, least: int) -> int:
    if len(payload) < least:
        raise BadFrame(f"a control frame of {len(payload)} bytes, where {least} is the least")
    return int.from_bytes(payload[:4], "big") & _ID


def _read_headers(plain: bytes) -> dict[str, str]:
    at = 0

    def number() -> int:
        nonlocal at
        if at + 4 > len(plain):
            raise BadFrame("headers end too early")
        at += 4
        return int.from_bytes(plain[at - 4 : at], "big")

    def word() -> str:
        nonlocal at
        length = number()
        if at + length > len(plain):
            raise BadFrame("headers end too early")
        at += length
        return plain[at - length : at].decode("latin-1")

    count = number()
    if count > MAX_HEADER_COUNT:
        raise BadFrame(f"{count} headers, where {MAX_HEADER_COUNT} are the most")
    return {word().lower(): word() for _ in range(count)}
