"""The exceptions of the GameLift model, one class each.

A test holds the list against the model. Source: service model 2015-10-01; all are
HTTP 400 but InternalServiceException.
"""

from apitrail.errors import ServiceError


class ConflictException(ServiceError):
    """The call conflicts with what is there already, or with another call."""

    code = "ConflictException"


class FleetCapacityExceededException(ServiceError):
    """No server process of the fleet is free."""

    code = "FleetCapacityExceededException"


class GameSessionFullException(ServiceError):
    """The game session has no slot left for the players."""

    code = "GameSessionFullException"


class IdempotentParameterMismatchException(ServiceError):
    """The idempotency token was used before with other parameters."""

    code = "IdempotentParameterMismatchException"


class InternalServiceException(ServiceError):
    """Our own fault."""

    code = "InternalServiceException"
    status = 500


class InvalidFleetStatusException(ServiceError):
    """The fleet's or its location's status does not allow the call."""

    code = "InvalidFleetStatusException"


class InvalidGameSessionStatusException(ServiceError):
    """The game session's status does not allow the call."""

    code = "InvalidGameSessionStatusException"


class InvalidRequestException(ServiceError):
    """A parameter is wrong, by itself or together with others."""

    code = "InvalidRequestException"


class LimitExceededException(ServiceError):
    """A quota or a limit policy does not allow it."""

    code = "LimitExceededException"


class NotFoundException(ServiceError):
    """There is no such resource in this account and region."""

    code = "NotFoundException"


class NotReadyException(ServiceError):
    """What the call needs exists but is not ready yet."""

    code = "NotReadyException"


class OutOfCapacityException(ServiceError):
    """No game server of the group can be claimed."""

    code = "OutOfCapacityException"


class TaggingFailedException(ServiceError):
    """The tags are not allowed on the resource."""

    code = "TaggingFailedException"


class TerminalRoutingStrategyException(ServiceError):
    """The alias leads to a message instead of a fleet; the message is the error's."""

    code = "TerminalRoutingStrategyException"


class UnauthorizedException(ServiceError):
    """The caller may not do this."""

    code = "UnauthorizedException"


class UnsupportedRegionException(ServiceError):
    """GameLift is not offered in this region."""

    code = "UnsupportedRegionException"
