"""How does the object store say what it holds and what it refuses? In S3's XML, or in JSON for who asks for that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any
from xml.sax.saxutils import escape

import orjson
from aiohttp import web

from mesh.node.apps.object_files import Entry

MOST = 1000
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class Refused(Exception):
    """An answer that is no success. code: S3's name of it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. prefixes: what a delimiter gathers.  next: where the next page begins; empty at the end."""

    entries: tuple[Entry, ...]
    prefixes: tuple[str, ...]
    next: str


def page_of(entries: Sequence[Entry], prefix: str, delimiter: str, after: str, most: int) -> Page:
    """entries: sorted by key.  after: only keys beyond this one."""
    found: list[Entry] = []
    prefixes: dict[str, None] = {}
    last = ""
    for entry in entries:
        if not entry.key.startswith(prefix) or entry.key <= after:
            continue
        cut = entry.key.find(delimiter, len(prefix)) if delimiter else -1
        shared = entry.key[: cut + len(delimiter)] if cut >= 0 else ""
        if shared and (shared in prefixes or shared == after):
            continue
        if len(found) + len(prefixes) >= most:
            return Page(tuple(found), tuple(prefixes), last)
        if shared:
            prefixes[shared] = None
        else:
            found.append(entry)
        last = shared or entry.key
    return Page(tuple(found), tuple(prefixes), "")


def listing(request: web.Request, bucket: str, entries: Sequence[Entry], headers: Mapping[str, str]) -> web.Response:
    query = request.query
    text = query.get("max-keys") or str(MOST)
    if not text.isascii() or not text.isdigit():
        raise Refused(400, "InvalidArgument", f"max-keys: {text!r} is no number")
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    after = query.get("continuation-token") or query.get("start-after") or query.get("marker") or ""
    page = page_of(entries, prefix, delimiter, after, min(int(text[:9]), MOST))
    told: dict[str, Any] = {
        "Name": bucket,
        "Prefix": prefix,
        "KeyCount": len(page.entries) + len(page.prefixes),
        "MaxKeys": min(int(text[:9]), MOST),
        "IsTruncated": bool(page.next),
        "Contents": [
            {"Key": e.key, "LastModified": _time(e.written), "ETag": f'"{e.etag}"', "Size": e.size,
             "StorageClass": "STANDARD"}
            for e in page.entries
        ],
    }  # fmt: skip
    if page.prefixes:
        told["CommonPrefixes"] = [{"Prefix": each} for each in page.prefixes]
    if page.next:
        told["NextContinuationToken"] = told["NextMarker"] = page.next
    return answer(request, "ListBucketResult", told, headers)


def buckets(request: web.Request, names: Sequence[str], headers: Mapping[str, str]) -> web.Response:
    told = {"Buckets": {"Bucket": [{"Name": name} for name in names]}}
    return answer(request, "ListAllMyBucketsResult", told, headers)


def refusal(request: web.Request, error: Refused, headers: Mapping[str, str]) -> web.Response:
    told = {"Code": error.code, "Message": error.message, "Resource": request.path}
    if error.status == 405:
        headers = {**headers, "allow": "GET, HEAD, PUT"}
    return answer(request, "Error", told, headers, error.status)


def answer(
    request: web.Request, title: str, told: Mapping[str, Any], headers: Mapping[str, str], status: int = 200
) -> web.Response:
    if "application/json" in request.headers.get("accept", ""):
        return web.Response(status=status, body=orjson.dumps(told), content_type="application/json", headers=headers)
    space = "" if title == "Error" else f' xmlns="{_NAMESPACE}"'
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{title}{space}>{_xml(told)}</{title}>\n'
    return web.Response(status=status, body=text.encode(), content_type="application/xml", headers=headers)


def _xml(value: Any) -> str:
    """Members in order; a list repeats its name. What XML cannot hold is replaced."""
    if isinstance(value, Mapping):
        return "".join(
            f"<{name}>{_xml(one)}</{name}>"
            for name, many in value.items()
            for one in (many if isinstance(many, list) else [many])
        )
    if isinstance(value, bool):
        return str(value).lower()
    return escape("".join(c if c >= " " or c in "\t\n" else "\ufffd" for c in str(value)))


def headers_of(entry: Entry) -> dict[str, str]:
    return {
        "content-type": entry.media,
        "etag": f'"{entry.etag}"',
        "last-modified": formatdate(entry.written, usegmt=True),
        "accept-ranges": "bytes",
    }


def wanted_range(request: web.Request, size: int) -> tuple[int, int, int]:
    """Status, first byte, and the one behind the last. Raises Refused."""
    try:
        wanted = request.http_range
    except ValueError:
        return 200, 0, size  # a range of another form is none
    if wanted.start is None and wanted.stop is None:
        return 200, 0, size
    start, end, _ = wanted.indices(size)
    if start >= end:
        raise Refused(416, "InvalidRange", f"the object has {size} bytes")
    return 206, start, end


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
