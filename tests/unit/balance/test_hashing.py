import pytest

from mesh.balance.hashing import murmur, xx


@pytest.mark.parametrize(
    ("text", "seed", "value"),
    [
        pytest.param(b"", 0, 0xEF46DB3751D8E999, id="empty"),
        pytest.param(b"a", 0, 0xD24EC4F1A98C6E5B, id="one letter"),
        pytest.param(b"abc", 0, 0x44BC2CF5AD770999, id="three letters"),
        pytest.param(b"", 1, 0xD5AFBA1336A3BE4B, id="seeded"),
    ],
)
def test_xx_gives_the_published_values(text: bytes, seed: int, value: int) -> None:
    assert xx(text, seed) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # std::hash<std::string> of libstdc++ on 64-bit machines.
        pytest.param(b"", 6142509188972423790, id="empty"),
        pytest.param(b"a", 4993892634952068459, id="one byte of tail"),
        pytest.param(b"hello", 2762169579135187400, id="five bytes of tail"),
    ],
)
def test_murmur_gives_the_values_of_libstdcxx(text: bytes, value: int) -> None:
    assert murmur(text) == value


def test_murmur_uses_every_block_and_the_tail() -> None:
    texts = [b"12345678", b"12345679", b"123456789", b"1234567890123456", b"1234567890123457", b"12345678901234560"]
    assert len({murmur(text) for text in texts}) == len(texts)
    assert all(0 <= murmur(text) < 1 << 64 for text in texts)
