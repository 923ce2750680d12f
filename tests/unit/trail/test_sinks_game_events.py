"""GameLift's events on their way to EventBridge: in order, at least once, and kept while it is away."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from sink_scenes import KEY, SECRET, Receiver

from apitrail.clock import VirtualClock
from apitrail.services.context import Context
from apitrail.services.gamelift.game_events import announce
from apitrail.settings import Events, Settings
from apitrail.testing import Stage

QUEUE = "arn:aws:gamelift:us-west-2:111122223333:gamesessionqueue/lobby"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver(VirtualClock())
    yield made
    made.close()


@pytest.fixture
def stage(tmp_path: Path, receiver: Receiver) -> Iterator[Stage]:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    events = Events(endpoint=receiver.url, access_key=KEY, secret_key_file=str(secret))
    with Stage(tmp_path / "data", Settings(events=events)) as stage:
        receiver.clock = stage.clock
        yield stage


def tell(stage: Stage, count: int, start: int = 0) -> None:
    def work(ctx: Context) -> None:
        for number in range(start, start + count):
            announce(
                ctx,
                "GameLift Queue Placement Event",
                QUEUE,
                {"type": "PlacementFailed", "placementId": f"r-{number}"},
                "",
            )

    stage.change(work)


def got(receiver: Receiver) -> list[str]:
    """Return the placements that EventBridge has heard of."""
    return [orjson.loads(entry["Detail"])["placementId"] for _, entry in receiver.entries]


def test_events_come_in_order_with_source_type_and_resource(stage: Stage, receiver: Receiver) -> None:
    tell(stage, 25)
    stage.settle()
    assert got(receiver) == [f"r-{number}" for number in range(25)]
    region, entry = receiver.entries[0]
    assert (region, entry["Source"], entry["DetailType"]) == (
        "us-west-2",
        "aws.gamelift",
        "GameLift Queue Placement Event",
    )
    assert (entry["Resources"], entry["Time"]) == ([QUEUE], int(stage.clock.now().timestamp()))
    assert max(len(params["Entries"]) for _, _, params in receiver.calls) <= 10


def test_while_it_is_away_events_wait(stage: Stage, receiver: Receiver) -> None:
    receiver.fail_next = [(503, "ServiceUnavailable")] * 2
    tell(stage, 3)
    stage.settle()
    assert got(receiver) == []
    stage.advance(5)
    assert got(receiver) == ["r-0", "r-1", "r-2"]


def test_an_entry_that_fails_for_now_is_sent_again_and_others_are_given_up(stage: Stage, receiver: Receiver) -> None:
    receiver.refused_entries = ["ThrottlingException"]
    tell(stage, 1)
    stage.settle()
    stage.advance(2)
    assert got(receiver)[-1:] == ["r-0"]
    receiver.refused_entries = ["NotAuthorizedForSource"]
    tell(stage, 1, start=1)
    stage.settle()
    stage.advance(2)
    left = stage.run(stage.app.database.read(lambda tx: tx.one("SELECT count(*) FROM game_events WHERE bus = 1")))
    assert left == (0,)
