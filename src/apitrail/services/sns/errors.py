"""The errors of SNS that are raised here, under their codes on the wire. Source: service model."""

from apitrail.errors import ServiceError


class AuthorizationError(ServiceError):
    """Neither the caller's policies nor the topic's allow this."""

    code = "AuthorizationError"
    status = 403


class NotFound(ServiceError):
    """There is no such topic or subscription."""

    code = "NotFound"
    status = 404


class ResourceNotFound(ServiceError):
    """There is no such topic to be tagged."""

    code = "ResourceNotFound"
    status = 404


class InvalidParameter(ServiceError):
    """A parameter is wrong."""

    code = "InvalidParameter"


class ParameterValueInvalid(ServiceError):
    """A message attribute is wrong."""

    code = "ParameterValueInvalid"


class TopicLimitExceeded(ServiceError):
    """The account has as many topics as it may."""

    code = "TopicLimitExceeded"
    status = 403


class SubscriptionLimitExceeded(ServiceError):
    """The topic has as many subscriptions as it may."""

    code = "SubscriptionLimitExceeded"
    status = 403


class FilterPolicyLimitExceeded(ServiceError):
    """The topic has as many filter policies as it may."""

    code = "FilterPolicyLimitExceeded"
    status = 403


class TagLimitExceeded(ServiceError):
    """More than 50 tags."""

    code = "TagLimitExceeded"


class EmptyBatchRequest(ServiceError):
    """A batch has no entries."""

    code = "EmptyBatchRequest"


class TooManyEntriesInBatchRequest(ServiceError):
    """A batch has more than ten entries."""

    code = "TooManyEntriesInBatchRequest"


class BatchEntryIdsNotDistinct(ServiceError):
    """Two entries of a batch have the same id."""

    code = "BatchEntryIdsNotDistinct"


class InvalidBatchEntryId(ServiceError):
    """An entry's id is none."""

    code = "InvalidBatchEntryId"


class BatchRequestTooLong(ServiceError):
    """The messages of a batch are too long together."""

    code = "BatchRequestTooLong"


def invalid(parameter: str, reason: str = "") -> InvalidParameter:
    """Return the error for a wrong parameter, as SNS words it."""
    return InvalidParameter(f"Invalid parameter: {parameter}" + (f" Reason: {reason}" if reason else ""))
