"""The exceptions of the IAM model that are raised here. Statuses are those of the model; a test compares them."""

from apitrail.errors import ServiceError


class DeleteConflictException(ServiceError):
    """Something still hangs on what is to be deleted."""

    code = "DeleteConflictException"
    status = 409


class EntityAlreadyExistsException(ServiceError):
    """The name is taken."""

    code = "EntityAlreadyExistsException"
    status = 409


class InvalidInputException(ServiceError):
    """A parameter is wrong by itself."""

    code = "InvalidInputException"


class LimitExceededException(ServiceError):
    """A quota is used up."""

    code = "LimitExceededException"
    status = 409


class MalformedPolicyDocumentException(ServiceError):
    """The policy cannot be used; the message says why."""

    code = "MalformedPolicyDocumentException"


class NoSuchEntityException(ServiceError):
    """There is nothing of this name."""

    code = "NoSuchEntityException"
    status = 404


class PolicyNotAttachableException(ServiceError):
    """The policy belongs to a service."""

    code = "PolicyNotAttachableException"


class UnmodifiableEntityException(ServiceError):
    """Only the service that it belongs to may change it."""

    code = "UnmodifiableEntityException"


class ValidationError(ServiceError):
    """A rule that the model does not hold is broken."""

    code = "ValidationError"
