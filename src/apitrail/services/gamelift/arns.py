"""Ids and ARNs of GameLift's resources, and the locations that AWS offers.

Aliases and game sessions have ARNs without an account, all others with one; as input both forms are taken for all.
Sources: service model, documentation of each resource, public outputs of the CLI.
"""

from collections.abc import Mapping
from typing import NamedTuple

from apitrail.arn import make_arn, parse_arn, partition_of
from apitrail.services.gamelift.errors import NotFoundException
from apitrail.store.resources import Place

SERVICE = "gamelift"
"""The service's name in ARNs."""

FLEET_WORDS = ("fleet", "containerfleet")

KIND_NAMES: Mapping[str, str] = {
    "alias": "Alias",
    "build": "Build",
    "compute": "Compute",
    "containerfleet": "Container fleet",
    "containergroupdefinition": "Container group definition",
    "fleet": "Fleet",
    "gameservergroup": "Game server group",
    "gamesession": "Game session",
    "gamesessionqueue": "Game session queue",
    "location": "Location",
    "matchmakingconfiguration": "Matchmaking configuration",
    "matchmakingruleset": "Matchmaking rule set",
    "script": "Script",
}
"""The kinds of resources that have an ARN, by the word in it, as messages name them."""

WITHOUT_ACCOUNT = frozenset({"alias", "gamesession"})

KNOWN_REGIONS = (
    "af-south-1",
    "ap-east-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-5",
    "ap-southeast-7",
    "ca-central-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
)
"""Regions in which GameLift has an endpoint."""

LOCAL_ZONES = (
    "us-east-1-atl-1",
    "us-east-1-chi-1",
    "us-east-1-dfw-1",
    "us-east-1-iah-1",
    "us-east-1-mci-1",
    "us-west-2-den-1",
    "us-west-2-lax-1",
    "us-west-2-phx-1",
)

CUSTOM_PREFIX = "custom-"


class GameSessionName(NamedTuple):
    """What a game session's ARN says. location: None for a session in the fleet's home region."""

    region: str
    fleet_id: str
    location: str | None
    tail: str


def aws_locations(region: str) -> tuple[str, ...]:
    """Return the regions and local zones that fleets of a region may use, sorted: those of its partition."""
    partition = partition_of(region)
    return tuple(name for name in sorted(KNOWN_REGIONS + LOCAL_ZONES) if partition_of(name) == partition)


def is_custom(location: str) -> bool:
    """Return whether a location name is that of a custom location."""
    return location.startswith(CUSTOM_PREFIX)


def arn_of(place: Place, kind: str, id: str) -> str:
    """Return the ARN of a resource of this account and region. kind: a word of KIND_NAMES."""
    return arn_in(place.account, place.region, kind, id)


def arn_in(account: str, region: str, kind: str, id: str) -> str:
    """Return the ARN of a resource of a given account and region."""
    return make_arn(SERVICE, region, "" if kind in WITHOUT_ACCOUNT else account, f"{kind}/{id}")


def id_of(place: Place, text: str, kind: str) -> str:
    """Return the id that an id or ARN names.

    Raises: NotFoundException for an ARN of another kind, account, region or partition.
    """
    id = find_id(place, text, kind)
    if id is None:
        raise NotFoundException(f"{KIND_NAMES[kind]} {text} was not found in {place.region}.")
    return id


def find_id(place: Place, text: str, kind: str) -> str | None:
    """Return the id that an id or ARN names, or None for an ARN of another kind, account, region or partition.

    Kind `fleet` also takes container fleets' ids and ARNs, as the model's patterns do.
    """
    if not text.startswith("arn:"):
        return text
    found = split_arn(place, text)
    if found is None:
        return None
    word, id = found
    return id if word == kind or (kind == "fleet" and word in FLEET_WORDS) else None


def split_arn(place: Place, text: str) -> tuple[str, str] | None:
    """Return (kind, id) of an ARN of this service, account (or none) and region; None for any other text."""
    arn = parse_arn(text)
    if arn is None or arn.service != SERVICE or arn.region != place.region or arn.account not in ("", place.account):
        return None
    if arn.partition != partition_of(place.region):
        return None
    kind, _, id = arn.resource.partition("/")
    return (kind, id) if kind in KIND_NAMES and id else None


def game_session_arn(region: str, fleet_id: str, location: str | None, tail: str) -> str:
    """Return a game session's ARN, which is its id.

    region: the fleet's home region. location: None in the home region. tail: the idempotency token,
    `gsess-<uuid>`, or a placement's id.
    """
    middle = f"{fleet_id}/{location}" if location else fleet_id
    return make_arn(SERVICE, region, "", f"gamesession/{middle}/{tail}")


def find_game_session_id(place: Place, text: str) -> str | None:
    """Return the id under which a game session is kept, from its ARN with or without account; None if it is neither."""
    found = split_arn(place, text)
    return None if found is None or found[0] != "gamesession" else arn_of(place, *found)


def parse_game_session(text: str) -> GameSessionName | None:
    """Return the parts of a game session's ARN, or None when it is not one."""
    arn = parse_arn(text)
    if arn is None or arn.service != SERVICE:
        return None
    kind, *names = arn.resource.split("/")
    if kind != "gamesession" or len(names) not in (2, 3) or not all(names):
        return None
    return GameSessionName(arn.region, names[0], names[1] if len(names) == 3 else None, names[-1])
