"""Frames from bytes in any portions, and measured refusals."""

import struct
import zlib

import pytest

from mesh.node.kubelet import spdy
from mesh.node.kubelet.spdy import BadFrame, Data, GoAway, Opened, Ping, Reader, Reset, Writer
from mesh.node.kubelet.spdy_dictionary import DICTIONARY


def control(kind: int, payload: bytes, version: int = 3, flags: int = 0) -> bytes:
    return struct.pack(">HHI", 0x8000 | version, kind, flags << 24 | len(payload)) + payload


def test_the_dictionary_is_the_protocols_own() -> None:
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (1423, 0xE3C6A7C2)


@pytest.mark.parametrize("portion", [1, 7, 4096])
def test_what_is_written_is_read_again(portion: int) -> None:
    writer, reader = Writer(), Reader()
    sent = b"".join(
        [
            writer.open(1, {"streamtype": "error"}),
            writer.reply(1),  # headers that only keep the compression in step
            writer.open(3, {"streamtype": "data", "port": "80"}),
            writer.data(3, b"x" * 5000),
            writer.data(3, b"", fin=True),
            writer.ping(b"\0\0\0\1"),
            writer.reset(3, 1),
            writer.go_away(3, 0),
        ]
    )
    found = [frame for at in range(0, len(sent), portion) for frame in reader.feed(sent[at : at + portion])]
    assert found == [
        Opened(1, {"streamtype": "error"}, False),
        Opened(3, {"streamtype": "data", "port": "80"}, False),
        Data(3, b"x" * 5000, False),
        Data(3, b"", True),
        Ping(b"\0\0\0\1"),
        Reset(3),
        GoAway(),
    ]


def _deflated(plain: bytes) -> bytes:
    deflate = zlib.compressobj(zdict=DICTIONARY)
    return deflate.compress(plain) + deflate.flush(zlib.Z_SYNC_FLUSH)


HEAD = struct.pack(">IIBB", 1, 0, 0, 0)


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "a frame of", id="http"),
        pytest.param(struct.pack(">II", 1, spdy.MAX_DATA + 1), "a frame of", id="huge-data-before-it-comes"),
        pytest.param(struct.pack(">HHI", 0x8003, 1, spdy.MAX_CONTROL + 1), "a frame of", id="huge-control"),
        pytest.param(control(1, HEAD, version=2), "version 2", id="another-version"),
        pytest.param(control(1, b"\0\0"), "where 10 is the least", id="short-open"),
        pytest.param(control(3, b"\0\0\0\1"), "where 8 is the least", id="short-reset"),
        pytest.param(control(1, HEAD + b"\xff" * 30), "cannot be read", id="not-compressed"),
        pytest.param(control(1, HEAD + _deflated(b"\0" * 1_000_000)), "headers of more than", id="bomb"),
        pytest.param(control(1, HEAD + _deflated(struct.pack(">I", 65))), "65 headers", id="many-headers"),
        pytest.param(control(1, HEAD + _deflated(struct.pack(">II", 1, 99) + b"ab")), "too early", id="cut-header"),
        pytest.param(control(1, HEAD + _deflated(b"\0")), "too early", id="no-count"),
    ],
)
def test_what_is_no_frame_is_refused(sent: bytes, says: str) -> None:
    with pytest.raises(BadFrame, match=says):
        Reader().feed(sent)


def test_an_unknown_control_frame_is_passed_over() -> None:
    assert Reader().feed(control(4, b"\0\0\0\0") + control(6, b"\0\0\0\1")) == [Ping(b"\0\0\0\1")]
