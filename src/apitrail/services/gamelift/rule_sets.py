"""Matchmaking rule sets: documents in FlexMatch's rule language, checked once and never changed.

Source: GameLift API Reference, the operations on matchmaking rule sets; the language is `apitrail.flexmatch`.
"""

from typing import TYPE_CHECKING, Any

from apitrail.flexmatch import RuleSet, RuleSetError, parse_rule_set
from apitrail.services.common import make_token
from apitrail.services.context import Context
from apitrail.services.gamelift.arns import arn_of, find_id, id_of
from apitrail.services.gamelift.collections import MATCHMAKING_CONFIGURATIONS, RULE_SETS
from apitrail.services.gamelift.errors import InvalidRequestException, NotFoundException
from apitrail.services.gamelift.pages import bound_to, page_limit, page_of, position_of
from apitrail.services.gamelift.tagging import check_tags, drop_tags, tag_new
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        CreateMatchmakingRuleSetInputTypeDef,
        DeleteMatchmakingRuleSetInputTypeDef,
        DescribeMatchmakingRuleSetsInputTypeDef,
        ValidateMatchmakingRuleSetInputTypeDef,
    )

KIND = "matchmakingruleset"
PAGE_COUNT = 10


@operation
def create_matchmaking_rule_set(ctx: Context, params: "CreateMatchmakingRuleSetInputTypeDef") -> dict[str, Any]:
    """Create a rule set; its body is kept byte for byte.

    Raises: InvalidRequestException (a body that breaks the language; a name that is taken, inferred);
    TaggingFailedException.
    """
    name = params["Name"]
    if not name:
        raise InvalidRequestException("Name must have at least one character.")
    rules = parse_body(params["RuleSetBody"])
    check_tags(params)
    if RULE_SETS(ctx).has(name):
        raise InvalidRequestException(f"Matchmaking rule set with name {name} already exists.")
    rule_set: Doc = {
        "RuleSetName": name,
        "RuleSetArn": arn_of(ctx, KIND, name),
        "RuleSetBody": params["RuleSetBody"],
        "CreationTime": ctx.now,
        "_PlayersMin": rules.players_min,
        "_PlayersMax": rules.players_max,
    }
    RULE_SETS(ctx).put(name, rule_set)
    tag_new(ctx, rule_set["RuleSetArn"], params)
    return {"RuleSet": rule_set}


@operation
def describe_matchmaking_rule_sets(ctx: Context, params: "DescribeMatchmakingRuleSetsInputTypeDef") -> dict[str, Any]:
    """Return rule sets, those named or all, ten at most.

    Raises: InvalidRequestException (token); NotFoundException (a name that does not exist).
    """
    if "Names" not in params:
        page, token = page_of(
            ctx, "DescribeMatchmakingRuleSets", params, RULE_SETS(ctx), default=PAGE_COUNT, cap=PAGE_COUNT
        )
        return {"RuleSets": page, "NextToken": token}
    names = list(dict.fromkeys(id_of(ctx, text, KIND) for text in params["Names"]))
    bound = bound_to("DescribeMatchmakingRuleSets", params)
    begin, limit = position_of(ctx, bound, params) or 0, page_limit(params, PAGE_COUNT, PAGE_COUNT)
    wanted, end = names[begin : begin + limit], begin + limit
    token = make_token(ctx, bound, end) if end < len(names) else None
    return {"RuleSets": [get_rule_set(ctx, name) for name in wanted], "NextToken": token}


@operation
def delete_matchmaking_rule_set(ctx: Context, params: "DeleteMatchmakingRuleSetInputTypeDef") -> dict[str, Any]:
    """Remove a rule set. Raises: NotFoundException; InvalidRequestException while a configuration uses it."""
    rule_set = get_rule_set(ctx, params["Name"])
    name = rule_set["RuleSetName"]
    users = MATCHMAKING_CONFIGURATIONS(ctx).find("RuleSetName", name, 1)
    if users:
        raise InvalidRequestException(
            f"Matchmaking rule set {name} is in use by matchmaking configuration {users[0].id}; it cannot be deleted."
        )
    RULE_SETS(ctx).delete(name)
    drop_tags(ctx, rule_set["RuleSetArn"])
    return {"_ResourceArn": rule_set["RuleSetArn"]}


@operation
def validate_matchmaking_rule_set(ctx: Context, params: "ValidateMatchmakingRuleSetInputTypeDef") -> dict[str, Any]:
    """Return that a body follows the language. Raises: InvalidRequestException, with the reason, when it does not."""
    parse_body(params["RuleSetBody"])
    return {"Valid": True}


def parse_body(body: str) -> RuleSet:
    """Return the rule set that a body is. Raises: InvalidRequestException."""
    try:
        return parse_rule_set(body)
    except RuleSetError as error:
        raise InvalidRequestException(f"The rule set body is not valid: {error}") from error


def find_rule_set(ctx: Context, text: str) -> Doc | None:
    """Return the rule set of a name or ARN, or None."""
    name = find_id(ctx, text, KIND)
    return None if name is None else RULE_SETS(ctx).get(name)


def get_rule_set(ctx: Context, text: str) -> Doc:
    """Return the rule set of a name or ARN. Raises: NotFoundException."""
    rule_set = find_rule_set(ctx, text)
    if rule_set is None:
        raise NotFoundException(f"Matchmaking rule set {text} was not found in {ctx.region}.")
    return rule_set
