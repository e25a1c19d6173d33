"""A refusal reads the same on both sides of a socket."""

import pytest

from mesh.api import errors
from mesh.api.errors import Cause


@pytest.mark.parametrize(
    ("error", "code", "reason", "message"),
    [
        pytest.param(
            errors.NotFound.of("deployments", "apps", "x"), 404, "NotFound", 'deployments.apps "x" not found', id="404"
        ),
        pytest.param(errors.NotFound.of("pods", "", "x"), 404, "NotFound", 'pods "x" not found', id="404-core"),
        pytest.param(
            errors.AlreadyExists.of("pods", "", "x"), 409, "AlreadyExists", 'pods "x" already exists', id="exists"
        ),
        pytest.param(errors.BadRequest("no"), 400, "BadRequest", "no", id="400"),
        pytest.param(errors.Forbidden("no"), 403, "Forbidden", "no", id="403"),
        pytest.param(errors.Expired("old"), 410, "Expired", "old", id="410"),
        pytest.param(errors.TooLarge("big"), 413, "RequestEntityTooLarge", "big", id="413"),
        pytest.param(errors.Unavailable("away"), 503, "ServiceUnavailable", "away", id="503"),
    ],
)
def test_there_and_back(error: errors.ApiError, code: int, reason: str, message: str) -> None:
    status = error.status()
    assert (status["code"], status["reason"], status["message"]) == (code, reason, message)
    back = errors.from_status(status)
    assert type(back) is type(error)
    assert back.status() == status


def test_conflict_carries_what_clients_retry_on() -> None:
    status = errors.Conflict.of("deployments", "apps", "x").status()
    assert "the object has been modified" in status["message"]
    assert status["details"] == {"name": "x", "group": "apps", "kind": "deployments"}


def test_invalid_lists_every_cause() -> None:
    causes = [
        errors.required("spec.a"),
        errors.invalid("spec.b", "x", "must be y"),
        errors.forbidden("spec.c", "not here"),
        errors.not_supported("spec.d", "z", ["p", "q"]),
    ]
    error = errors.Invalid("Deployment", "apps", "x", causes)
    status = error.status()
    assert status["code"] == 422
    assert [(c["field"], c["reason"]) for c in status["details"]["causes"]] == [
        ("spec.a", "FieldValueRequired"),
        ("spec.b", "FieldValueInvalid"),
        ("spec.c", "FieldValueForbidden"),
        ("spec.d", "FieldValueNotSupported"),
    ]
    assert status["message"].startswith('Deployment.apps "x" is invalid: [spec.a: Required value, spec.b: Invalid')
    back = errors.from_status(status)
    assert isinstance(back, errors.Invalid)
    assert back.causes == causes


def test_one_cause_needs_no_brackets() -> None:
    error = errors.Invalid("Pod", "", "x", [Cause("spec.a", "wrong")])
    assert error.message == 'Pod "x" is invalid: spec.a: wrong'


def test_an_unknown_reason_keeps_its_code() -> None:
    error = errors.from_status({"message": "teapot", "reason": "Strange", "code": 418})
    assert type(error) is errors.ApiError
    assert (error.code, str(error)) == (418, "teapot")
