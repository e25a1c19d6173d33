import pytest

from mesh.routing.limits import admits_connection, admits_pending, admits_request, admits_retry
from mesh.routing.spec import ClusterSpec

SPEC = ClusterSpec(name=b"c", max_connections=2, max_pending_requests=0, max_requests=1, max_retries=3)


def test_requests_pending_and_retries_stop_at_their_limit() -> None:
    assert [admits_request(SPEC, n) for n in (0, 1)] == [True, False]
    assert not admits_pending(SPEC, 0)
    assert [admits_retry(SPEC, n) for n in (2, 3)] == [True, False]


@pytest.mark.parametrize(
    ("connections", "to_endpoint", "admitted"),
    [
        pytest.param(1, 1, True, id="below the limit"),
        pytest.param(2, 1, False, id="at the limit"),
        pytest.param(9, 0, True, id="the first connection to an endpoint"),
    ],
)
def test_connections(connections: int, to_endpoint: int, admitted: bool) -> None:
    assert admits_connection(SPEC, connections, to_endpoint) is admitted
