from typing import Any

import pytest

from mesh.api.validation_routerule import causes


def rule(**spec: Any) -> dict[str, Any]:
    return {"spec": {"destination": {"name": "my-app"}, **spec}}


def retry(**simple: Any) -> dict[str, Any]:
    return rule(httpReqRetries={"simpleRetry": simple})


def delay(**part: Any) -> dict[str, Any]:
    return rule(httpFault={"delay": part})


def abort(**part: Any) -> dict[str, Any]:
    return rule(httpFault={"abort": part})


def cors(**policy: Any) -> dict[str, Any]:
    return rule(corsPolicy={"allowOrigin": ["*"], **policy})


WHOLE = {"allowMethods": ["GET", "POST"], "allowHeaders": ["x-a"], "exposeHeaders": ["x-b"], "maxAge": "24h"}
FINE = [
    pytest.param(retry(attempts=3, perTryTimeout="2s"), id="retries"),
    pytest.param(retry(perTryTimeout="2s"), id="no retries"),
    pytest.param(rule(http_req_retries={"simple_retry": {"attempts": 1, "per_try_timeout": "5ms"}}), id="snake case"),
    pytest.param(delay(percent=0.5, fixedDelay="100ms"), id="delay"),
    pytest.param(delay(fixedDelay="5s"), id="delay of all"),
    pytest.param(abort(percent=100, httpStatus=503), id="abort"),
    pytest.param(cors(), id="any origin"),
    pytest.param(cors(**WHOLE, allowCredentials=True), id="a whole policy"),
]


@pytest.mark.parametrize("spec", FINE)
def test_fine(spec: dict[str, Any]) -> None:
    assert causes(spec, "default") == []


SIMPLE, DELAY, ABORT, CORS = "httpReqRetries.simpleRetry", "httpFault.delay", "httpFault.abort", "corsPolicy"
CUSTOM = {"custom": {}, "simpleRetry": {"perTryTimeout": "1s"}}
REFUSED = [
    pytest.param(rule(httpReqRetries={}), SIMPLE, "attempts and perTryTimeout", id="retries of nothing"),
    pytest.param(rule(httpReqRetries=CUSTOM), "httpReqRetries.custom", "only simpleRetry", id="custom retries"),
    pytest.param(retry(attempts=3), f"{SIMPLE}.perTryTimeout", "a duration", id="no time for a try"),
    pytest.param(retry(attempts=-1, perTryTimeout="1s"), f"{SIMPLE}.attempts", "number of retries", id="minus one"),
    pytest.param(retry(attempts="3", perTryTimeout="1s"), f"{SIMPLE}.attempts", "whole number", id="a text"),
    pytest.param(retry(attempts=1, perTryTimeout="0.5ms"), f"{SIMPLE}.perTryTimeout", "at least 1ms", id="too short"),
    pytest.param(rule(httpFault={}), "httpFault", "delay, abort or both", id="a fault of nothing"),
    pytest.param(delay(percent=10), f"{DELAY}.fixedDelay", "a duration", id="no delay"),
    pytest.param(delay(percent=101, fixedDelay="1s"), f"{DELAY}.percent", "from 0 to 100", id="too many"),
    pytest.param(delay(percent="1", fixedDelay="1s"), f"{DELAY}.percent", "from 0 to 100", id="no number"),
    pytest.param(delay(fixedDelay="1s", exponentialDelay="1s"), f"{DELAY}.exponentialDelay", "never", id="exponential"),
    pytest.param(abort(percent=1), f"{ABORT}.httpStatus", "the status", id="no status"),
    pytest.param(abort(httpStatus=99), f"{ABORT}.httpStatus", "200 to 599", id="no such status"),
    pytest.param(abort(httpStatus=503, grpcStatus="UNKNOWN"), f"{ABORT}.grpcStatus", "never", id="gRPC"),
    pytest.param(rule(corsPolicy={}), f"{CORS}.allowOrigin", "the origins", id="no origin"),
    pytest.param(cors(allowOrigin=["a b"]), f"{CORS}.allowOrigin[0]", "an origin or *", id="no origin, but words"),
    pytest.param(cors(allowMethods=["get"]), f"{CORS}.allowMethods[0]", "one of GET", id="a method in lower case"),
    pytest.param(cors(allowHeaders=["X-A"]), f"{CORS}.allowHeaders[0]", "lower case", id="a header in upper case"),
    pytest.param(cors(maxAge="1.5s"), f"{CORS}.maxAge", "whole seconds", id="half a second"),
    pytest.param(cors(allowOrigins=["*"]), f"{CORS}.allowOrigins", "allowOrigin", id="the name of a newer kind"),
]


@pytest.mark.parametrize(("spec", "field", "words"), REFUSED)
def test_refused(spec: dict[str, Any], field: str, words: str) -> None:
    (cause,) = causes(spec, "default")
    assert cause.field == f"spec.{field}"
    assert words in cause.message
