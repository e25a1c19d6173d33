"""What do the images `httpd` and `nginx` answer? A welcome page, and their name and version in `Server`."""

from collections.abc import Mapping

from aiohttp import web

from mesh.node.apps.context import AppContext
from mesh.node.apps.serving import Servable

_HTTPD = b"<html><body><h1>It works!</h1></body></html>\n"
_NGINX = (
    b"<!DOCTYPE html>\n<html>\n<head><title>Welcome to nginx!</title></head>\n"
    b"<body><h1>Welcome to nginx!</h1><p>This page stands in for the web server's own.</p></body>\n</html>\n"
)


def tag_version(image: str, default: str) -> str:
    """`2.4` of `httpd:2.4-alpine`; the default where the tag names no version."""
    _, _, tag = image.rpartition("/")[2].partition(":")
    version = tag.split("-")[0].split("@")[0]
    return version if version[:1].isdigit() else default


def _page(server: str, page: bytes, missing: bytes) -> Servable:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        found = request.path in ("/", "/index.html")
        return web.Response(
            status=200 if found else 404,
            body=page if found else missing,
            headers={"server": server, "content-type": "text/html"},
        )

    return handle


def httpd_server(image: str) -> dict[str, str]:
    """What the tag changes: `httpd:2.4.58` says Apache/2.4.58 (Unix)."""
    return {"server": f"Apache/{tag_version(image, '2.4')} (Unix)"}


def nginx_server(image: str) -> dict[str, str]:
    """What the tag changes: `nginx:1.25` says nginx/1.25."""
    return {"server": f"nginx/{tag_version(image, '1.27')}"}


def httpd(env: Mapping[str, str], ctx: AppContext) -> Servable:
    """Apache's page."""
    return _page(httpd_server(ctx.image)["server"], _HTTPD, b"<html><body><h1>Not Found</h1></body></html>\n")


def nginx(env: Mapping[str, str], ctx: AppContext) -> Servable:
    """nginx' page."""
    return _page(nginx_server(ctx.image)["server"], _NGINX, b"<html><body><h1>404 Not Found</h1></body></html>\n")
