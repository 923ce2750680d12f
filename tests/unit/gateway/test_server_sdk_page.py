"""The page of the server SDK's endpoint, played: every frame on it is sent, and every answer and push is what it says."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apitrail.gateway.sdk_roles import ACTION as ROLE_CREDENTIALS
from apitrail.services.gamelift.process_life import AWAITED
from apitrail.services.gamelift.sdk_actions import ACTIONS
from apitrail.testing import Stage
from peers import Peer, anywhere_compute, connected

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "server-sdk.md"
BLOCK = re.compile(r"```json (\w+) ?(\w*)\n(.*?)\n```", re.DOTALL)
VALUE = re.compile(r"<([a-z ]+)>")
Block = tuple[str, str, Any]


def blocks() -> list[Block]:
    """Return (kind, word, content) of every block of the page."""
    return [(kind, word, json.loads(text)) for kind, word, text in BLOCK.findall(PAGE.read_text())]


class Player:
    """Plays a conversation. values: what the words in angle brackets stand for, as far as they have come up."""

    def __init__(self, stage: Stage, fleet_id: str) -> None:
        self.stage = stage
        self.values: dict[str, Any] = {"fleet": fleet_id}
        self.peer: Peer = connected(stage, fleet_id)
        self.answer: Any = None
        self.result: Any = None
        self.unread: list[Any] = []

    def play(self, kind: str, word: str, content: Any) -> None:
        getattr(self, kind)(self.filled(content), word)

    def request(self, content: Any, _: str) -> None:
        self.answer = self.peer.send(json.dumps(content))

    def answer_(self, content: Any, _: str) -> None:
        self.match(content, self.answer, whole=True)

    def call(self, content: Any, operation: str) -> None:
        self.result = self.stage.call(operation, **content)

    def result_(self, content: Any, _: str) -> None:
        self.match(content, self.result, whole=False)

    def push(self, content: Any, _: str) -> None:
        self.unread += self.peer.pushes()
        self.match(content, self.unread.pop(0), whole=True)

    def filled(self, content: Any) -> Any:
        if isinstance(content, dict):
            return {name: self.filled(value) for name, value in content.items()}
        if isinstance(content, list):
            return [self.filled(value) for value in content]
        if isinstance(content, str):
            return VALUE.sub(lambda found: str(self.values.get(found[1], found[0])), content)
        return content

    def match(self, told: Any, found: Any, *, whole: bool) -> None:
        """Compare; a word that has not come up yet takes the value that is found. whole: nothing more may be there."""
        if isinstance(told, dict):
            assert set(told) == set(found) if whole else set(told) <= set(found), (told, found)
            for name, value in told.items():
                self.match(value, found[name], whole=whole)
        elif isinstance(told, list):
            assert len(told) == len(found)
            for value, other in zip(told, found, strict=True):
                self.match(value, other, whole=whole)
        elif isinstance(told, str) and (word := VALUE.fullmatch(told)):
            self.values[word[1]] = found
        else:
            assert told == found


@pytest.fixture
def player(tmp_path: Path) -> Iterator[Player]:
    with Stage(tmp_path) as stage:
        yield Player(stage, anywhere_compute(stage))


NAMES = {"answer": "answer_", "result": "result_"}


def test_the_conversation_on_the_page_is_what_happens(player: Player) -> None:
    played = blocks()
    for kind, word, content in played:
        player.play(NAMES.get(kind, kind), word, content)
    assert player.peer.pushes() == [] and player.unread == []
    assert len(played) > 30


def test_the_page_has_every_action_and_every_deadline() -> None:
    text = PAGE.read_text()
    asked = {content.get("Action") for kind, _, content in blocks() if kind == "request"}
    assert {*ACTIONS, ROLE_CREDENTIALS} <= asked
    assert [awaited.code for awaited in AWAITED.values() if f"| `{awaited.code}` |" not in text] == []
    for push in ("CreateGameSession", "UpdateGameSession", "TerminateProcess", "RefreshConnection"):
        assert f"## {push} (push)" in text
