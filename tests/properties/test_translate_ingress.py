"""A rule below an Ingress path takes exactly the requests that fit both."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.routing.compile import compile_virtual_host
from mesh.routing.request import Request
from mesh.routing.route_table import RouteTable
from mesh.translate.ingress import ELEMENTS, EXACT, PREFIX, PathMatch, combine
from mesh.translate.outbound import virtual_host
from mesh.translate.routerule import default_route, regex
from mesh.translate.targets import Target

text = st.text(alphabet="/ab.", max_size=5)
path = text.map(lambda rest: f"/{rest}")
ingress_paths = st.builds(PathMatch, st.sampled_from((EXACT, PREFIX)), path) | path.map(
    lambda found: PathMatch(ELEMENTS, found.rstrip("/")) if found.rstrip("/") else PathMatch(PREFIX, "/")
)
uris = st.one_of(
    st.tuples(st.just("path"), path),
    st.tuples(st.just("prefix"), path),
    st.tuples(st.just("safe_regex"), st.sampled_from(("/.*", "/a.*", ".*b", "/a+/?", r"/[ab]\..*"))),
)
queries = st.sampled_from(("", "?", "?x=/a/b", "?/"))


@settings(max_examples=500, deadline=None)
@given(uri=uris, ingress=ingress_paths, asked=path, query=queries)
def test_combine_is_both(uri: tuple[str, str], ingress: PathMatch, asked: str, query: str) -> None:
    route = default_route(Target("a", 80))
    kind, pattern = uri
    if kind == "safe_regex":
        route.match.safe_regex.CopyFrom(regex(pattern))
    else:
        setattr(route.match, kind, pattern)
    alone = RouteTable("t", [compile_virtual_host(virtual_host("h", ["*"], [route]))])
    combined = combine(route, ingress)
    both = RouteTable("t", [compile_virtual_host(virtual_host("h", ["*"], [combined] if combined else []))])

    def takes(table: RouteTable) -> bool:
        return table.find(Request(b"GET", (asked + query).encode(), b"h", [])) is not None

    assert takes(both) == (takes(alone) and ingress.takes(asked))
