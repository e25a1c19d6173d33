from collections.abc import Callable
from typing import Any

import pytest

from mesh.discovery.checks import problem_of
from mesh.discovery.compiled import Compiled

RULE = "kind: RouteRule\nmetadata: {name: r}\nspec: "
DESTINATION = "kind: DestinationRule\nmetadata: {name: d}\nspec: {host: shop, trafficPolicy: {loadBalancer: "
INGRESS = "kind: Ingress\nmetadata: {name: i}\nspec: "

FINE = [
    pytest.param(RULE + "{destination: {name: shop}, redirect: {uri: /new}}", id="rule"),
    pytest.param(RULE + "{destination: {name: nobody}}", id="rule-for-a-service-that-does-not-exist"),
    pytest.param(INGRESS + "{rules: [{host: '*.example'}]}", id="ingress-with-a-wildcard"),
    pytest.param(
        RULE + "{destination: {name: shop}, httpFault: {abort: {percent: 0.01, httpStatus: 500}}, "
        "httpReqRetries: {simpleRetry: {attempts: 2, perTryTimeout: 1s}}, corsPolicy: {allowOrigin: ['*']}, "
        "websocketUpgrade: true}",
        id="everything-a-rule-can-ask-of-http",
    ),
    pytest.param(DESTINATION + "{consistentHash: {httpHeaderName: x, maglev: {tableSize: 251}}}}}", id="destination"),
    pytest.param("kind: Pod\nmetadata: {name: p}", id="other-kinds"),
]


@pytest.mark.parametrize("text", FINE)
def test_what_can_be_executed(parse: Callable[[str], list[Any]], text: str) -> None:
    assert problem_of(parse(text)[0], Compiled()) is None


BAD = [
    pytest.param(
        RULE + "{destination: {name: shop}, route: [{weight: 99}]}", "spec.route", "sum to exactly 100", id="weights"
    ),
    pytest.param(
        RULE + "{destination: {name: shop}, match: {tcp: {}}}", "spec.match.tcp", "not execute", id="a-later-field"
    ),
    pytest.param(
        DESTINATION + "{simple: PASSTHROUGH}}}",
        "spec.trafficPolicy.loadBalancer.simple",
        "LEAST_REQUEST",
        id="destination-of-a-policy-nobody-executes",
    ),
    pytest.param(INGRESS + "{rules: [{host: 'a*b'}]}", "spec", "not a domain", id="what-the-compiler-refuses"),
]


@pytest.mark.parametrize(("text", "field", "words"), BAD)
def test_what_can_not(parse: Callable[[str], list[Any]], text: str, field: str, words: str) -> None:
    problem = problem_of(parse(text)[0], Compiled())
    assert problem is not None
    assert problem.causes[0].field == field
    assert words in str(problem)
