"""When are two recordings the same?

Messages are compared as start line, set of headers and decoded body: the order of headers and the cut of chunks carry
no meaning. What changes from run to run (dates, ids, measured times, addresses) is replaced by names first.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

Message = tuple[str, tuple[tuple[str, str], ...], str]

_DATE = re.compile(r"(?im)^(date: )\w{3}, \d\d \w{3} (?!2019)\d{4} \d\d:\d\d:\d\d GMT(?=\r)")
_UUID = re.compile(r"(?im)^(x-request-id: )[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-(?!0{12})[0-9a-f]{12}(?=\r)")
_SERVICE = re.compile(r"(?im)^(x-envoy-upstream-service-time: )\d+(?=\r)")
_REMAINING = re.compile(r"(?im)^(x-envoy-expected-rq-timeout-ms: )\d+(?=\r)")
_NODE = re.compile(r"\b(?:127\.0\.0\.1|(?:10|172|192|169|21)\.\d+\.\d+\.\d+)\b")


def normal(text: str, names: dict[str, str], *, remaining: bool) -> str:
    """The text with everything volatile named. names: address -> name; remaining: timeouts left are not comparable."""
    text = _DATE.sub(r"\1<DATE>", text)
    text = _UUID.sub(r"\1<UUID>", text)
    text = _SERVICE.sub(r"\1<MS>", text)
    if remaining:
        text = _REMAINING.sub(r"\1<REMAINING_MS>", text)
    for address, name in sorted(names.items(), key=lambda pair: -len(pair[0])):
        text = text.replace(address, name)
    return _NODE.sub("<NODE_IP>", text)


def messages(stream: str) -> list[Message]:
    """The messages in a stream of bytes (as latin-1 text); what is left over becomes a raw one."""
    found: list[Message] = []
    while stream:
        head, gap, rest = stream.partition("\r\n\r\n")
        if not gap:
            found.append(("raw", (), stream))
            break
        start, *lines = head.split("\r\n")
        fields = tuple(sorted((name.lower(), value.strip()) for name, _, value in (x.partition(":") for x in lines)))
        body, stream = _body(start, dict(fields), rest)
        found.append((start, fields, body))
    return found


def _body(start: str, fields: dict[str, str], rest: str) -> tuple[str, str]:
    status = re.match(r"HTTP/1\.\d (\d{3})", start)
    code = status[1] if status else ""
    if "chunked" in fields.get("transfer-encoding", ""):
        if rest.startswith("HTTP/1."):
            return "", rest  # the answer to a HEAD
        return _chunks(rest)
    length = fields.get("content-length", "")
    if length.isdigit() and code not in ("101", "204", "304"):
        if rest.startswith("HTTP/1."):
            return "", rest
        return rest[: int(length)], rest[int(length) :]
    if code and not code.startswith("1") and code not in ("204", "304"):
        return rest, ""
    return "", rest


def _chunks(rest: str) -> tuple[str, str]:
    body = ""
    while True:
        line, gap, after = rest.partition("\r\n")
        size = line.partition(";")[0]
        if not gap or not re.fullmatch("[0-9a-f]+", size):
            return body + "«cut»" + rest, ""
        if int(size, 16) == 0:
            if after.startswith("\r\n"):
                return body, after[2:]
            trailers, end, rest = after.partition("\r\n\r\n")
            return body + f"«trailers {trailers}»" if end else body + "«cut»", rest
        count = int(size, 16)
        body += after[:count]
        rest = after[count + 2 :]


def by_endpoint(records: Iterable[dict[str, Any]]) -> dict[str, list[Message]]:
    """What each endpoint saw, connection after connection."""
    seen: dict[str, list[Message]] = defaultdict(list)
    for record in records:
        seen[record["endpoint"]] += messages(record["bytes"])
    return dict(seen)
