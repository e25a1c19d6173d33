from typing import Any

import pytest

from mesh.api.validation_routerule import causes

DESTINATION = {"name": "my-app"}


def fields(spec: Any) -> list[str]:
    return [cause.field for cause in causes({"kind": "RouteRule", "spec": spec}, "default")]


def rule(**spec: Any) -> dict[str, Any]:
    return {"destination": DESTINATION, **spec}


def headers(**matchers: Any) -> dict[str, Any]:
    return rule(match={"request": {"headers": matchers}})


COOKIE = {"cookie": {"regex": "^(.*?;)?(user=jason)(;.*)?$"}}
GOOD = [
    pytest.param(rule(), id="destination-alone"),
    pytest.param({"destination": {"service": "*cnn.com"}}, id="wildcard-service"),
    pytest.param({"destination": {"name": "a", "namespace": "n", "domain": "x.org"}}, id="name-namespace-domain"),
    pytest.param(rule(precedence=-5), id="negative-precedence"),
    pytest.param(rule(route=[{"labels": {"version": "v1"}}]), id="one-entry-without-weight"),
    pytest.param(rule(route=[{"labels": {"version": "v1"}, "weight": 100}]), id="one-entry-100"),
    pytest.param(rule(route=[{"weight": 90}, {"weight": 10}, {"weight": 0}]), id="sum-100-with-zero"),
    pytest.param(headers(**COOKIE), id="cookie-regex"),
    pytest.param(headers(uri={"prefix": "/api"}, method={"exact": "GET"}), id="uri-and-method"),
    pytest.param(headers(foo={"exact": ""}), id="empty-exact-is-presence"),
    pytest.param(headers(**{":authority": {"exact": "a"}}), id="pseudo-header"),
    pytest.param(rule(match={"source": {"name": "client", "labels": {"version": "v2"}}}), id="source"),
    pytest.param(rule(redirect={"uri": "/new"}), id="redirect"),
    pytest.param(rule(rewrite={"authority": "b"}, route=[{}]), id="rewrite-beside-route"),
    pytest.param(rule(mirror={"name": "b", "labels": {"version": "v2"}}), id="mirror-with-labels"),
    pytest.param(rule(appendHeaders={"x-a": "1"}), id="append-headers"),
    pytest.param(rule(httpReqTimeout={"simpleTimeout": {"timeout": "0.1s"}}), id="timeout"),
    pytest.param(rule(http_req_timeout={"simple_timeout": {"timeout": "1s"}}), id="snake-case"),
    pytest.param(rule(websocketUpgrade=False), id="websocket-off"),
    pytest.param(rule(websocketUpgrade=True), id="websocket-on"),
    pytest.param(rule(route=None, mirror=None), id="null-counts-as-absent"),
]


@pytest.mark.parametrize("spec", GOOD)
def test_accepts(spec: dict[str, Any]) -> None:
    assert fields(spec) == []


BAD = [
    pytest.param(None, ["spec"], id="no-spec"),
    pytest.param([], ["spec"], id="spec-is-a-list"),
    pytest.param({}, ["spec.destination"], id="no-destination"),
    pytest.param({"destination": "my-app"}, ["spec.destination"], id="destination-is-text"),
    pytest.param({"destination": {}}, ["spec.destination.name"], id="destination-empty"),
    pytest.param({"destination": {"name": "a", "labels": {"v": "1"}}}, ["spec.destination.labels"], id="own-labels"),
    pytest.param({"destination": {"name": "a", "service": "b"}}, ["spec.destination.service"], id="name-and-service"),
    pytest.param(
        {"destination": {"service": "b", "namespace": "n", "domain": "d"}},
        ["spec.destination.namespace", "spec.destination.domain"],
        id="service-and-more",
    ),
    pytest.param({"destination": {"name": "a.b"}}, ["spec.destination.name"], id="dotted-name"),
    pytest.param({"destination": {"name": "A"}}, ["spec.destination.name"], id="upper-case-name"),
    pytest.param({"destination": {"name": "a" * 64}}, ["spec.destination.name"], id="long-name"),
    pytest.param({"destination": {"name": "a", "domain": "b..c"}}, ["spec.destination.domain"], id="bad-domain"),
    pytest.param({"destination": {"service": "a b"}}, ["spec.destination.service"], id="bad-service"),
    pytest.param(rule(precedence="high"), ["spec.precedence"], id="precedence-is-text"),
    pytest.param(rule(precedence=2**31), ["spec.precedence"], id="precedence-too-large"),
    pytest.param(rule(route=[]), ["spec.route"], id="empty-route"),
    pytest.param(rule(route={"weight": 100}), ["spec.route"], id="route-is-an-object"),
    pytest.param(rule(route=[{"weight": 90}, {"weight": 9}]), ["spec.route"], id="sum-99"),
    pytest.param(rule(route=[{"weight": 50}]), ["spec.route"], id="one-entry-50"),
    pytest.param(rule(route=[{}, {}]), ["spec.route"], id="sum-0"),
    pytest.param(
        rule(route=[{"weight": -1}, {"weight": 101}]), ["spec.route[0].weight", "spec.route[1].weight"], id="range"
    ),
    pytest.param(rule(route=[{"weight": "90"}, {"weight": 10}]), ["spec.route[0].weight"], id="weight-is-text"),
    pytest.param(rule(route=[{"weight": True}]), ["spec.route[0].weight"], id="weight-is-a-bool"),
    pytest.param(
        rule(route=[{"labels": {"version": "v 1"}}]), ["spec.route[0].labels[version]"], id="label-with-blank"
    ),
    pytest.param(rule(route=[{"labels": {"version": 1}}]), ["spec.route[0].labels[version]"], id="label-is-a-number"),
    pytest.param(rule(route=[{"destination": {}}]), ["spec.route[0].destination.name"], id="empty-entry-destination"),
    pytest.param(headers(Cookie={"exact": "a"}), ["spec.match.request.headers[Cookie]"], id="upper-case-header"),
    pytest.param(headers(**{"a b": {"exact": "a"}}), ["spec.match.request.headers[a b]"], id="no-header-name"),
    pytest.param(headers(**{"": {"exact": "a"}}), ["spec.match.request.headers[]"], id="empty-header-name"),
    pytest.param(headers(foo={}), ["spec.match.request.headers[foo]"], id="matcher-empty"),
    pytest.param(headers(foo=None), ["spec.match.request.headers[foo]"], id="matcher-null"),
    pytest.param(
        headers(foo={"exact": "a", "regex": "a"}), ["spec.match.request.headers[foo]"], id="matcher-two-forms"
    ),
    pytest.param(headers(foo="bar"), ["spec.match.request.headers[foo]"], id="matcher-is-text"),
    pytest.param(headers(uri={"prefix": ""}), ["spec.match.request.headers[uri].prefix"], id="uri-empty"),
    pytest.param(headers(cookie={"regex": "(a"}), ["spec.match.request.headers[cookie].regex"], id="regex-broken"),
    pytest.param(headers(cookie={"regex": "(?=a)"}), ["spec.match.request.headers[cookie].regex"], id="regex-not-re2"),
    pytest.param(rule(match={"source": {}}), ["spec.match.source.name"], id="source-empty"),
    pytest.param(rule(match={"tcp": {}}), ["spec.match.tcp"], id="tcp"),
    pytest.param(rule(match={"udp": {}}), ["spec.match.udp"], id="udp"),
    pytest.param(rule(redirect={}), ["spec.redirect"], id="redirect-empty"),
    pytest.param(rule(rewrite={"uri": ""}), ["spec.rewrite"], id="rewrite-empty"),
    pytest.param(
        rule(redirect={"uri": "/a"}, route=[{}], rewrite={"uri": "/b"}),
        ["spec.route", "spec.rewrite"],
        id="redirect-beside-route-and-rewrite",
    ),
    pytest.param(rule(redirect={"uri": "/a\r\nx: y"}), ["spec.redirect.uri"], id="redirect-line-break"),
    pytest.param(rule(httpReqTimeout={}), ["spec.httpReqTimeout.simpleTimeout.timeout"], id="timeout-absent"),
    pytest.param(
        rule(httpReqTimeout={"simpleTimeout": {"timeout": "0.5ms"}}),
        ["spec.httpReqTimeout.simpleTimeout.timeout"],
        id="timeout-below-1ms",
    ),
    pytest.param(
        rule(httpReqTimeout={"simpleTimeout": {"timeout": "1.5ms"}}),
        ["spec.httpReqTimeout.simpleTimeout.timeout"],
        id="timeout-not-whole",
    ),
    pytest.param(
        rule(httpReqTimeout={"simpleTimeout": {"timeout": 10}}),
        ["spec.httpReqTimeout.simpleTimeout.timeout"],
        id="timeout-is-a-number",
    ),
    pytest.param(rule(httpReqTimeout={"custom": {}}), ["spec.httpReqTimeout.custom"], id="timeout-custom"),
    pytest.param(rule(l4Fault={}), ["spec.l4Fault"], id="l4-fault"),
    pytest.param(rule(mirror={"namespace": "n"}), ["spec.mirror.name"], id="mirror-without-name"),
    pytest.param(rule(appendHeaders={"X-A": "1"}), ["spec.appendHeaders[X-A]"], id="append-upper-case"),
    pytest.param(rule(appendHeaders={"x-a": ""}), ["spec.appendHeaders[x-a]"], id="append-empty-value"),
    pytest.param(rule(appendHeaders={"x-a": "a\nb"}), ["spec.appendHeaders[x-a]"], id="append-line-break"),
    pytest.param(rule(appendHeaders={"host": "b"}), ["spec.appendHeaders[host]"], id="append-host"),
    pytest.param(rule(mtach={}), ["spec.mtach"], id="unknown-field"),
    pytest.param(
        rule(Match={}, route=[{"wieght": 1}]), ["spec.Match", "spec.route[0].wieght"], id="unknown-fields-all-at-once"
    ),
]


@pytest.mark.parametrize(("spec", "expected"), BAD)
def test_refuses(spec: Any, expected: list[str]) -> None:
    assert fields(spec) == expected


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        pytest.param(rule(mtach={}), 'did you mean "match"?', id="nearest-name"),
        pytest.param(rule(timeout="1s"), "httpReqTimeout", id="name-of-a-newer-kind"),
        pytest.param(rule(zzz=1), "known here: destination, precedence", id="nothing-near"),
        pytest.param(rule(match={"headers": {}}), "match.request.headers", id="one-level-too-high"),
        pytest.param(headers(Cookie={"exact": "a"}), '"cookie"', id="lower-case-spelling"),
        pytest.param(rule(route=[{"weight": 90}, {"weight": 9}]), "90 + 9 is 99", id="the-sum"),
        pytest.param(headers(foo={"regex": "(a"}), "missing )", id="what-re2-says"),
        pytest.param(rule(match={"tcp": {}}), "does not execute it", id="not-executed"),
    ],
)
def test_says_what_would_be_right(spec: Any, words: str) -> None:
    (cause,) = causes({"spec": spec}, "default")
    assert words in cause.message


def test_points_out_a_field_beside_spec() -> None:
    found = causes({"spec": rule(), "route": [], "metadata": {"name": "a"}}, "default")
    assert [(cause.field, "spec.route" in cause.message) for cause in found] == [("route", True)]
