"""The test by which Insights calls a minute unusual. Pure.

AWS does not publish its test. Inferred: the choice made here, which fits the documented samples (20 calls a minute rising to
100 or falling to 0, and calls that never came before).
"""

import math
from dataclasses import dataclass

from apitrail.settings import Insights as InsightSettings

WINDOW = 5
UNUSUAL_OF_WINDOW = 3
NORMAL_TO_END = 5
DROP_FROM_AVERAGE = 5.0
DROP_FACTOR = 5.0
DAY_MINUTES = 1440
BASELINE_DAYS = 7


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is usual, in calls per minute, over a number of whole days."""

    average: float
    deviation: float
    minutes: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """A minute is unusual above high or below low."""

    high: float
    low: float

    def is_high(self, count: int) -> bool:
        """Return whether there were unusually many calls in a minute."""
        return count > self.high

    def is_low(self, count: int) -> bool:
        """Return whether there were unusually few calls in a minute."""
        return count < self.low


def baseline_of(total: int, squares: int, minutes: int) -> Baseline:
    """Return the baseline of minutes with this sum of counts and sum of their squares."""
    average = total / minutes
    return Baseline(average, math.sqrt(max(0.0, squares / minutes - average * average)), minutes)


def bounds_of(baseline: Baseline, settings: InsightSettings) -> Bounds:
    """Return what is still usual: up to m + sigma*s, factor*m and m + step, whichever is most; not below a fifth of m.

    Falling counts as unusual only from 5 calls a minute on.
    """
    mean = baseline.average
    high = max(mean + settings.sigma * baseline.deviation, settings.factor * mean, mean + settings.step_per_minute)
    return Bounds(high, mean / DROP_FACTOR if mean >= DROP_FROM_AVERAGE else 0.0)


def begins(counts: list[int], bounds: Bounds) -> tuple[bool, int] | None:
    """Return (is it above, index of the first unusual minute) when unusual activity has begun, else None.

    counts: the last minutes, oldest first, at most 5. It begins with the third unusual one of five minutes.
    """
    for above, test in ((True, bounds.is_high), (False, bounds.is_low)):
        unusual = [index for index, count in enumerate(counts) if test(count)]
        if len(unusual) >= UNUSUAL_OF_WINDOW and unusual[-1] == len(counts) - 1:
            return above, unusual[0]
    return None
