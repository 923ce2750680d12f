"""Every error the product raises on purpose.

    ApitrailError
      ServiceError          the caller must see it; becomes the reply and the event's errorCode
      JournalUnavailable    nothing may happen that cannot be recorded: 503
      SinkError             a delivery failed; temporary (try again) or lasting (tell the operator)
      IntegrityError        found by verify: missing, altered, unlisted, broken chain
      SettingsError         a setting is wrong; names file and key

An AssertionError is our own mistake: InternalFailure to the caller, trace to the log, still recorded.
"""

from collections.abc import Callable
from typing import Any, ClassVar


class ApitrailError(Exception):
    """Root of the errors of this product."""


class ServiceError(ApitrailError):
    """An answer that is an error: code, message and HTTP status, as the caller sees them.

    code: the name on the wire and in the record, without namespace (`NotFoundException`).
    status: HTTP status; 4xx is the sender's fault, 5xx ours.
    members: further modelled members of the exception's shape, by model name.
    effect: a change that commits together with the error's record, although the call failed.
    """

    code: ClassVar[str] = "InternalFailure"
    status: ClassVar[int] = 400

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        members: dict[str, Any] | None = None,
        effect: Callable[[Any], None] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.error_code = code or type(self).code
        self.error_status = status or type(self).status
        self.members = members or {}
        self.effect = effect


class JournalUnavailable(ApitrailError):
    """The record cannot be written now, so the call must not happen. reason: one short clause for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SinkError(ApitrailError):
    """A put or a check failed. code: the store's own error code (`NoSuchBucket`, `AccessDenied`, ...)."""

    def __init__(self, message: str, *, code: str, temporary: bool) -> None:
        super().__init__(message)
        self.code = code
        self.temporary = temporary


class IntegrityError(ApitrailError):
    """A log or digest file is not what its digest says."""


class SettingsError(ApitrailError):
    """A setting cannot be used. where: file and key, or the environment name. hint: one next step."""

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.where = where
        self.hint = hint
