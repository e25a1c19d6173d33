from typing import Any

import pytest

from mesh.routing.compile_filters import compile_http_filters
from mesh.routing.errors import Refused
from tests.unit.routing.conftest import message

T = "type.googleapis.com/envoy.extensions.filters.http."
ROUTER = {"name": "router", "typed_config": {"@type": T + "router.v3.Router"}}
CORS = {"name": "cors", "typed_config": {"@type": T + "cors.v3.Cors"}}
FAULT = {
    "name": "fault",
    "typed_config": {
        "@type": T + "fault.v3.HTTPFault",
        "abort": {"http_status": 500, "percentage": {"numerator": 100}},
    },
}


def _compile(*filters: Any) -> Any:
    kind = "envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager:HttpConnectionManager"
    return compile_http_filters(message(kind, {"http_filters": list(filters)}).http_filters, "h")


def test_filters_keep_their_order_and_the_router_ends_them() -> None:
    filters, suppress = _compile(CORS, {**FAULT, "disabled": True}, ROUTER)
    assert [(f.kind, f.name, f.disabled) for f in filters] == [("cors", "cors", False), ("fault", "fault", True)]
    assert filters[0].config is None
    assert filters[1].config.status == 500
    assert not suppress


def test_the_router_may_suppress_envoys_headers() -> None:
    quiet = {"name": "router", "typed_config": {**ROUTER["typed_config"], "suppress_envoy_headers": True}}  # type: ignore[dict-item]
    assert _compile(quiet) == ((), True)


@pytest.mark.parametrize(
    ("filters", "complaint"),
    [
        pytest.param([], "h.http_filters: end with envoy.filters.http.router", id="none"),
        pytest.param([CORS], "h.http_filters: end with", id="no router"),
        pytest.param([ROUTER, CORS], r"h.http_filters\[0\]: the router stands last", id="router first"),
        pytest.param([CORS, CORS, ROUTER], r"h.http_filters\[1\].name: 'cors' is taken", id="a name twice"),
        pytest.param([{"name": "x"}], r"h.http_filters\[0\].typed_config: is missing", id="no type"),
    ],
)
def test_refused(filters: list[Any], complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        _compile(*filters)
