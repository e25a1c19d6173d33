"""How do `nslookup`, `nc` and `wget` find names of the mesh, where a machine's own tools ask the machine's resolver?

Run as a script by containers of tool images (`sh -c "until nslookup db; do sleep 1; done"` and its kin), so it starts
fast: the standard library alone, and of that little. Each knows the options that such scripts use; others are an error.
"""

import os
import re
import socket
import struct
import sys
from collections.abc import Callable, Iterator, Sequence

DNS, NAMESPACE = "LOOPMESH_DNS", "LOOPMESH_NAMESPACE"
ASK_S, ANSWER_BYTES = 2.0, 4096
A = 1
_ADDRESS = re.compile(r"\d+(\.\d+){3}")


class NotFound(Exception):
    """There is no such name; `str()` is one line."""


def ask(name: str, server: tuple[str, int], kind: int = A) -> list[str] | None:
    """Addresses of one name, asked once; None when there is no such name. Raises OSError, NotFound."""
    number = struct.unpack(">H", os.urandom(2))[0]
    labels = name.rstrip(".").encode(errors="replace").split(b".")
    if not all(0 < len(label) < 64 for label in labels):
        raise NotFound(f"{name!r} is no name")
    question = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    message = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + question + struct.pack(">HH", kind, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(ASK_S)
        sock.connect(server)
        sock.send(message)
        answer = sock.recv(ANSWER_BYTES)
    if len(answer) < 12 or answer[:2] != message[:2]:
        raise OSError("the DNS server answers something else")
    code = answer[3] & 15
    if code == 3:
        return None
    if code:
        raise NotFound(f"the DNS server answers code {code} for {name}")
    return list(_addresses(answer))


def _addresses(answer: bytes) -> Iterator[str]:
    """Of the A records of an answer's first section."""
    questions, answers = struct.unpack(">HH", answer[4:8])
    at = 12
    for _ in range(questions):
        at = _after_name(answer, at) + 4
    for _ in range(answers):
        at = _after_name(answer, at)
        kind, _, _, size = struct.unpack(">HHIH", answer[at : at + 10])
        if kind == A and size == 4:
            yield socket.inet_ntoa(answer[at + 10 : at + 14])
        at += 10 + size


def _after_name(answer: bytes, at: int) -> int:
    while answer[at]:
        if answer[at] >= 0xC0:
            return at + 2
        at += answer[at] + 1
    return at + 1


def candidates(name: str, namespace: str) -> list[str]:
    """The names to ask for, as a pod's resolver has them: search domains first for names of less than five dots."""
    if name.endswith("."):
        return [name]
    search = [f"{name}.{tail}" for tail in (f"{namespace}.svc.cluster.local", "svc.cluster.local", "cluster.local")]
    return [name, *search] if name.count(".") >= 5 else [*search, name]


def find(name: str) -> tuple[str, list[str]]:
    """The full name and its addresses. Raises NotFound, OSError."""
    if _ADDRESS.fullmatch(name):
        return name, [name]
    address, _, port = os.environ.get(DNS, "127.0.0.1:1053").rpartition(":")
    empty = ""
    for full in candidates(name, os.environ.get(NAMESPACE) or os.environ.get("POD_NAMESPACE") or "default"):
        found = ask(full, (address, int(port)))
        if found:
            return full.rstrip("."), found
        if found is not None:
            empty = empty or full
    raise NotFound(f"can't resolve {name!r}: {'no address' if empty else 'no such name'} (asked {address}:{port})")


def nslookup(words: Sequence[str]) -> int:
    """`nslookup NAME [SERVER]`: 0 when there are addresses, else 1. The server that a script names is not asked."""
    names = [word for word in words if not word.startswith("-")]
    if not names:
        return _usage("nslookup NAME")
    server = os.environ.get(DNS, "")
    try:
        full, addresses = find(names[0])
    except NotFound as error:
        print(f"Server:\t\t{server}\n\n** server can't find {names[0]}: NXDOMAIN\nnslookup: {error}")
        return 1
    print(f"Server:\t\t{server}\n")
    for address in addresses:
        print(f"Name:\t{full}\nAddress: {address}")
    return 0


def nc(words: Sequence[str]) -> int:
    """`nc [-z] [-v] [-w SECONDS] HOST PORT`: -z tries to connect; without it stdin is sent and the answer printed."""
    flags, rest = options(words, valued="w")
    if len(rest) != 2 or not rest[1].isdigit() or set(flags) - set("zvwn"):
        return _usage("nc [-zv] [-w SECONDS] HOST PORT")
    wait_s = float(flags.get("w") or 5)
    _, addresses = find(rest[0])
    with socket.create_connection((addresses[0], int(rest[1])), timeout=wait_s) as sock:
        if "v" in flags:
            print(f"{rest[0]} ({addresses[0]}:{rest[1]}) open", file=sys.stderr)
        if "z" not in flags:
            if not sys.stdin.isatty():
                sock.sendall(sys.stdin.buffer.read())
                sock.shutdown(socket.SHUT_WR)
            while data := sock.recv(1 << 16):
                sys.stdout.buffer.write(data)
    return 0


def wget(words: Sequence[str]) -> int:
    """`wget [-q] [-O FILE] [-T SECONDS] [--spider] URL`: through the pod's proxy where it has one."""
    flags, rest = options(words, valued="OTtP", long={"spider": "", "timeout": "T", "tries": "t", "quiet": "q"})
    if len(rest) != 1 or set(flags) - {*"qOTtcS", "spider"}:
        return _usage("wget [-q] [-O FILE] [-T SECONDS] [--spider] URL")
    import http.client
    from urllib.parse import urlsplit

    url = rest[0] if "//" in rest[0] else f"http://{rest[0]}"
    split = urlsplit(url)
    if split.scheme != "http" or not split.hostname:
        return _usage("wget URL, with http://")
    timeout_s = float(flags.get("T") or 60)
    proxy = urlsplit(os.environ.get("http_proxy", ""))
    if proxy.hostname and not _ADDRESS.fullmatch(split.hostname):
        server, target = (proxy.hostname, proxy.port or 80), url
    else:
        server, target = (find(split.hostname)[1][0], split.port or 80), url.split("/", 3)[3] if split.path else ""
        target = "/" + target
    link = http.client.HTTPConnection(*server, timeout=timeout_s)
    link.request("HEAD" if "spider" in flags else "GET", target, headers={"host": split.netloc, "user-agent": "Wget"})
    answer = link.getresponse()
    if answer.status >= 400:
        print(f"wget: server returned error: HTTP/1.1 {answer.status} {answer.reason}", file=sys.stderr)
        return 1
    name = flags.get("O") or os.path.basename(split.path) or "index.html"
    if "spider" not in flags:
        with sys.stdout.buffer if name == "-" else open(name, "wb") as out:
            while data := answer.read(1 << 16):
                out.write(data)
    return 0


def options(words: Sequence[str], valued: str, long: dict[str, str] | None = None) -> tuple[dict[str, str], list[str]]:
    """Flags with their values ("" for those without), and the rest. `-qO-`, `-w 3`, `-w3` and `--timeout=3` alike."""
    flags: dict[str, str] = {}
    rest: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if word.startswith("--"):
            name, _, value = word[2:].partition("=")
            flags[(long or {}).get(name) or name] = value
        elif word.startswith("-") and word != "-":
            for at, letter in enumerate(word[1:], 1):
                flags[letter] = ""
                if letter in valued:
                    flags[letter] = word[at + 1 :] or (left.pop(0) if left else "")
                    break
        else:
            rest.append(word)
    return flags, rest


def _usage(text: str) -> int:
    print(f"usage: {text}", file=sys.stderr)
    return 2


APPLETS: dict[str, Callable[[Sequence[str]], int]] = {"nslookup": nslookup, "nc": nc, "wget": wget}


def main(name: str, words: Sequence[str]) -> int:
    try:
        return APPLETS[name](words)
    except (NotFound, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
