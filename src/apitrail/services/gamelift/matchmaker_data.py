"""MatchmakerData: what a game server is told about the match that it hosts, as JSON text.

Source: FlexMatch Developer Guide, "Work with matchmaker data".
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

TYPES = {"S": "STRING", "N": "DOUBLE", "SL": "STRING_LIST", "SDM": "STRING_DOUBLE_MAP"}


def write_data(
    match_id: str,
    configuration_arn: str,
    teams: Mapping[str, Sequence[str]],
    players: Mapping[str, Mapping[str, Any]],
    auto_ticket_id: str | None,
) -> str:
    """Return the text. players: the API's Player by id, of everybody in the teams. auto_ticket_id: in automatic backfill."""
    content: dict[str, Any] = {
        "matchId": match_id,
        "matchmakingConfigurationArn": configuration_arn,
        "teams": [
            {"name": name, "players": [_player(players[id]) for id in members]} for name, members in teams.items()
        ],
    }
    if auto_ticket_id is not None:
        content |= {"autoBackfillTicketId": auto_ticket_id, "autoBackfillMode": "AUTOMATIC"}
    return orjson.dumps(content).decode()


def _player(player: Mapping[str, Any]) -> dict[str, Any]:
    attributes = {name: _value(value) for name, value in player.get("PlayerAttributes", {}).items()}
    return {"playerId": player["PlayerId"], "attributes": attributes}


def _value(value: Mapping[str, Any]) -> dict[str, Any]:
    name, inner = next(iter(value.items()))
    return {"attributeType": TYPES[name], "valueAttribute": float(inner) if name == "N" else inner}
