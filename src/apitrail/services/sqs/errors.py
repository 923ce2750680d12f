"""The errors of SQS. InvalidParameterValue and AccessDeniedException are common errors, not of the model."""

from apitrail.errors import ServiceError


class AccessDeniedException(ServiceError):
    """Neither the caller's policies nor the queue's allow this."""

    code = "AccessDeniedException"


class QueueDoesNotExist(ServiceError):
    """There is no such queue."""

    code = "QueueDoesNotExist"


class QueueNameExists(ServiceError):
    """There is a queue of this name with other attributes."""

    code = "QueueNameExists"


class PurgeQueueInProgress(ServiceError):
    """The queue was purged less than a minute ago."""

    code = "PurgeQueueInProgress"


class InvalidAddress(ServiceError):
    """A queue URL is none."""

    code = "InvalidAddress"


class InvalidAttributeName(ServiceError):
    """A queue has no such attribute."""

    code = "InvalidAttributeName"


class InvalidAttributeValue(ServiceError):
    """An attribute cannot have this value."""

    code = "InvalidAttributeValue"


class InvalidParameterValue(ServiceError):
    """A parameter is wrong."""

    code = "InvalidParameterValue"


class InvalidMessageContents(ServiceError):
    """A message holds characters that are not allowed."""

    code = "InvalidMessageContents"


class ReceiptHandleIsInvalid(ServiceError):
    """A receipt handle is none of this queue's."""

    code = "ReceiptHandleIsInvalid"


class MessageNotInflight(ServiceError):
    """The message can be received by everybody already."""

    code = "MessageNotInflight"


class RequestThrottled(ServiceError):
    """The queue is full."""

    code = "RequestThrottled"


class UnsupportedOperation(ServiceError):
    """Not served by this version."""

    code = "UnsupportedOperation"


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


class OverLimit(ServiceError):
    """A queue's policy has too many statements."""

    code = "OverLimit"
