"""Matchmaking configurations: which rule set forms matches, and where they are played.

Source: GameLift API Reference, the operations on matchmaking configurations. Inferred: an unknown queue or rule set is
not found, a name that is taken is an invalid request.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from apitrail.arn import parse_arn, partition_of
from apitrail.services.common import make_token
from apitrail.services.context import Context
from apitrail.services.gamelift.arns import SERVICE, arn_of, find_id
from apitrail.services.gamelift.collections import MATCHMAKING_CONFIGURATIONS, QUEUES, TICKETS
from apitrail.services.gamelift.errors import InvalidRequestException, NotFoundException
from apitrail.services.gamelift.pages import bound_to, page_limit, page_of, position_of
from apitrail.services.gamelift.rule_sets import get_rule_set
from apitrail.services.gamelift.tagging import check_tags, drop_tags, tag_new
from apitrail.services.gamelift.ticket_steps import note_configuration
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        CreateMatchmakingConfigurationInputTypeDef,
        DeleteMatchmakingConfigurationInputTypeDef,
        DescribeMatchmakingConfigurationsInputTypeDef,
        UpdateMatchmakingConfigurationInputTypeDef,
    )

KIND = "matchmakingconfiguration"
QUEUE_KIND = "gamesessionqueue"
PAGE_COUNT = 10
NAMES_MAX = 1000
COPIED = (
    "Description",
    "GameSessionQueueArns",
    "RequestTimeoutSeconds",
    "AcceptanceTimeoutSeconds",
    "AcceptanceRequired",
    "NotificationTarget",
    "AdditionalPlayerCount",
    "CustomEventData",
    "GameProperties",
    "GameSessionData",
    "BackfillMode",
    "FlexMatchMode",
)
REMOVED_WHEN_EMPTY = ("GameSessionQueueArns", "NotificationTarget", "CustomEventData", "GameProperties")
DEFAULTS: Mapping[str, Any] = {"BackfillMode": "MANUAL", "FlexMatchMode": "WITH_QUEUE", "AdditionalPlayerCount": 0}


@operation
def create_matchmaking_configuration(
    ctx: Context, params: "CreateMatchmakingConfigurationInputTypeDef"
) -> dict[str, Any]:
    """Create a matchmaking configuration.

    Raises: InvalidRequestException (members that do not go together; a name that is taken); NotFoundException (queue,
    rule set); TaggingFailedException.
    """
    name = params["Name"]
    if not name:
        raise InvalidRequestException("Name must have at least one character.")
    configuration: Doc = {
        "Name": name,
        "ConfigurationArn": arn_of(ctx, KIND, name),
        **DEFAULTS,
        "CreationTime": ctx.now,
    }
    _take_over(configuration, params)
    _check(configuration)
    check_tags(params)
    if MATCHMAKING_CONFIGURATIONS(ctx).has(name):
        raise InvalidRequestException(f"Matchmaking configuration with name {name} already exists.")
    _connect(ctx, configuration, params["RuleSetName"])
    MATCHMAKING_CONFIGURATIONS(ctx).put(name, configuration)
    tag_new(ctx, configuration["ConfigurationArn"], params)
    return {"Configuration": configuration}


@operation
def describe_matchmaking_configurations(
    ctx: Context, params: "DescribeMatchmakingConfigurationsInputTypeDef"
) -> dict[str, Any]:
    """Return configurations: those named, those with a rule set, or all; ten at most. Unknown names are left out.

    Raises: InvalidRequestException (token; names and a rule set together, inferred).
    """
    names, rule_set = params.get("Names"), params.get("RuleSetName")
    if names and rule_set:
        raise InvalidRequestException("Names and RuleSetName cannot be given together.")
    if names:
        return _named(ctx, params)
    where = None if rule_set is None else ("RuleSetName", find_id(ctx, rule_set, "matchmakingruleset"))
    page, token = page_of(
        ctx,
        "DescribeMatchmakingConfigurations",
        params,
        MATCHMAKING_CONFIGURATIONS(ctx),
        default=PAGE_COUNT,
        cap=PAGE_COUNT,
        where=where,
    )
    return {"Configurations": page, "NextToken": token}


@operation
def update_matchmaking_configuration(
    ctx: Context, params: "UpdateMatchmakingConfigurationInputTypeDef"
) -> dict[str, Any]:
    """Change a configuration; what is given replaces what was there. Matches formed afterwards follow it.

    An empty list or text removes an optional member; changing to STANDALONE removes the queue.
    Raises: InvalidRequestException (members that do not go together); NotFoundException.
    """
    configuration = get_configuration(ctx, params["Name"])
    if params.get("FlexMatchMode") == "STANDALONE" and "GameSessionQueueArns" not in params:
        configuration.pop("GameSessionQueueArns", None)
    _take_over(configuration, params)
    _check(configuration)
    _connect(ctx, configuration, params.get("RuleSetName", configuration["RuleSetName"]))
    MATCHMAKING_CONFIGURATIONS(ctx).put(configuration["Name"], configuration)
    note_configuration(ctx, configuration["Name"])
    return {"Configuration": configuration}


@operation
def delete_matchmaking_configuration(
    ctx: Context, params: "DeleteMatchmakingConfigurationInputTypeDef"
) -> dict[str, Any]:
    """Remove a configuration. Raises: NotFoundException; InvalidRequestException while a ticket of it is active."""
    configuration = get_configuration(ctx, params["Name"])
    name = configuration["Name"]
    active = TICKETS(ctx).find("active", name, 1)
    if active:
        raise InvalidRequestException(
            f"Matchmaking configuration {name} has the active ticket {active[0].id}; it cannot be deleted."
        )
    MATCHMAKING_CONFIGURATIONS(ctx).delete(name)
    drop_tags(ctx, configuration["ConfigurationArn"])
    return {"_ResourceArn": configuration["ConfigurationArn"]}


def find_configuration(ctx: Context, text: str) -> Doc | None:
    """Return the configuration of a name or ARN, or None."""
    name = find_id(ctx, text, KIND)
    return None if name is None else MATCHMAKING_CONFIGURATIONS(ctx).get(name)


def get_configuration(ctx: Context, text: str) -> Doc:
    """Return the configuration of a name or ARN. Raises: NotFoundException."""
    configuration = find_configuration(ctx, text)
    if configuration is None:
        raise NotFoundException(f"Matchmaking configuration {text} was not found in {ctx.region}.")
    return configuration


def _named(ctx: Context, params: "DescribeMatchmakingConfigurationsInputTypeDef") -> dict[str, Any]:
    """Return a page of those configurations that are named and exist."""
    names = list(dict.fromkeys(params["Names"]))
    if len(names) > NAMES_MAX:
        raise InvalidRequestException(f"Names must have at most {NAMES_MAX} items.")
    bound = bound_to("DescribeMatchmakingConfigurations", params)
    begin, limit = position_of(ctx, bound, params) or 0, page_limit(params, PAGE_COUNT, PAGE_COUNT)
    found: dict[str, Doc] = {}
    for place in range(begin, len(names)):
        configuration = find_configuration(ctx, names[place])
        if configuration is not None and len(found) == limit:
            return {"Configurations": list(found.values()), "NextToken": make_token(ctx, bound, place)}
        if configuration is not None:
            found[configuration["Name"]] = configuration
    return {"Configurations": list(found.values())}


def _take_over(configuration: Doc, params: Mapping[str, Any]) -> None:
    configuration |= {name: params[name] for name in COPIED if name in params}
    for name in REMOVED_WHEN_EMPTY:
        if not configuration.get(name):
            configuration.pop(name, None)


def _check(configuration: Doc) -> None:
    """Check the members of a configuration against each other. Raises: InvalidRequestException."""
    queues = configuration.get("GameSessionQueueArns", [])
    if configuration["FlexMatchMode"] == "STANDALONE":
        if queues:
            raise InvalidRequestException("GameSessionQueueArns must not be given when FlexMatchMode is STANDALONE.")
        if configuration["BackfillMode"] == "AUTOMATIC":
            raise InvalidRequestException("BackfillMode AUTOMATIC is not available when FlexMatchMode is STANDALONE.")
    elif len(queues) != 1:
        raise InvalidRequestException(
            f"GameSessionQueueArns must name exactly one queue when FlexMatchMode is WITH_QUEUE, not {len(queues)}."
        )
    if configuration["AcceptanceRequired"] and "AcceptanceTimeoutSeconds" not in configuration:
        raise InvalidRequestException("AcceptanceTimeoutSeconds must be given when AcceptanceRequired is true.")
    keys = [item["Key"] for item in configuration.get("GameProperties", ())]
    if len(set(keys)) < len(keys):
        raise InvalidRequestException("GameProperties must not have the same key twice.")
    _check_topic(configuration.get("NotificationTarget"))


def _check_topic(text: str | None) -> None:
    topic = None if text is None else parse_arn(text)
    if text is not None and (topic is None or topic.service != "sns" or not topic.resource):
        raise InvalidRequestException(f"NotificationTarget must be the ARN of an SNS topic, not {text}.")


def _connect(ctx: Context, configuration: Doc, rule_set_name: str) -> None:
    """Set the rule set of a configuration, and check what depends on it and on the queue.

    Raises: NotFoundException (rule set, queue); InvalidRequestException (no room left for the teams).
    """
    rule_set = get_rule_set(ctx, rule_set_name)
    configuration |= {"RuleSetName": rule_set["RuleSetName"], "RuleSetArn": rule_set["RuleSetArn"]}
    for text in configuration.get("GameSessionQueueArns", ()):
        if not _is_queue(ctx, text):
            raise NotFoundException(f"Game session queue {text} was not found.")
    room = rule_set["_PlayersMax"] - max(rule_set["_PlayersMin"], 1)
    if configuration["FlexMatchMode"] == "WITH_QUEUE" and configuration["AdditionalPlayerCount"] > room:
        raise InvalidRequestException(
            f"AdditionalPlayerCount must be at most {room}, so that the teams of rule set {rule_set['RuleSetName']}"
            " can still be filled."
        )


def _is_queue(ctx: Context, text: str) -> bool:
    """Return whether an ARN names a queue of this account, in whichever region."""
    arn = parse_arn(text)
    if arn is None or arn.service != SERVICE or arn.account not in ("", ctx.account):
        return False
    kind, _, name = arn.resource.partition("/")
    is_ours = kind == QUEUE_KIND and arn.region != "" and arn.partition == partition_of(arn.region)
    return is_ours and QUEUES.at(ctx.tx, ctx.account, arn.region).has(name)
