"""Does a trace print what it found, and believe what kube-proxy said last?"""

import pytest

from mesh.cli.trace_hops import Endpoint, Hop, Path
from mesh.cli.trace_path import as_data, lines, refused

END = Endpoint("127.244.0.1", 8080, "default/web-1", "node-1", "a")
GOOD = Path("127.96.0.9:80", (Hop(4, "cluster IP", "default/web", "127.96.0.9:80", ("one", "two")),), (END,) * 8,
            fails_when=("a", "b"))  # fmt: skip
BAD = Path("127.20.2.2:80", (Hop(None, "name", "x"),), why="nobody is there")


def test_lines_for_people() -> None:
    assert lines(GOOD) == [
        "127.96.0.9:80",
        "  LAYER   HOP          NAME          ADDRESS",
        "  4       cluster IP   default/web   127.96.0.9:80   one; two",
        "  may end at:",
        *["    127.244.0.1:8080  default/web-1 on node-1 in zone a"] * 6,
        "    and 2 more",
        "  fails when: a, or b",
    ]
    assert lines(BAD) == [
        "127.20.2.2:80: leads nowhere",
        "  LAYER   HOP    NAME   ADDRESS",
        "  -       name   x      -",
        "  because: nobody is there",
    ]


def test_data_for_programs() -> None:
    data = as_data("x", "127.0.0.1", (GOOD, BAD))
    assert (data["asked"], data["from"], data["reaches"]) == ("x", "127.0.0.1", True)
    assert [path["reaches"] for path in data["paths"]] == [True, False]
    assert data["paths"][0]["hops"][0]["layer"] == 4
    assert data["paths"][0]["endpoints"][0]["pod"] == "default/web-1"
    assert as_data("x", "127.0.0.1", (BAD,))["reaches"] is False


def told(reason: str, message: str, at: str) -> dict[str, str]:
    return {"reason": reason, "message": message, "lastTimestamp": at}


NOT = "cannot listen on 127.96.0.9:80: the port is in use by another program; end it"


@pytest.mark.parametrize(
    ("events", "wanted"),
    [
        ([told("AddressNotServed", NOT, "1")], {("127.96.0.9", 80): NOT}),
        ([told("AddressServed", "127.96.0.9:80 is served now", "2"), told("AddressNotServed", NOT, "1")], {}),
        ([told("AddressServed", "127.96.0.9:80 is served now", "1"), told("AddressNotServed", NOT, "2")],
         {("127.96.0.9", 80): NOT}),
        ([told("AddressNotServed", "no address in it", "1"), told("Other", NOT, "1")], {}),
    ],
)  # fmt: skip
def test_what_kube_proxy_said_last_counts(events: list[dict[str, str]], wanted: dict[tuple[str, int], str]) -> None:
    assert refused(events) == wanted
