"""What GameLift's errors mean, in words, and why some of them cannot happen here.

WHEN: what a call of gamelift_cases.py runs into, WHEN_OF where an operation differs. NEVER, NEVER_OF: why there is no call.
"""

WHEN = {
    "ConflictException": "the name or id is taken",
    "FleetCapacityExceededException": "no process of the fleet is free in the location",
    "GameSessionFullException": "the game session has fewer free slots than players",
    "IdempotentParameterMismatchException": "the token was used on the fleet with other parameters",
    "InternalServiceException": "an account owns a bucket with the name of the service's",
    "InvalidFleetStatusException": "the fleet, or its location, is not ACTIVE",
    "InvalidGameSessionStatusException": "the game session has ended",
    "InvalidRequestException": "a parameter breaks the model or another rule of the operation",
    "LimitExceededException": "there would be more than the setting or the service allows",
    "NotFoundException": "what is named is not there, in this account and Region",
    "NotReadyException": "what the call needs is there, but not ready",
    "OutOfCapacityException": "no game server of the group can be claimed",
    "TaggingFailedException": "a tag's key begins with `aws:` or is given twice, or there are more than 50 tags",
    "TerminalRoutingStrategyException": "the alias is TERMINAL; the message is the alias's",
    "UnsupportedRegionException": "the Region is none in which GameLift is offered",
}

WHEN_OF = {
    (
        "ClaimGameServer",
        "ConflictException",
    ): "the game server is claimed or in use, or its instance is excluded by the filter",
    (
        "CreateBuild",
        "InvalidRequestException",
    ): "OperatingSystem is missing (unless `gamelift.lenient`), or a rule is broken",
    (
        "CreateContainerFleet",
        "LimitExceededException",
    ): "a location would have more instances than `gamelift.instances_max`",
    (
        "CreateFleet",
        "LimitExceededException",
    ): "more than 50 processes per instance or `gamelift.instances_max` instances",
    ("CreateFleet", "NotReadyException"): "the build is not READY",
    ("CreateFleetLocations", "ConflictException"): "the fleet has the location already",
    (
        "CreateFleetLocations",
        "LimitExceededException",
    ): "a location would have more instances than `gamelift.instances_max`",
    ("CreateFleetLocations", "NotReadyException"): "the fleet's build or script was deleted",
    (
        "CreateGameSession",
        "LimitExceededException",
    ): "the creator has as many game sessions as the fleet's policy allows",
    (
        "GetComputeAccess",
        "InvalidRequestException",
    ): "always, for a compute that is there: there is no remote access here",
    (
        "GetInstanceAccess",
        "InvalidRequestException",
    ): "always, for an instance that is there: there is no remote access here",
    ("GetGameSessionLogUrl", "NotFoundException"): "there is no such game session, or it has no log yet or any more",
    ("ListCompute", "InvalidRequestException"): "there is no such fleet, or a parameter breaks the model",
    ("ListGameServers", "InvalidRequestException"): "there is no such group, or a parameter breaks the model",
    ("RegisterCompute", "LimitExceededException"): "the fleet has as many computes as `gamelift.computes_max`",
    ("RegisterCompute", "NotReadyException"): "the location is not ACTIVE",
    (
        "RegisterGameServer",
        "InvalidRequestException",
    ): "there is no such group, it is not ACTIVE, or a rule is broken",
    ("UpdateContainerFleet", "LimitExceededException"): "the fleet would have more than 50 port rules",
    ("UpdateContainerFleet", "NotReadyException"): "the fleet is not ACTIVE, CREATED or UPDATING",
    ("UpdateFleetAttributes", "InvalidFleetStatusException"): "the fleet is deleted",
    (
        "UpdateFleetCapacity",
        "LimitExceededException",
    ): "the location would have more instances than `gamelift.instances_max`",
    ("UpdateFleetPortSettings", "ConflictException"): "the fleet has the port rule already",
    ("UpdateFleetPortSettings", "InvalidFleetStatusException"): "the fleet is deleted",
    ("UpdateFleetPortSettings", "LimitExceededException"): "the fleet would have more than 50 port rules",
    ("UpdateRuntimeConfiguration", "InvalidFleetStatusException"): "the fleet is deleted or in ERROR",
    ("UpdateRuntimeConfiguration", "LimitExceededException"): "more than 50 processes per instance",
}

NEVER = {
    "ConflictException": "nothing that is unique is named, and changes are made one after another",
    "InternalServiceException": "a mistake of this server is answered with `InternalFailure`, whatever the operation",
    "LimitExceededException": "there is no quota on it here",
    "TaggingFailedException": "no tags are given, and those that are there can be removed at any time",
    "UnauthorizedException": "a caller who may not is refused with `AccessDeniedException`",
}

NEVER_OF = {
    (
        "CreatePlayerSession",
        "TerminalRoutingStrategyException",
    ): "the game session is named by its ARN, never by an alias",
    (
        "CreatePlayerSessions",
        "TerminalRoutingStrategyException",
    ): "the game session is named by its ARN, never by an alias",
    ("CreateVpcPeeringAuthorization", "NotFoundException"): "neither the account nor the VPC need be known here",
    (
        "DeleteFleet",
        "InvalidFleetStatusException",
    ): "a wrong status is answered as AWS does, with `InvalidRequestException`",
    ("DescribeFleetAttributes", "NotFoundException"): "unknown fleets are left out, as in AWS",
    ("DescribeFleetCapacity", "NotFoundException"): "unknown fleets are left out, as in AWS",
    ("DescribeFleetUtilization", "NotFoundException"): "unknown fleets are left out, as in AWS",
    ("DescribeVpcPeeringAuthorizations", "InvalidRequestException"): "it has no parameters",
    ("TerminateGameSession", "NotReadyException"): "a game session can be ended from its creation on",
    ("UpdateGameSession", "NotReadyException"): "a game session can be changed from its creation on",
}
