"""Pages of the documentation that are conversations of frames, read and played against the endpoints they tell of."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from apitrail.testing import Stage
from peers import Peer

PAGES = Path(__file__).parents[1] / "docs" / "reference"
BLOCK = re.compile(r"```json (\w+) ?(\w*)\n(.*?)\n```", re.DOTALL)
VALUE = re.compile(r"<([a-z ]+)>")
NAMES = {"answer": "answer_", "result": "result_"}
Block = tuple[str, str, Any]


def blocks(page: str) -> list[Block]:
    """Return (kind, word, content) of every block of a page."""
    return [(kind, word, json.loads(text)) for kind, word, text in BLOCK.findall((PAGES / page).read_text())]


class Player:
    """Plays a conversation. values: what the words in angle brackets stand for, as far as they have come up.

    peer: whose requests they are. other: connects the game server whose requests are `process` blocks.
    """

    def __init__(self, stage: Stage, fleet_id: str, peer: Peer, other: Callable[[], Peer] | None = None) -> None:
        self.stage = stage
        self.values: dict[str, Any] = {"fleet": fleet_id}
        self.peer = peer
        self.answer: Any = None
        self.result: Any = None
        self.unread: list[Any] = []
        self._connect = other
        self._process: Peer | None = None

    def play(self, kind: str, word: str, content: Any) -> None:
        """Play one block."""
        getattr(self, NAMES.get(kind, kind))(self.filled(content), word)

    def request(self, content: Any, _: str) -> None:
        """Send a request of the peer's."""
        self.answer = self.peer.send(json.dumps(content))

    def process(self, content: Any, _: str) -> None:
        """Send a request of the game server's, which must succeed."""
        if self._process is None:
            assert self._connect is not None
            self._process = self._connect()
        assert self._process.send(json.dumps(content))["StatusCode"] == 200

    def answer_(self, content: Any, _: str) -> None:
        """Compare the answer to the last request."""
        self.match(content, self.answer, whole=True)

    def call(self, content: Any, operation: str) -> None:
        """Make an API call, and let what is due at once happen."""
        self.result = self.stage.call(operation, **content)
        self.stage.settle()

    def result_(self, content: Any, _: str) -> None:
        """Compare the result of the last call."""
        self.match(content, self.result, whole=False)

    def push(self, content: Any, _: str) -> None:
        """Compare the next push to the peer."""
        self.unread += self.peer.pushes()
        self.match(content, self.unread.pop(0), whole=True)

    def filled(self, content: Any) -> Any:
        """Return a content with values for its words."""
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
