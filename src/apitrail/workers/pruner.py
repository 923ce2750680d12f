"""The worker that lets go of events that are past the retention of event history and delivered everywhere."""

from datetime import timedelta

from apitrail.clock import Clock
from apitrail.settings import Journal
from apitrail.store import journal
from apitrail.store.database import Database

EVERY_S = 60.0


class Pruner:
    """Removes a bounded number of rows at a time."""

    name = "pruner"

    def __init__(self, database: Database, clock: Clock, settings: Journal) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings

    async def tick(self) -> float | None:
        """Remove the next rows; come again at once while there are more."""
        before = int((self._clock.now() - timedelta(days=self._settings.retention_days)).timestamp())
        oldest = await self._database.read(lambda tx: tx.one("SELECT time FROM journal ORDER BY seq LIMIT 1"))
        if oldest is None or oldest[0] >= before:
            return EVERY_S
        limit = self._settings.prune_rows_max
        gone = await self._database.write(lambda tx: journal.prune(tx, before, limit))
        return 0.1 if gone == limit else EVERY_S
