"""The page of the server SDK's endpoint, played: every frame on it is sent, and every answer and push is what it says."""

from pathlib import Path

from apitrail.gateway.sdk_kinds import GAME_SERVER
from apitrail.services.gamelift.process_life import AWAITED
from apitrail.testing import Stage
from conversations import PAGES, Player, blocks
from peers import anywhere_compute, connected

PAGE = "server-sdk.md"


def test_the_conversation_on_the_page_is_what_happens(tmp_path: Path) -> None:
    played = blocks(PAGE)
    with Stage(tmp_path) as stage:
        fleet_id = anywhere_compute(stage)
        player = Player(stage, fleet_id, connected(stage, fleet_id))
        for block in played:
            player.play(*block)
        assert player.peer.pushes() == [] and player.unread == []
    assert len(played) > 30


def test_the_page_has_every_action_and_every_deadline() -> None:
    text = (PAGES / PAGE).read_text()
    asked = {content.get("Action") for kind, _, content in blocks(PAGE) if kind == "request"}
    assert {*GAME_SERVER.actions, *GAME_SERVER.outside} <= asked
    assert [awaited.code for awaited in AWAITED.values() if f"| `{awaited.code}` |" not in text] == []
    for push in ("CreateGameSession", "UpdateGameSession", "TerminateProcess", "RefreshConnection"):
        assert f"## {push} (push)" in text
