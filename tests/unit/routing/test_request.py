import random

from mesh.routing.request import Request, header, header_lines, named

LINES = [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]


def test_header_lines_in_order() -> None:
    assert header(LINES, b"a") == b"1"
    assert header(LINES, b"c") is None
    assert header_lines(LINES, b"a") == [b"1", b"3"]


def test_pseudo_headers_have_names() -> None:
    head = Request(b"PUT", b"/p?q", b"svc:80", LINES, b"https")
    assert {name: named(head, name) for name in (b":method", b":path", b":authority", b"host", b":scheme", b"a")} == {
        b":method": [b"PUT"],
        b":path": [b"/p?q"],
        b":authority": [b"svc:80"],
        b"host": [b"svc:80"],
        b":scheme": [b"https"],
        b"a": [b"1", b"3"],
    }


def test_the_bare_path_ends_at_the_first_question_mark() -> None:
    assert Request(b"GET", b"/a?b?c", b"h", []).bare_path() == b"/a"
    assert Request(b"GET", b"/a", b"h", []).bare_path() == b"/a"


def test_the_draw_is_made_once() -> None:
    rng = random.Random(3)
    head = Request(b"GET", b"/", b"h", [], rng=rng)
    state = rng.getstate()
    first = head.draw()
    assert 0 <= first < 1 << 64
    assert rng.getstate() != state
    state = rng.getstate()
    assert head.draw() == first
    assert rng.getstate() == state
    assert Request(b"GET", b"/", b"h", [], draw=7).draw() == 7
