from mesh.discovery.advice import Advice
from mesh.translate.findings import Finding

ONE = Finding("RouteRule", "default", "one", "spec", "IST0101", "Warning", "no such service")
TWO = Finding("RouteRule", "default", "two", "spec", "IST0101", "Warning", "no such service")


def test_a_finding_is_told_once_it_has_stood_for_a_while() -> None:
    advice = Advice(settle_s=5)
    assert advice.due([ONE], 100.0) == []
    assert advice.waiting
    assert advice.due([ONE, TWO], 104.9) == []
    assert advice.due([ONE, TWO], 105.0) == [ONE]
    assert advice.due([ONE, TWO], 106.0) == []
    assert advice.due([ONE, TWO], 110.0) == [TWO]
    assert not advice.waiting


def test_a_moment_is_not_worth_a_word() -> None:
    advice = Advice(settle_s=5)
    advice.due([ONE], 100.0)
    advice.due([], 103.0)
    assert advice.due([ONE], 106.0) == []


def test_what_comes_back_is_told_again() -> None:
    advice = Advice(settle_s=5)
    advice.due([ONE], 100.0)
    assert advice.due([ONE], 105.0) == [ONE]
    assert advice.due([], 106.0) == []
    advice.due([ONE], 107.0)
    assert advice.due([ONE], 112.0) == [ONE]
