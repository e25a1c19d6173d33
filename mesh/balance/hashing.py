"""Which 64-bit number stands for a text?

xxHash64 for requests and, by default, for ring points; MurmurHash64A (the string hash of libstdc++) for ring points
where a cluster asks for it. Both must agree with Envoy to the bit, or two proxies would send a key to two hosts.
"""

from __future__ import annotations

import xxhash

MASK = (1 << 64) - 1
_M = 0xC6A4A7935BD1E995
_R = 47
_SEED = 0xC70F6907

xx = xxhash.xxh64_intdigest
"""xx(data, seed=0) -> unsigned 64-bit."""


def murmur(data: bytes, seed: int = _SEED) -> int:
    """MurmurHash64A of `data`."""
    size = len(data)
    h = seed ^ ((size * _M) & MASK)
    whole = size & ~7
    for i in range(0, whole, 8):
        k = int.from_bytes(data[i : i + 8], "little")
        k = (k * _M) & MASK
        k ^= k >> _R
        k = (k * _M) & MASK
        h = ((h ^ k) * _M) & MASK
    if whole < size:
        h ^= int.from_bytes(data[whole:], "little")
        h = (h * _M) & MASK
    h ^= h >> _R
    h = (h * _M) & MASK
    return h ^ (h >> _R)
