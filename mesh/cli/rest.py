"""How does a command talk to the API server? Plain HTTP with the standard library: a command starts fast."""

import http.client
import json
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from mesh.api import errors
from mesh.api.scheme import Kind
from mesh.cli.errors import UserError

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


class Rest:
    """One API server. Every call opens its own connection; answers are JSON.

    Raises errors.ApiError for what the server refuses, UserError when it does not answer.
    """

    def __init__(self, url: str, timeout_s: float = 15.0) -> None:
        parts = urlsplit(url)
        self.host, self.port, self.timeout_s = parts.hostname or "127.0.0.1", parts.port or 80, timeout_s

    def call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json", accept: str = ""
    ) -> dict[str, Any]:
        """The answer's JSON."""
        headers = {"accept": accept or "application/json"}
        data = None
        if body is not None:
            data, headers["content-type"] = json.dumps(body).encode(), content_type
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout_s)
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise UserError(f"the API server at {self.host}:{self.port} does not answer: {error}", 1) from error
        finally:
            connection.close()
        self.warnings = [value.split('"')[1] for value in answer.headers.get_all("warning") or () if '"' in value]
        try:
            out = json.loads(text)
        except ValueError:
            raise UserError(f"{method} {path}: answer {answer.status} is not JSON", 1) from None
        if answer.status >= 400:
            raise errors.from_status(out)
        if not isinstance(out, dict):
            raise UserError(f"{method} {path}: the answer is not an object", 1)
        return out

    warnings: list[str] = []  # noqa: RUF012 - the warnings of the last call


def collection_path(kind: Kind, namespace: str | None, api_version: str | None = None, **query: str) -> str:
    """`/apis/apps/v1/namespaces/default/deployments?...`; namespace None is every namespace."""
    version = api_version or kind.api_version
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    scope = f"/namespaces/{quote(namespace, safe='')}" if kind.namespaced and namespace else ""
    asked = {key: value for key, value in query.items() if value}
    return f"{root}{scope}/{kind.plural}" + (f"?{urlencode(asked)}" if asked else "")


def object_path(kind: Kind, namespace: str | None, name: str, api_version: str | None = None, **query: str) -> str:
    base, _, asked = collection_path(kind, namespace, api_version, **query).partition("?")
    return f"{base}/{quote(name, safe='')}" + (f"?{asked}" if asked else "")
