import pytest

from mesh.routing.errors import Refused
from mesh.routing.path_template import compile_template, compile_template_rewrite


@pytest.mark.parametrize(
    ("template", "hits", "misses"),
    [
        pytest.param("/a/b", ["/a/b"], ["/a", "/a/b/", "/a/bc"], id="text"),
        pytest.param("/a/*", ["/a/b", "/a/b.c"], ["/a/", "/a/b/c", "/a"], id="one segment"),
        pytest.param("/a/**", ["/a/", "/a/b/c"], ["/a"], id="the rest"),
        pytest.param("/u/{id}/x", ["/u/7/x"], ["/u//x", "/u/7/8/x"], id="a name"),
        pytest.param("/u/{id=a/*}", ["/u/a/7"], ["/u/b/7", "/u/a"], id="a name with a pattern"),
        pytest.param("/u/{rest=**}", ["/u/a/b", "/u/"], ["/u"], id="a name for the rest"),
        pytest.param("/v/{id}.json", ["/v/7.json"], ["/v/7", "/v/7xjson"], id="text around a name"),
        pytest.param("/tmpl/{id}/x/*", ["/tmpl/1/x/y"], ["/tmpl/1/x", "/tmpl/1/x/y/z"], id="both"),
    ],
)
def test_what_fits(template: str, hits: list[str], misses: list[str]) -> None:
    test = compile_template(template, "t").test
    assert [path for path in [*hits, *misses] if test(path.encode())] == hits


def test_rewriting_fills_in_the_names() -> None:
    template = compile_template("/users/{id}/orders/{rest=**}", "t")
    rewrite = compile_template_rewrite(template, "/o/{rest}/of/{id}", "r")
    assert rewrite(b"/users/7/orders/a/b") == b"/o/a/b/of/7"
    assert rewrite(b"/other") is None


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("a", "t: starts with /"),
        ("/**/a", r"t: has text after \*\*"),
        ("/{a}/{a}", "t: names 'a' twice"),
        ("/a b", "t: cannot read 'a b'"),
        ("/{a}{b}", "t: cannot read"),
        ("/{rest=**}x", r"t: has text after \*\*"),
    ],
)
def test_refused(template: str, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        compile_template(template, "t")


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(Refused, match="r: names 'b'"):
        compile_template_rewrite(compile_template("/{a}", "t"), "/{b}", "r")
