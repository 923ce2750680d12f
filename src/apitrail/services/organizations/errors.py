"""The errors of the Organizations API that are raised here. Those with a reason have it as the member Reason."""

from apitrail.errors import ServiceError


class AccessDeniedException(ServiceError):
    """Only the management account, or a delegated administrator, may do this."""

    code = "AccessDeniedException"


class AWSOrganizationsNotInUseException(ServiceError):
    """The account is in no organization."""

    code = "AWSOrganizationsNotInUseException"


class AlreadyInOrganizationException(ServiceError):
    """The account is in an organization already."""

    code = "AlreadyInOrganizationException"


class AccountNotFoundException(ServiceError):
    """The organization has no such account."""

    code = "AccountNotFoundException"


class AccountAlreadyRegisteredException(ServiceError):
    """The account administers the service already."""

    code = "AccountAlreadyRegisteredException"


class AccountNotRegisteredException(ServiceError):
    """The account does not administer the service."""

    code = "AccountNotRegisteredException"


class CreateAccountStatusNotFoundException(ServiceError):
    """There was no such request."""

    code = "CreateAccountStatusNotFoundException"


class DuplicateHandshakeException(ServiceError):
    """The account is invited already."""

    code = "DuplicateHandshakeException"


class HandshakeNotFoundException(ServiceError):
    """There is no such handshake."""

    code = "HandshakeNotFoundException"


class HandshakeAlreadyInStateException(ServiceError):
    """The handshake is already what it shall become."""

    code = "HandshakeAlreadyInStateException"


class InvalidHandshakeTransitionException(ServiceError):
    """The handshake has ended in another way."""

    code = "InvalidHandshakeTransitionException"


class MasterCannotLeaveOrganizationException(ServiceError):
    """The management account is always a member."""

    code = "MasterCannotLeaveOrganizationException"


class OrganizationNotEmptyException(ServiceError):
    """The organization has other members."""

    code = "OrganizationNotEmptyException"


class _WithReason(ServiceError):
    """An error of several reasons. reason: as the model lists it."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message, members={"Reason": reason})


class ConstraintViolationException(_WithReason):
    """A rule or a quota of the organization forbids it."""

    code = "ConstraintViolationException"


class HandshakeConstraintViolationException(_WithReason):
    """A rule forbids the handshake."""

    code = "HandshakeConstraintViolationException"


class InvalidInputException(_WithReason):
    """A parameter is wrong."""

    code = "InvalidInputException"
