import pytest

from mesh.routing.path import (
    REJECT_REQUEST,
    UNESCAPE_AND_FORWARD,
    UNESCAPE_AND_REDIRECT,
    PathError,
    PathRedirect,
    PathSpec,
    normalize,
)

NORMAL = PathSpec(normalize=True)
MERGE = PathSpec(normalize=True, merge_slashes=True)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", "/"),
        ("/a/b/../c", "/a/c"),
        ("/a/./b", "/a/b"),
        ("/a/b/..", "/a/"),
        ("/a/b/.", "/a/b/"),
        ("/..", "/"),
        ("/../../x", "/x"),
        ("/a/%2e%2E/b", "/b"),
        ("/a/.%2e/b", "/b"),
        ("/a\\..\\b", "/b"),
        ("/a//b", "/a//b"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a%5Cb", "/a%5Cb"),
        ("/%41%7e%2d", "/A~-"),
        ("/a%252e", "/a%252e"),
        ("/%e2%82%ac", "/%e2%82%ac"),
        ("/a/..;/b", "/b"),
        ("/a/..;x=1/b", "/b"),
        ("/a/.;/b", "/a/b"),
        ("/a/%2e%2e;/b", "/a/..;/b"),
        ("/a/;/b", "/a/;/b"),
        ("/...", "/..."),
        ("/.a/..b", "/.a/..b"),
        ("/%", "/%"),
        ("/a%4g", "/a%4g"),
        ('/a"<>^`{|}', "/a%22%3C%3E%5E%60%7B%7C%7D"),
        ("/%2%41", "/%252A"),
        ("/%%3f%0%41", "/%%3f%250A"),
        ("/%2%4", "/%2%4"),
        ("/.;x=1%00/a", "/a"),
        ("/a\\..;b", "/a/..;b"),
        ("/a/.;%2e", "/a/"),
        ("/a?x=/../y", "/a?x=/../y"),
        ('/a?"<>\\', '/a?"<>\\'),
        ("/a/..?x", "/?x"),
        ("/file.txt", "/file.txt"),
        ("/a/", "/a/"),
    ],
)
def test_normalisation(target: str, path: str) -> None:
    assert normalize(target.encode(), NORMAL) == path.encode()


@pytest.mark.parametrize("target", ["/a/../b", "/a//b", "/a%2Fb", "/%41", "/a\\b", '/"<>', "/%00", "/a/./b?x"], ids=str)
def test_switched_off_nothing_changes(target: str) -> None:
    assert normalize(target.encode(), PathSpec()) == target.encode()


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a//b", "/a/b"),
        ("//a", "/a"),
        ("//", "//"),
        ("///?x", "//?x"),
        ("/a/../b//c", "/b/c"),
        ("/a/%2f/b", "/a/%2f/b"),
        ("/a///../b", "/a/b"),
        ("/a//?x=//y", "/a/?x=//y"),
        ("/a?x=//y", "/a?x=//y"),
    ],
)
def test_merging_slashes(target: str, path: str) -> None:
    assert normalize(target.encode(), MERGE) == path.encode()


def test_merging_alone() -> None:
    assert normalize(b"/a//../b", PathSpec(merge_slashes=True)) == b"/a/../b"


@pytest.mark.parametrize("spec", [NORMAL, PathSpec(), MERGE])
@pytest.mark.parametrize("target", [b"/a#b", b"/a?b#c"])
def test_a_fragment_is_an_error(spec: PathSpec, target: bytes) -> None:
    assert normalize(target, spec) == PathError()


def test_an_escaped_nul_is_an_error() -> None:
    assert normalize(b"/a%00", NORMAL) == PathError()


@pytest.mark.parametrize(
    ("action", "target", "result"),
    [
        (REJECT_REQUEST, b"/a%2Fb", PathError()),
        (REJECT_REQUEST, b"/a%5cb", PathError()),
        (REJECT_REQUEST, b"/a?x=%2F", b"/a?x=%2F"),
        (UNESCAPE_AND_FORWARD, b"/a%2Fb", b"/a/b"),
        (UNESCAPE_AND_FORWARD, b"/a%2f%2e%2e%2fb", b"/b"),
        (UNESCAPE_AND_FORWARD, b"/a%5Cb", b"/a/b"),
        (UNESCAPE_AND_FORWARD, b"/a%252Fb", b"/a%252Fb"),
        (UNESCAPE_AND_REDIRECT, b"/a%2Fb?q=1", PathRedirect(b"/a/b?q=1")),
        (UNESCAPE_AND_REDIRECT, b"/a/b", b"/a/b"),
    ],
)
def test_escaped_slashes(action: str, target: bytes, result: object) -> None:
    assert normalize(target, PathSpec(normalize=True, escaped_slashes=action)) == result
