"""The errors of STS that are raised here. AccessDenied and ValidationError are common errors, not of the model."""

from apitrail.errors import ServiceError


class AccessDenied(ServiceError):
    """The caller may not do this."""

    code = "AccessDenied"
    status = 403


class MalformedPolicyDocumentException(ServiceError):
    """The session policy cannot be used; the message says why."""

    code = "MalformedPolicyDocumentException"


class PackedPolicyTooLargeException(ServiceError):
    """Session policies and tags are too large together."""

    code = "PackedPolicyTooLargeException"


class ValidationError(ServiceError):
    """A parameter is wrong by itself or together with others."""

    code = "ValidationError"
