import pytest

from mesh.metrics.scopes import ClusterStats, HttpStats, ListenerStats, stats_of


@pytest.mark.parametrize("scope", [ClusterStats, HttpStats, ListenerStats])
def test_every_declared_statistic_starts_at_zero(
    scope: type[ClusterStats] | type[HttpStats] | type[ListenerStats],
) -> None:
    fresh = scope()
    declared = stats_of(scope)
    assert declared
    assert all(getattr(fresh, attribute) == 0 for attribute, _ in declared)
    assert all(stat.help.endswith(".") for _, stat in declared)


def test_dotted_names_keep_their_dots() -> None:
    names = {attribute: stat.name for attribute, stat in stats_of(ClusterStats)}
    assert names["upstream_rq_total"] == "upstream_rq_total"
    assert names["circuit_breakers_default_cx_open"] == "circuit_breakers.default.cx_open"


def test_answers_are_counted_by_code_and_time() -> None:
    stats = ClusterStats()
    stats.answered(200, 3.0)
    stats.answered(503, 30.0)
    stats.answered(200, 4.0)
    assert stats.codes == {200: 2, 503: 1}
    assert (stats.rq_time.count, stats.rq_time.sum_ms) == (3, 37.0)


def test_an_unknown_statistic_is_an_error() -> None:
    with pytest.raises(AttributeError):
        ClusterStats().upstream_rq_totl = 1  # type: ignore[attr-defined]
