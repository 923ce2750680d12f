"""What sessions are listed, searched and sorted by: the operands of SearchGameSessions and the indexed values.

Pure functions of game session and player session documents. Source: API Reference, SearchGameSessions (operands and their types).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

from apitrail.store.resources import Doc

Kind = Literal["string", "number", "flag"]

NUMBER_DIGITS = 15
NUMBER_FORM = f"%0{NUMBER_DIGITS}d"


@dataclass(frozen=True, slots=True)
class Operand:
    """Something that an expression compares.

    value_of: its value in a game session, None when it has none. rank_chars: how much of a string counts in the order of
    strings, so that a page token, which holds one, does not grow past its 1,024 characters.
    """

    name: str
    kind: Kind
    value_of: Callable[[Doc], Any]
    rank_chars: int = 100


def millis(at: datetime) -> int:
    """Return a time as whole milliseconds since 1970."""
    return round(at.timestamp() * 1000)


def end_of(prefix: str) -> str:
    """Return the text behind everything that begins with a prefix, which ends in a vertical bar."""
    assert prefix.endswith("|"), prefix
    return prefix[:-1] + "}"


def has_room(doc: Doc) -> bool:
    """Return whether a game session has a free player slot."""
    return bool(doc["CurrentPlayerSessionCount"] < doc["MaximumPlayerSessionCount"])


OPERANDS: Mapping[str, Operand] = {
    operand.name: operand
    for operand in (
        Operand("gameSessionId", "string", lambda doc: doc["GameSessionId"], 300),
        Operand("gameSessionName", "string", lambda doc: doc.get("Name")),
        Operand("maximumSessions", "number", lambda doc: doc["MaximumPlayerSessionCount"]),
        Operand("creationTimeMillis", "number", lambda doc: millis(doc["CreationTime"])),
        Operand("playerSessionCount", "number", lambda doc: doc["CurrentPlayerSessionCount"]),
        Operand("hasAvailablePlayerSessions", "flag", has_room),
    )
}

TAKEN = OPERANDS["playerSessionCount"]
PROPERTIES = "gameSessionProperties"


@lru_cache(1024)
def property_operand(key: str) -> Operand:
    """Return the operand of a game property. The prefix keeps its key apart from any other key."""

    def value_of(doc: Doc) -> Any:
        return next((item["Value"] for item in doc.get("GameProperties", ()) if item["Key"] == key), None)

    return Operand(f"{PROPERTIES}.{len(key)}.{key}", "string", value_of)


def listing(fleet_id: str, location: str | None = None, status: str | None = None) -> str:
    """Return the indexed value under which a fleet's sessions are listed; without a part: all of them."""
    return f"{fleet_id}@{location or ''}|{status or ''}"


def listings(doc: Doc) -> list[str]:
    """Return every value under which a game session is listed."""
    fleet_id, status = doc["FleetId"], doc["Status"]
    anywhere, here = listing(fleet_id), listing(fleet_id, doc["Location"])
    return [anywhere, anywhere + status, here, here + status]


def rank_prefix(fleet_id: str, operand: Operand) -> str:
    """Return what the indexed values of an operand in a fleet begin with; those of TAKEN only in full sessions."""
    return f"{fleet_id}|{operand.name}|"


def room_prefix(fleet_id: str) -> str:
    """Return what the indexed values of TAKEN in sessions with free slots begin with."""
    return f"{fleet_id}|{TAKEN.name}+|"


def rank(operand: Operand, value: Any) -> str:
    """Return a value as a text that sorts like the value; unequal long strings may have the same."""
    if operand.kind == "number":
        return str(NUMBER_FORM % value)
    return str(int(value)) if operand.kind == "flag" else str(value)[: operand.rank_chars]


def ranks(doc: Doc) -> list[str]:
    """Return every value under which an active game session is searched; other sessions are not found at all."""
    if doc["Status"] != "ACTIVE":
        return []
    fleet_id = doc["FleetId"]
    values = [
        prefix + rank(operand, value)
        for operand, prefix in _fixed_prefixes(fleet_id)
        if (value := operand.value_of(doc)) is not None
    ]
    taken_prefix = room_prefix(fleet_id) if has_room(doc) else rank_prefix(fleet_id, TAKEN)
    values.append(taken_prefix + rank(TAKEN, TAKEN.value_of(doc)))
    for item in doc.get("GameProperties", ()):
        if "." not in item["Key"]:
            operand = property_operand(item["Key"])
            values.append(rank_prefix(fleet_id, operand) + rank(operand, item["Value"]))
    return values


@lru_cache(1024)
def _fixed_prefixes(fleet_id: str) -> tuple[tuple[Operand, str], ...]:
    return tuple((operand, rank_prefix(fleet_id, operand)) for operand in OPERANDS.values() if operand is not TAKEN)


def creation_prefix(fleet_id: str, creator_id: str) -> str:
    """Return what the indexed values of a creator's sessions in a fleet begin with."""
    return f"{fleet_id}|{len(creator_id)}|{creator_id}|"


def creation(doc: Doc) -> str | None:
    """Return the value by which a creator's sessions are counted over time, or None without a creator."""
    creator_id = doc.get("CreatorId")
    if creator_id is None:
        return None
    return f"{creation_prefix(doc['FleetId'], creator_id)}{millis(doc['CreationTime']):0{NUMBER_DIGITS}d}"


def player_listing(game_session_id: str, status: str = "") -> str:
    """Return the indexed value under which a game session's player sessions are listed; without status: all of them."""
    return f"{game_session_id}|{status}"


def player_listings(doc: Doc) -> list[str]:
    """Return every value under which a player session is listed."""
    session_id = doc["GameSessionId"]
    return [player_listing(session_id), player_listing(session_id, doc["Status"])]
