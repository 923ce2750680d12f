"""What a game session queue may say: latency policies, destinations, filter, priorities, log destinations.

Source: service model (GameSessionQueue and its members); GameLift Developer Guide.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from apitrail.arn import make_arn, parse_arn, partition_of
from apitrail.services.context import Context
from apitrail.services.gamelift.arns import FLEET_WORDS, SERVICE
from apitrail.services.gamelift.collections import ALIASES, FLEETS
from apitrail.services.gamelift.errors import InvalidRequestException, NotFoundException
from apitrail.store.resources import Doc

TIMEOUT_MIN_S, TIMEOUT_MAX_S = 10, 600
POLICIES_MAX = 100
DESTINATIONS_MAX = 100
LOG_DESTINATIONS_MAX = 3

Params = Mapping[str, Any]


class Destination(NamedTuple):
    """What a destination's ARN names. word: `alias` or the word of a fleet."""

    region: str
    word: str
    id: str


def check_settings(params: Params) -> None:
    """Check the members of a queue by themselves and against each other. Raises: InvalidRequestException.

    Inferred: at most 100 policies and destinations.
    """
    timeout = params.get("TimeoutInSeconds", TIMEOUT_MAX_S)
    if not TIMEOUT_MIN_S <= timeout <= TIMEOUT_MAX_S:
        raise InvalidRequestException(f"TimeoutInSeconds must be from {TIMEOUT_MIN_S} to {TIMEOUT_MAX_S}.")
    _check_policies(params.get("PlayerLatencyPolicies", ()))
    _check_destinations(params.get("Destinations", ()))
    _check_priorities(params.get("PriorityConfiguration", {}))
    for name in ("AddLogDeliveryDestinations", "RemoveLogDeliveryDestinations"):
        _check_logs(params.get(name, ()))
    _check_logs(params.get("LogConfiguration", {}).get("DeliveryDestinations", ()))


def parse_destination(ctx: Context, text: str) -> Destination | None:
    """Return what a destination's ARN names, of any region; None for one of another kind, account or partition."""
    arn = parse_arn(text)
    if arn is None or arn.service != SERVICE or arn.account not in ("", ctx.account):
        return None
    word, _, id = arn.resource.partition("/")
    if not id or not arn.region or (word != "alias" and word not in FLEET_WORDS):
        return None
    return Destination(arn.region, word, id) if partition_of(arn.region) == arn.partition else None


def check_exist(ctx: Context, destinations: Sequence[Mapping[str, Any]]) -> None:
    """Check that destinations exist, and that their fleets agree on certificates.

    Raises: NotFoundException; InvalidRequestException (another account's; certificates). Inferred: all of them.
    """
    fleets = []
    for item in destinations:
        destination = parse_destination(ctx, item["DestinationArn"])
        if destination is None:
            raise InvalidRequestException(
                f"Destination {item['DestinationArn']} must be a fleet or alias of this account and partition."
            )
        if not _exists(ctx, destination):
            raise NotFoundException(f"Destination {item['DestinationArn']} was not found.")
        fleet = fleet_at(ctx, destination)
        if fleet is not None:
            fleets.append(fleet)
    kinds = {fleet.get("CertificateConfiguration", {}).get("CertificateType", "DISABLED") for fleet in fleets}
    if len(kinds) > 1:
        raise InvalidRequestException(
            "The fleets of a queue must have the same CertificateConfiguration; these have DISABLED and GENERATED."
        )


def fleet_at(ctx: Context, destination: Destination) -> Doc | None:
    """Return the fleet that a destination leads to now; None when it is gone or its alias is TERMINAL or gone."""
    there = ctx.in_region(destination.region)
    if destination.word != "alias":
        return FLEETS(there).get(destination.id)
    alias = ALIASES(there).get(destination.id)
    fleet_id = None if alias is None else alias["RoutingStrategy"].get("FleetId")
    return None if fleet_id is None else FLEETS(there).get(fleet_id)


def sorted_policies(policies: Sequence[Any]) -> list[dict[str, int]]:
    """Return latency policies in the order in which they are applied: lowest cap first."""
    return sorted(policies, key=lambda policy: policy["MaximumIndividualPlayerLatencyMilliseconds"])


def log_destinations(ctx: Context, name: str, given: Sequence[Any]) -> list[dict[str, str]]:
    """Return log destinations with an ARN each. Inferred: a log group or bucket that is not named is made up."""
    made_up = {
        "CLOUDWATCH": make_arn("logs", ctx.region, ctx.account, f"log-group:/aws/gamelift/queue/{name}"),
        "S3": make_arn("s3", "", "", f"gamelift-queue-logs-{ctx.account}-{ctx.region}"),
    }
    return [
        {
            "LogDestination": item["LogDestination"],
            "DestinationArn": item.get("DestinationArn") or made_up[item["LogDestination"]],
        }
        for item in given
    ]


def check_log_count(destinations: Sequence[Any]) -> None:
    """Raise InvalidRequestException for too many log destinations, or two with one ARN."""
    if len(destinations) > LOG_DESTINATIONS_MAX:
        raise InvalidRequestException(f"A queue can have {LOG_DESTINATIONS_MAX} log destinations.")
    arns = [item["DestinationArn"] for item in destinations]
    if len(set(arns)) < len(arns):
        raise InvalidRequestException("The log destinations of a queue must have different ARNs.")


def _check_policies(policies: Sequence[Any]) -> None:
    if len(policies) > POLICIES_MAX:
        raise InvalidRequestException(f"PlayerLatencyPolicies must have at most {POLICIES_MAX} items.")
    if any("MaximumIndividualPlayerLatencyMilliseconds" not in policy for policy in policies):
        raise InvalidRequestException("Every latency policy needs MaximumIndividualPlayerLatencyMilliseconds.")


def _check_destinations(destinations: Sequence[Any]) -> None:
    if len(destinations) > DESTINATIONS_MAX:
        raise InvalidRequestException(f"Destinations must have at most {DESTINATIONS_MAX} items.")
    for item in destinations:
        parsed = parse_arn(item.get("DestinationArn", ""))
        if parsed is None or parsed.service != SERVICE:
            raise InvalidRequestException("Every destination needs the DestinationArn of a fleet or alias.")
        if parsed.resource.partition("/")[0] not in ("alias", *FLEET_WORDS):
            raise InvalidRequestException(f"Destination {item['DestinationArn']} is not a fleet or alias.")


def _check_priorities(priority: Params) -> None:
    for name in ("PriorityOrder", "LocationOrder"):
        items = priority.get(name, ())
        if len(set(items)) < len(items):
            raise InvalidRequestException(f"PriorityConfiguration.{name} must not name anything twice.")
    if ("LOCATION" in priority.get("PriorityOrder", ())) != bool(priority.get("LocationOrder")):
        raise InvalidRequestException(
            "PriorityConfiguration needs LocationOrder exactly when PriorityOrder has LOCATION in it."
        )


def _check_logs(destinations: Sequence[Any]) -> None:
    if any(item["LogDestination"] == "FIREHOSE" and "DestinationArn" not in item for item in destinations):
        raise InvalidRequestException("A log destination of type FIREHOSE needs its DestinationArn.")
    arns = [item["DestinationArn"] for item in destinations if "DestinationArn" in item]
    if len(set(arns)) < len(arns):
        raise InvalidRequestException("Log destinations must have different ARNs.")


def _exists(ctx: Context, destination: Destination) -> bool:
    collection = ALIASES if destination.word == "alias" else FLEETS
    return collection(ctx.in_region(destination.region)).has(destination.id)
