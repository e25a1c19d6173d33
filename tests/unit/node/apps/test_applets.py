import contextlib
import functools
import http.server
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import dns.message
import dns.rcode
import dns.rrset
import pytest

from mesh.node.apps import applets
from mesh.node.apps.applets import NotFound

KNOWN = {"db.shop.svc.cluster.local.": ["127.0.0.1"], "empty.shop.svc.cluster.local.": []}


class Names(socketserver.BaseRequestHandler):
    """Answers one question."""

    def handle(self) -> None:
        data, sock = self.request
        question = dns.message.from_wire(data)
        answer = dns.message.make_response(question)
        name = question.question[0].name.to_text()
        if name not in KNOWN:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif KNOWN[name]:
            alias = dns.rrset.from_text(name, 5, "IN", "CNAME", "other.svc.cluster.local.")
            answer.answer = [alias, dns.rrset.from_text("other.svc.cluster.local.", 5, "IN", "A", *KNOWN[name])]
        sock.sendto(answer.to_wire(), self.client_address)


@contextlib.contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[tuple[str, int]]:
    """A server in a thread of its own, since applets block; its address."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        address, port = cast(tuple[str, int], server.server_address)
        yield address, port
        server.shutdown()
        thread.join(5)


@pytest.fixture
def served() -> Iterator[tuple[str, int]]:
    """A DNS server that knows two names."""
    with serving(socketserver.UDPServer(("127.0.0.1", 0), Names)) as address:
        yield address


@pytest.fixture
def run(served: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    monkeypatch.setenv(applets.DNS, f"{served[0]}:{served[1]}")
    monkeypatch.setenv(applets.NAMESPACE, "shop")
    monkeypatch.delenv("http_proxy", raising=False)
    return lambda *words: applets.main(words[0], words[1:])


@pytest.fixture
def web(tmp_path: Path) -> Iterator[int]:
    """A file server on 127.0.0.1; its port."""
    (tmp_path / "index.html").write_text("hello\n")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)) as (_, port):
        yield port


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(("db",), 0, "Name:\tdb.shop.svc.cluster.local\nAddress: 127.0.0.1\n", id="short"),
        pytest.param(("db.shop",), 0, "Name:\tdb.shop.svc.cluster.local\n", id="with its namespace"),
        pytest.param(("db.shop.svc.cluster.local.",), 0, "Name:\tdb.shop.svc.cluster.local\n", id="in full"),
        pytest.param(("-type=a", "db", "10.0.0.10"), 0, "Address: 127.0.0.1\n", id="with options and a server"),
        pytest.param(("none",), 1, "** server can't find none: NXDOMAIN", id="no such name"),
        pytest.param(("empty",), 1, "no address", id="no address"),
        pytest.param(("a..b",), 1, "can't find a..b", id="no name"),
        pytest.param(("127.0.0.9",), 0, "Address: 127.0.0.9\n", id="an address"),
    ],
)
def test_nslookup(
    run: Callable[..., int], capfd: pytest.CaptureFixture[str], words: Sequence[str], code: int, said: str
) -> None:
    assert run("nslookup", *words) == code
    assert said in capfd.readouterr().out


def test_nc_tells_whether_a_port_is_open(run: Callable[..., int], capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        assert run("nc", "-zv", "-w", "2", "db", port) == 0
        assert capfd.readouterr().err == f"db (127.0.0.1:{port}) open\n"
    assert run("nc", "-z", "db", port) == 1
    assert run("nc", "-l", "-p", "1") == 2


def test_wget(run: Callable[..., int], web: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("wget", "-q", "-O", str(tmp_path / "got"), f"http://db:{web}/index.html") == 0
    assert (tmp_path / "got").read_text() == "hello\n"
    assert run("wget", "-q", "--spider", "-T2", f"db:{web}") == 0
    assert run("wget", "-qO", str(tmp_path / "none"), f"http://db:{web}/none") == 1
    assert "wget: server returned error: HTTP/1.1 404" in capfd.readouterr().err
    assert not (tmp_path / "none").exists()
    assert run("wget", "https://db/") == 2


@pytest.mark.parametrize(
    ("name", "namespace", "wanted"),
    [
        ("db.", "shop", ["db."]),
        ("db", "shop", ["db.shop.svc.cluster.local", "db.svc.cluster.local", "db.cluster.local", "db"]),
        ("a.b.c.d.e.f", "shop", ["a.b.c.d.e.f", "a.b.c.d.e.f.shop.svc.cluster.local",
                                 "a.b.c.d.e.f.svc.cluster.local", "a.b.c.d.e.f.cluster.local"]),
    ],
)  # fmt: skip
def test_the_names_to_ask_for(name: str, namespace: str, wanted: list[str]) -> None:
    assert applets.candidates(name, namespace) == wanted


@pytest.mark.parametrize(
    ("words", "flags", "rest"),
    [
        (("-qO-", "u"), {"q": "", "O": "-"}, ["u"]),
        (("-q", "-O", "f", "u"), {"q": "", "O": "f"}, ["u"]),
        (("-w3", "--spider", "--timeout=4", "h", "80"), {"w": "3", "spider": "", "T": "4"}, ["h", "80"]),
        (("-w",), {"w": ""}, []),
    ],
)
def test_options(words: Sequence[str], flags: dict[str, str], rest: list[str]) -> None:
    assert applets.options(words, "Ow", {"timeout": "T"}) == (flags, rest)


def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv(applets.DNS, f"127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setattr(applets, "ASK_S", 0.05)
        assert applets.main("nslookup", ["db"]) == 1
    assert capfd.readouterr().err == "nslookup: timed out\n"
    with pytest.raises(NotFound, match="is no name"):
        applets.ask("x" * 64, ("127.0.0.1", 1))
