"""Step 8 of the tables: a game session's number of players is indexed once."""

import sqlite3
from importlib.resources import files

from apitrail.store.sqlite import migrate

SCOPE = "gamelift/game-session|111122223333|us-west-2"
INSERT = "INSERT INTO resource_index VALUES (?, 'rank', ?, ?)"


def test_only_the_count_of_a_session_with_room_that_is_there_twice_goes() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    kept = [
        (SCOPE, "fleet-a|playerSessionCount+|000000000000003", 1),
        (SCOPE, "fleet-a|playerSessionCount|000000000000008", 2),
        (SCOPE, "fleet-a|maximumSessions|000000000000008", 1),
        ("gamelift/player-session|111122223333|us-west-2", "fleet-a|playerSessionCount|000000000000003", 1),
    ]
    twice = (SCOPE, "fleet-a|playerSessionCount|000000000000003", 1)
    connection.executemany(INSERT, [*kept, twice])
    connection.executescript(files("apitrail.store.migrations").joinpath("0008_player_counts.sql").read_text())
    rows = connection.execute("SELECT scope, value, ord FROM resource_index").fetchall()
    assert sorted(rows) == sorted(kept)
    connection.close()
