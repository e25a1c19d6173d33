from typing import Any

import pytest
from google.protobuf import any_pb2

from mesh.routing.check import refuse_unexecuted, unpack
from mesh.routing.errors import Refused
from tests.unit.routing.conftest import message

ROUTES = "envoy.config.route.v3.route:RouteConfiguration"


def _vhost(route: Any) -> Any:
    return message(ROUTES, {"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": [route]}]})


@pytest.mark.parametrize(
    ("route", "complaint"),
    [
        pytest.param(
            {"match": {"connect_matcher": {}}},
            r"^r\.virtual_hosts\[0\]\.routes\[0\]\.match\.connect_matcher: is not executed; "
            "use prefix or path or safe_regex or path_separated_prefix or path_match_policy$",
            id="a oneof names its other members",
        ),
        pytest.param(
            {"match": {"prefix": "/"}, "route": {"cluster": "c", "rate_limits": [{}]}},
            r"^r\.virtual_hosts\[0\]\.routes\[0\]\.route\.rate_limits: is not executed; leave it out$",
            id="a field",
        ),
        pytest.param(
            {"match": {"prefix": "/"}, "route": {"cluster": "c", "internal_redirect_policy": {}}},
            r"internal_redirect_policy: is not executed; send the client a redirect$",
            id="a field with a hint",
        ),
        pytest.param(
            {
                "match": {"prefix": "/"},
                "typed_per_filter_config": {
                    "lua": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": "x"}
                },
            },
            r'typed_per_filter_config\["lua"\]: google\.protobuf\.StringValue is not executed',
            id="a type inside a map",
        ),
        pytest.param(
            {
                "match": {"prefix": "/"},
                "typed_per_filter_config": {
                    "f": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
                        "response_rate_limit": {"fixed_limit": {"limit_kbps": 1}},
                    }
                },
            },
            r'typed_per_filter_config\["f"\]\.response_rate_limit: is not executed',
            id="a field inside an Any",
        ),
    ],
)
def test_the_first_thing_that_is_not_executed_is_named(route: Any, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        refuse_unexecuted(_vhost(route), "r")


def test_metadata_is_left_alone() -> None:
    refuse_unexecuted(
        _vhost(
            {
                "match": {"prefix": "/"},
                "metadata": {"filter_metadata": {"anything": {"at": ["all"]}}},
                "direct_response": {"status": 200},
            }
        )
    )


def test_a_type_that_is_not_executed_at_all() -> None:
    with pytest.raises(Refused, match=r"^x: envoy\.config\.core\.v3\.BackoffStrategy is not executed; leave it out$"):
        refuse_unexecuted(message("envoy.config.core.v3.backoff:BackoffStrategy", {"base_interval": "1s"}), "x")


@pytest.mark.parametrize(
    ("packed", "complaint"),
    [
        pytest.param(any_pb2.Any(), "x: an empty typed_config is not executed", id="empty"),
        pytest.param(any_pb2.Any(type_url="t/no.Such"), r"x: no\.Such is not executed", id="unknown"),
    ],
)
def test_unpacking(packed: any_pb2.Any, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        unpack(packed, "x")
