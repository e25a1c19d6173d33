"""What does a client ask for, and where does its body end?

Reads one complete request head. What a request may look like follows a real Envoy, case by case, and differs from
llhttp in both directions (see docs/decisions/001-http1-parsing.md). Hop-by-hop headers are already taken out, so
everything else in the house sees only what may travel on. Whole heads are remembered: a client that repeats itself
costs one dictionary look-up.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from mesh.proxy.http1.errors import (
    BAD_CONNECTION,
    BAD_TRANSFER_ENCODING,
    HEADERS_TOO_LARGE,
    INVALID_AUTHORITY,
    INVALID_CHARACTERS,
    INVALID_SCHEME,
    INVALID_URL,
    LENGTH_AND_CHUNKED,
    MALFORMED,
    UNDERSCORE,
    ProtocolError,
)
from mesh.proxy.http1.lines import (
    Field,
    head_end,
    merge_singletons,
    parse_block,
    parse_length,
    split_head,
    tokens,
)
from mesh.proxy.http1.memory import Memory

METHODS = frozenset(
    b"GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK SEARCH BIND"
    b" REBIND UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE NOTIFY SUBSCRIBE UNSUBSCRIBE PURGE MKCALENDAR LINK UNLINK"
    b" SOURCE QUERY".split()
)
_FIRST_BYTES = frozenset(method[0] for method in METHODS)
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_LINE = re.compile(rb"([^ \t]+)(?:[ \t]+([^ \t]*))?(?:[ \t]+(.*))?", re.S)
_VERSION = re.compile(rb"HTTP/(\d)\.(\d)")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_EIGHT_BIT = re.compile(rb"[\x80-\xff]")
_BAD_AUTHORITY = re.compile(rb"[^!$%&'()*+,\-.0-9:;=@A-Z\[\]_a-z~]")
_ABSOLUTE = re.compile(rb"([A-Za-z][A-Za-z0-9+.\-]*)://([^/?#]*)(.*)", re.S)

# A request without a body and without a length gets `content-length: 0`, except for these.
_BODYLESS = frozenset((b"GET", b"HEAD", b"DELETE", b"TRACE", b"CONNECT"))
_HOP = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"te", b"upgrade", b"host"))
_NOT_NOMINATED = frozenset((b"close", b"keep-alive", b"upgrade", b"http2-settings", b"te"))
_PROTECTED = frozenset((b"host", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"))
_MEMO_HEADS = 1024
_MEMO_HEAD_BYTES = 2048
_MEMO_HOSTS = 2048

# Heads without any of these take the short way through `parse_request`.
_SPECIAL = (_HOP - {b"host"}) | {b"expect"}
_BODY = frozenset((b"content-length", b"content-type"))
_ORDINARY_METHODS = METHODS - {b"CONNECT", b"QUERY"}
_ODD_TARGET = re.compile(rb"[^!\"$-~]")
_good_hosts: set[bytes] = set()

ALLOW, REJECT, DROP = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOptions:
    """What a listener accepts beyond Envoy's defaults."""

    max_head_bytes: int = 60 * 1024
    max_fields: int = 100
    custom_methods: bool = False
    chunked_length: bool = False
    underscores: int = ALLOW
    keep_case: bool = False

    @property
    def plain(self) -> bool:
        """Nothing about single headers depends on the options."""
        return self.underscores == ALLOW and not self.keep_case


_NOTHING: list[Field] = []
_NO_NAMES: frozenset[bytes] = frozenset()


class RequestHead:
    """One request head. Shared between requests that look alike, so nobody may change it."""

    __slots__ = (
        "authority",
        "case",
        "chunked",
        "close",
        "content_length",
        "expect_continue",
        "fields",
        "framing",
        "grpc",
        "keep_alive",
        "method",
        "minor",
        "names",
        "ordinary",
        "plans",
        "target",
        "upgrade",
        "verdict",
    )

    def __init__(self) -> None:
        self.method = b""
        self.target = b""
        self.minor = 1
        """1 for HTTP/1.1, 0 for HTTP/1.0, -1 for anything else (answered with 426)."""
        self.authority: bytes | None = None
        self.verdict = ""
        """Name of the refusal for targets that parse but are never routed ("absolute", "connect", "fragment")."""
        self.fields: list[Field] = _NOTHING
        self.names: frozenset[bytes] = _NO_NAMES
        self.content_length = 0
        """-1: the body is chunked."""
        self.chunked = False
        self.framing = b""
        """The framing header to add behind all others: nothing, `content-length: 0` or `transfer-encoding`."""
        self.close = False
        self.keep_alive = False
        self.upgrade = b""
        self.expect_continue = False
        self.grpc = False
        self.ordinary = False
        """Nothing about it needs a second look: HTTP/1.1, a host, an origin-form target, no upgrade."""
        self.case: dict[bytes, bytes] | None = None
        self.plans: dict[object, object] = {}
        """What others derived from this head alone; lives and dies with the memo."""


class RequestParser:
    """Reads heads for one set of options, with a memory of the last ones."""

    __slots__ = ("_memory", "options")

    def __init__(self, options: RequestOptions) -> None:
        self.options = options
        self._memory: Memory[RequestHead] = Memory(_MEMO_HEADS)

    def plausible(self, first: int) -> bool:
        """May a request begin with this byte? Other protocols are refused before a line end arrives."""
        return first in _FIRST_BYTES or (self.options.custom_methods and 0x21 <= first < 0x7F)

    def find_end(self, data: bytes) -> int:
        """Index behind the head, -1 when more bytes are needed. Raises ProtocolError when it is too large."""
        end = head_end(data)
        if (end if end >= 0 else len(data)) > self.options.max_head_bytes:
            raise ProtocolError(HEADERS_TOO_LARGE)
        return end

    def parse(self, raw: bytes) -> RequestHead:
        """raw: a complete head including its blank line. Raises ProtocolError."""
        head = self._memory.known.get(raw)
        if head is None:
            head = parse_request(raw, self.options)
            if len(raw) <= _MEMO_HEAD_BYTES:
                self._memory.consider(raw, head)
        return head


@lru_cache(maxsize=64)
def parser_for(options: RequestOptions) -> RequestParser:
    """Listeners with equal options share one parser and its memory."""
    return RequestParser(options)


def parse_request(raw: bytes, options: RequestOptions) -> RequestHead:
    """Read one head without memory. Raises ProtocolError."""
    line, block = split_head(raw)
    fields = parse_block(block, options.max_fields)
    head = RequestHead()
    head.names = names = frozenset([name for name, _ in fields])
    words = line.split(b" ")
    if (
        len(words) == 3
        and words[0] in _ORDINARY_METHODS
        and words[2] == b"HTTP/1.1"
        and words[1][:1] == b"/"
        and _ODD_TARGET.search(words[1]) is None
        and options.plain
        and len(names) == len(fields)
        and names.isdisjoint(_SPECIAL)
    ):
        head.method, head.target = words[0], words[1]
        _simple(head, fields)
        return head
    target = _start_line(head, line, options)
    _general(head, target, fields, block, options)
    head.ordinary = (
        head.minor == 1
        and head.authority is not None
        and not head.verdict
        and not head.upgrade
        and not head.grpc
        and head.method != b"QUERY"
    )
    return head


def _simple(head: RequestHead, fields: list[Field]) -> None:
    """A head of distinct end-to-end headers behind an ordinary start line."""
    names = head.names
    if b"host" in names:
        for at, field in enumerate(fields):
            if field[0] == b"host":
                authority = field[1]
                head.authority = authority if authority in _good_hosts else _checked(authority)
                del fields[at]
                break
        head.ordinary = True
    head.fields = fields
    if head.method != b"GET" or not names.isdisjoint(_BODY):
        if b"content-length" in names:
            head.content_length = parse_length(_value(fields, b"content-length"))
        elif head.method not in _BODYLESS:
            head.framing = b"content-length: 0\r\n"
        if b"content-type" in names and _is_grpc(_value(fields, b"content-type")):
            head.grpc = True
            head.ordinary = False


def _general(head: RequestHead, target: bytes, fields: list[Field], block: bytes, options: RequestOptions) -> None:
    """Any head."""
    if options.underscores != ALLOW:
        fields = _without_underscores(fields, options.underscores)
    _frame(head, fields, options)
    if options.keep_case:
        head.case = {text.partition(b":")[0].lower(): text.partition(b":")[0] for text in block.split(b"\r\n")}
    hosts = [value for name, value in fields if name == b"host"]
    if hosts:
        head.authority = b",".join(hosts)
    _target(head, target)
    if head.authority is not None:
        _checked(head.authority)
    head.fields = _travelling(head, merge_singletons(fields))
    head.names = frozenset([name for name, _ in head.fields])


def _checked(authority: bytes) -> bytes:
    """The authority, if it may be one. Raises ProtocolError."""
    if authority not in _good_hosts:
        if _BAD_AUTHORITY.search(authority) is not None:
            raise ProtocolError(INVALID_AUTHORITY)
        if len(_good_hosts) >= _MEMO_HOSTS:
            _good_hosts.clear()
        _good_hosts.add(authority)
    return authority


def _value(fields: list[Field], name: bytes) -> bytes:
    for key, value in fields:
        if key == name:
            return value
    return b""


def _is_grpc(content_type: bytes) -> bool:
    return content_type.partition(b";")[0].partition(b"+")[0] == b"application/grpc"


def _start_line(head: RequestHead, line: bytes, options: RequestOptions) -> bytes:
    match = _LINE.fullmatch(line)
    if match is None:
        raise ProtocolError(MALFORMED)
    method, target, version = match.group(1), match.group(2) or b"", (match.group(3) or b"").rstrip(b" \t")
    if method not in METHODS and not (options.custom_methods and _TOKEN.fullmatch(method)):
        raise ProtocolError(MALFORMED)
    head.method = method
    if not target or _EIGHT_BIT.search(target) is not None:
        raise ProtocolError(MALFORMED)
    if _CONTROL.search(target) is not None:
        raise ProtocolError(INVALID_CHARACTERS)
    if version:
        number = _VERSION.fullmatch(version)
        if number is None:
            raise ProtocolError(MALFORMED)
        head.minor = {b"HTTP/1.1": 1, b"HTTP/1.0": 0}.get(version, -1)
    else:
        head.minor = -1
    return target


def _target(head: RequestHead, target: bytes) -> None:
    """Origin form, absolute form, `*` or an authority: what becomes path and host?"""
    head.target = target
    if head.method == b"CONNECT":
        if target[:1] in b"/*":
            raise ProtocolError(INVALID_URL)
        head.verdict = "connect"
    elif target[:1] == b"/":
        if b"#" in target:
            head.verdict = "fragment"
    elif target == b"*":
        if head.method != b"OPTIONS":
            raise ProtocolError(INVALID_URL)
        head.verdict = "absolute"
    else:
        _absolute(head, target)


def _absolute(head: RequestHead, target: bytes) -> None:
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise ProtocolError(MALFORMED)
    scheme, authority, path = match.groups()
    if scheme.lower() not in (b"http", b"https"):
        raise ProtocolError(INVALID_SCHEME)
    authority = authority.rpartition(b"@")[2]
    if not authority or b"%" in authority:
        raise ProtocolError(INVALID_URL)
    head.authority = authority
    head.target = path or b"/"
    if b"#" in path:
        head.verdict = "fragment"
    elif path[:1] == b"?":
        head.verdict = "absolute"
    else:
        head.verdict = "absolute-form"


def _without_underscores(fields: list[Field], action: int) -> list[Field]:
    kept = [field for field in fields if b"_" not in field[0]]
    if action == REJECT and len(kept) != len(fields):
        raise ProtocolError(UNDERSCORE)
    return kept


def _frame(head: RequestHead, fields: list[Field], options: RequestOptions) -> None:
    """Where does the body end? Anything that two readers could answer differently is refused."""
    lengths = [value for name, value in fields if name == b"content-length"]
    codings = [value for name, value in fields if name == b"transfer-encoding"]
    if len(lengths) > 1:
        raise ProtocolError(MALFORMED)
    if lengths:
        head.content_length = parse_length(lengths[0])
        if codings and not options.chunked_length:
            raise ProtocolError(LENGTH_AND_CHUNKED)
    if codings:
        if len(codings) != 1 or codings[0].lower() != b"chunked":
            raise ProtocolError(BAD_TRANSFER_ENCODING)
        fields[:] = [field for field in fields if field[0] != b"content-length"]
        head.content_length, head.chunked = -1, True
        head.framing = b"transfer-encoding: chunked\r\n"
    elif not lengths and head.method not in _BODYLESS:
        head.framing = b"content-length: 0\r\n"


def _travelling(head: RequestHead, fields: list[Field]) -> list[Field]:
    """The fields that may go on to the next hop; notes what the others asked of us."""
    control = {name: value for name, value in fields if name in _HOP}
    connection = tokens(control.get(b"connection", b""))
    head.close = b"close" in connection or b"close" in tokens(control.get(b"proxy-connection", b""))
    head.keep_alive = b"keep-alive" in connection or b"keep-alive" in tokens(control.get(b"proxy-connection", b""))
    drop = set(_HOP)
    upgrade = control.get(b"upgrade", b"").lower()
    if upgrade == b"h2c":
        drop.add(b"http2-settings")
    elif upgrade and b"upgrade" in connection:
        head.upgrade = upgrade
        drop -= {b"connection", b"upgrade"}
    if not head.upgrade:
        drop.update(_nominated(connection))
    kept: list[Field] = []
    for field in fields:
        name, value = field
        if name == b"te" and b"trailers" in tokens(value):
            kept.append((b"te", b"trailers"))
        elif name not in drop:
            kept.append(field)
            if name == b"expect":
                head.expect_continue = value.lower() == b"100-continue"
            elif name == b"content-type":
                head.grpc = _is_grpc(value)
    return kept


def _nominated(connection: list[bytes]) -> set[bytes]:
    """Headers that the client named in `connection`, to be taken out. Raises ProtocolError for ones it may not."""
    if len(connection) <= 1 and (not connection or connection[0] in _NOT_NOMINATED):
        return set()
    if len(connection) > 10:
        raise ProtocolError(BAD_CONNECTION)
    named = {token for token in connection if token not in _NOT_NOMINATED}
    if named & _PROTECTED or any(token.startswith(b":") for token in named):
        raise ProtocolError(BAD_CONNECTION)
    return named
