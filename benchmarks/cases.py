"""What do the requests look like?

Every case is a list of raw requests that are sent in turn. Where a case says so, a number that never repeats stands
in each request, so that nothing can be answered from a memory of equal requests.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

UNIQUE = b"\x00"
"""Stands in a request where the number that never repeats goes; at most once."""

_AGENTS = (
    "curl/8.11.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/22B83",
    "python-requests/2.32.3",
    "okhttp/4.12.0",
    "Go-http-client/1.1",
    "kube-probe/1.31",
)
_LANGUAGES = ("en-US,en;q=0.9", "de,en;q=0.7,en-US;q=0.3", "fr-FR,fr;q=0.9,en;q=0.8", "*")
_PATHS = ("/", "/productpage", "/api/v1/products", "/api/v1/products/0/reviews", "/static/css/main.css", "/login")


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    about: str
    requests: tuple[bytes, ...]
    promised: bool = True
    """Whether missing a limit under this case fails the bench; its figures are shown either way."""


def raw(path: str, headers: list[tuple[str, str]]) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: bench.test", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def cookie(rng: random.Random) -> str:
    """One in ten belongs to jason; his cookie stands anywhere among the others."""
    parts = [
        f"session={rng.getrandbits(128):032x}",
        f"theme={rng.choice(('dark', 'light'))}",
        f"_ga=GA1.1.{rng.random()}",
    ]
    name = "jason" if rng.random() < 0.1 else rng.choice(("mary", "jasonx", "xjason", "tom"))
    parts.insert(rng.randrange(len(parts) + 1), f"user={name}")
    return "; ".join(parts[: rng.randrange(1, len(parts) + 1)])


def browser(rng: random.Random, path: str, more: list[tuple[str, str]]) -> bytes:
    """A request as browsers and programs send it: 6 to 10 headers, in different orders."""
    headers = [
        ("User-Agent", rng.choice(_AGENTS)),
        ("Accept", rng.choice(("*/*", "application/json", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"))),
        ("Accept-Language", rng.choice(_LANGUAGES)),
        ("Accept-Encoding", rng.choice(("gzip", "gzip, deflate, br", "identity"))),
        ("Cookie", cookie(rng)),
        *more,
    ]
    if rng.random() < 0.5:
        headers.append(("Referer", f"http://bench.test{rng.choice(_PATHS)}"))
    if rng.random() < 0.3:
        headers.append(("X-Forwarded-For", f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(256)}"))
    rng.shuffle(headers)
    return raw(path, headers)


def cases() -> list[Case]:
    rng = random.Random(7)
    varied = tuple(browser(rng, f"{rng.choice(_PATHS)}?page={rng.randrange(500)}", []) for _ in range(997))
    mark = UNIQUE.decode("latin-1")
    unique = tuple(
        browser(rng, rng.choice(_PATHS), [("X-Trace", f"{rng.getrandbits(64):016x}-{mark}")]) for _ in range(97)
    ) + tuple(browser(rng, f"{rng.choice(_PATHS)}?id={mark}", []) for _ in range(97))
    return [
        Case("plain", "one request without a cookie, again and again", (raw("/", []),)),
        Case("varied", "997 requests with different cookies, agents, paths and header orders", varied),
        Case("unique", "the same variety, and a number that never repeats in path or header", unique),
    ]
