"""The page of the Agent's endpoint, played: every frame on it is sent, and every answer and push is what it says."""

from pathlib import Path

from apitrail.gateway.sdk_kinds import AGENT
from apitrail.services.gamelift.agents import ENDS
from apitrail.testing import Stage
from conversations import PAGES, Player, blocks
from peers import agent, anywhere_compute, connected

PAGE = "agent.md"


def test_the_conversation_on_the_page_is_what_happens(tmp_path: Path) -> None:
    played = blocks(PAGE)
    with Stage(tmp_path) as stage:
        fleet_id = anywhere_compute(stage)
        player = Player(stage, fleet_id, agent(stage, fleet_id), lambda: connected(stage, fleet_id))
        for block in played:
            player.play(*block)
        assert (player.peer.pushes(), player.unread, player.peer.closed) == ([], [], True)
    assert len(played) > 25


def test_the_page_has_every_action_push_and_event_code() -> None:
    text = (PAGES / PAGE).read_text()
    asked = {content.get("Action") for kind, _, content in blocks(PAGE) if kind == "request"}
    assert {*AGENT.actions, *AGENT.outside} == asked
    assert [code for code in ENDS if f"| `{code}` |" not in text] == []
    pushes = ("NotifyProcessRegistered", "NotifyGameSessionActivated", "ForceExitServerProcess")
    for push in (*pushes, "StartComputeTermination", "RefreshConnection"):
        assert f"## {push} (push)" in text
