"""What does the image `hashicorp/http-echo` answer? The text of its `-text` argument, whatever is asked."""

from collections.abc import Mapping, Sequence

from aiohttp import web

from mesh.node.apps.context import AppContext, BadSetting
from mesh.node.apps.serving import Servable

DEFAULT_PORT = 5678


def options(args: Sequence[str]) -> dict[str, str]:
    """`-text=hi`, `-text hi` and `--text=hi` alike. Raises BadSetting."""
    found: dict[str, str] = {}
    words = list(args)
    while words:
        word = words.pop(0)
        name, equals, value = word.lstrip("-").partition("=")
        if not word.startswith("-") or name not in ("text", "listen", "status-code"):
            raise BadSetting(f"argument {word!r}: use -text=..., -listen=:PORT or -status-code=CODE")
        if not equals:
            if not words:
                raise BadSetting(f"argument {word!r}: a value is missing")
            value = words.pop(0)
        found[name] = value
    return found


def listen_port(args: Sequence[str]) -> int | None:
    """The port of `-listen :5678`; None without one. Raises BadSetting."""
    listen = options(args).get("listen")
    if listen is None:
        return None
    text = listen.rpartition(":")[2]
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise BadSetting(f"argument -listen={listen}: use -listen=:PORT")
    return int(text)


def build(env: Mapping[str, str], ctx: AppContext) -> Servable:
    """The handler of one container. Raises BadSetting."""
    chosen = options(ctx.args)
    text = chosen.get("text") or env.get("ECHO_TEXT")
    if not text:
        raise BadSetting("argument -text is required, for example args: ['-text=hello']")
    code = chosen.get("status-code", "200")
    if not code.isdigit() or not 200 <= int(code) <= 599:
        raise BadSetting(f"argument -status-code={code!r}: a status from 200 to 599 is wanted")
    body = f"{text}\n".encode()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(
            status=int(code), body=body, headers={"x-app-name": "http-echo", "content-type": "text/plain"}
        )

    return handle
