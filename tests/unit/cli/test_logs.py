"""`mesh logs`: which pod is meant, what is asked, and what is printed."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from mesh.api.errors import BadRequest
from mesh.cli import logs, rest, state
from mesh.cli.errors import UserError

PODS = "/api/v1/namespaces/default/pods"
ANSWERS: dict[str, Any] = {
    "/apis/apps/v1/namespaces/default/deployments/web": {"spec": {"selector": {"matchLabels": {"app": "web"}}}},
    "/api/v1/namespaces/default/services/web": {"spec": {"selector": {"app": "web"}}},
    "/api/v1/namespaces/default/services/outside": {"spec": {}},
    "/api/v1/namespaces/default/services/empty": {"spec": {"selector": {"app": "none"}}},
    f"{PODS}?labelSelector=app%3Dweb": {"items": [{"metadata": {"name": "web-b"}}, {"metadata": {"name": "web-a"}}]},
    f"{PODS}?labelSelector=app%3Dnone": {"items": []},
}


class Api(BaseHTTPRequestHandler):
    """Knows a workload of two pods, and their logs."""

    asked: list[str] = []  # noqa: RUF012 - cleared by the fixture

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if "/log" in self.path and "container=nope" in self.path:
            self.reply(400, json.dumps({"reason": "BadRequest", "message": "container nope is not valid"}))
        elif "/log" in self.path:
            self.reply(200, "one\ntwo\n")
        else:
            self.reply(200, json.dumps(ANSWERS[self.path]))

    def reply(self, code: int, text: str) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    Api.asked.clear()
    found = f"http://127.0.0.1:{server.server_port}"
    running = state.State(
        name="x", gateway="", api=found, dns="", kubeconfig="", control_pid=0, gateway_pid=0, state_dir=""
    )
    monkeypatch.setattr(logs, "choose", lambda name: running)
    yield found
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.mark.parametrize("word", ["web-a", "pod/web-a", "deploy/web", "svc/web"])
def test_the_pod_that_is_meant(url: str, word: str) -> None:
    assert logs.pod_of(rest.Rest(url), word, "default") == "web-a"


@pytest.mark.parametrize(
    ("word", "says"),
    [("svc/outside", "selects no pods"), ("svc/empty", "no pod is there"), ("gopher/web", "no kind named")],
)
def test_no_pod_is_meant(url: str, word: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        logs.pod_of(rest.Rest(url), word, "default")


def test_the_log_is_printed(url: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    logs.logs("web-a", "main", "default", True, 5, 60, True, True, None)
    assert capfdbinary.readouterr().out == b"one\ntwo\n"
    assert Api.asked == [
        f"{PODS}/web-a/log?container=main&follow=true&tailLines=5&sinceSeconds=60&timestamps=true&previous=true"
    ]


def test_a_refusal_is_the_servers(url: str) -> None:
    with pytest.raises(BadRequest, match="container nope is not valid"):
        logs.logs("web-a", "nope", "default", False, None, None, False, False, None)


def test_no_server_is_one_line() -> None:
    with pytest.raises(UserError, match="the log cannot be read"):
        logs.copy("http://127.0.0.1:1", "/x")
