"""How does the API say no? Each error knows its HTTP code, its reason and its details, as metav1.Status has them."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing wrong with one field of an object."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def required(field: str, message: str = "") -> Cause:
    """The field must be given."""
    return Cause(field, f"Required value{': ' + message if message else ''}", "FieldValueRequired")


def invalid(field: str, value: object, message: str) -> Cause:
    """The field has a value that can not be."""
    shown = f'"{value}"' if isinstance(value, str) else f"{value}"
    return Cause(field, f"Invalid value: {shown}: {message}", "FieldValueInvalid")


def forbidden(field: str, message: str) -> Cause:
    """The field may not be used here."""
    return Cause(field, f"Forbidden: {message}", "FieldValueForbidden")


def not_supported(field: str, value: object, allowed: list[str]) -> Cause:
    """The field has a value outside its list."""
    choices = ", ".join(f'"{choice}"' for choice in allowed)
    return Cause(field, f'Unsupported value: "{value}": supported values: {choices}', "FieldValueNotSupported")


class ApiError(Exception):
    """A refusal that a client understands."""

    code = 500
    reason = "InternalError"

    def __init__(self, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def status(self) -> dict[str, Any]:
        """The metav1.Status object of this error."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if self.details:
            status["details"] = self.details
        status["code"] = self.code
        return status


def _named(plural: str, group: str) -> str:
    return f"{plural}.{group}" if group else plural


def _details(plural: str, group: str, name: str) -> dict[str, Any]:
    return {"name": name, **({"group": group} if group else {}), "kind": plural}


class BadRequest(ApiError):
    code, reason = 400, "BadRequest"


class Forbidden(ApiError):
    code, reason = 403, "Forbidden"


class NotFound(ApiError):
    code, reason = 404, "NotFound"

    @classmethod
    def of(cls, plural: str, group: str, name: str) -> "NotFound":
        return cls(f'{_named(plural, group)} "{name}" not found', _details(plural, group, name))


class MethodNotAllowed(ApiError):
    code, reason = 405, "MethodNotAllowed"


class AlreadyExists(ApiError):
    code, reason = 409, "AlreadyExists"

    @classmethod
    def of(cls, plural: str, group: str, name: str) -> "AlreadyExists":
        return cls(f'{_named(plural, group)} "{name}" already exists', _details(plural, group, name))


class Conflict(ApiError):
    code, reason = 409, "Conflict"

    @classmethod
    def of(cls, plural: str, group: str, name: str) -> "Conflict":
        return cls(
            f'Operation cannot be fulfilled on {_named(plural, group)} "{name}": the object has been modified; '
            "please apply your changes to the latest version and try again",
            _details(plural, group, name),
        )


class Expired(ApiError):
    code, reason = 410, "Expired"


class TooLarge(ApiError):
    code, reason = 413, "RequestEntityTooLarge"


class UnsupportedMediaType(ApiError):
    code, reason = 415, "UnsupportedMediaType"


class Invalid(ApiError):
    """An object that breaks rules; `causes` lists all of them at once."""

    code, reason = 422, "Invalid"

    def __init__(self, kind: str, group: str, name: str, causes: list[Cause]) -> None:
        shown = str(causes[0]) if len(causes) == 1 else "[" + ", ".join(str(cause) for cause in causes) + "]"
        super().__init__(
            f'{_named(kind, group)} "{name}" is invalid: {shown}',
            {
                "name": name,
                **({"group": group} if group else {}),
                "kind": kind,
                "causes": [{"reason": c.reason, "message": c.message, "field": c.field} for c in causes],
            },
        )
        self.causes = causes


class TooManyRequests(ApiError):
    code, reason = 429, "TooManyRequests"


class Unavailable(ApiError):
    """The API server cannot be reached, or is going away."""

    code, reason = 503, "ServiceUnavailable"


_BY_REASON: dict[str, type[ApiError]] = {
    cls.reason: cls
    for cls in (
        BadRequest,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        AlreadyExists,
        Conflict,
        Expired,
        TooLarge,
        UnsupportedMediaType,
        TooManyRequests,
        Unavailable,
    )
}


def from_status(status: dict[str, Any]) -> ApiError:
    """The error that a Status object stands for: what a client raises."""
    message = str(status.get("message", "unknown error"))
    details = status.get("details")
    if status.get("reason") == Invalid.reason and isinstance(details, dict):
        causes = [
            Cause(c.get("field", ""), c.get("message", ""), c.get("reason", "")) for c in details.get("causes") or []
        ]
        if causes:
            return Invalid(details.get("kind", ""), details.get("group", ""), details.get("name", ""), causes)
    error = _BY_REASON.get(str(status.get("reason")), ApiError)(message, details)
    error.code = int(status.get("code") or error.code)
    return error
