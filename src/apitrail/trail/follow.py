"""Which events a trail wants: one scan of the journal for all trails.

The scan keeps, in memory, what waits to be sealed per trail, account and region: counts, bytes and range, never
the events themselves. After a restart it begins at the cursor of each trail, so it comes to the same figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from apitrail.events.selectors import DEFAULT_SELECTORS, Predicate, compile_selectors
from apitrail.store import journal
from apitrail.store.database import Row, Tx
from apitrail.trail.trails import Span, follower_name, spans_of, spans_version

SCAN_ROWS = 5000
STRETCHES = (5000, 1250, 300, 75)
"""Lengths of stretches of the journal that are taken in by their counts: the longest first, shorter ones towards a file's end."""

INSIGHT_CATEGORIES = {journal.INSIGHT: "Management", journal.DATA_INSIGHT: "Data"}
"""Categories of Insights events, and what they are about."""
GLOBAL_SOURCES = frozenset(("iam.amazonaws.com", "signin.amazonaws.com", "cloudfront.amazonaws.com"))


class Place(NamedTuple):
    """Where a log file goes.

    account, region: of its events. bucket, prefix, organization: of the trail. insight: of Insights events.
    """

    account: str
    region: str
    bucket: str
    prefix: str
    insight: bool = False
    organization: str = ""


@dataclass(slots=True)
class Waiting:
    """What waits in one place. byte_count: of the content before compression. oldest: epoch seconds."""

    first_seq: int
    last_seq: int
    oldest: int
    event_count: int = 0
    byte_count: int = 0


@dataclass(slots=True)
class Seal:
    """A decision: everything of a trail up to upto becomes log files, one per place."""

    trail: str
    upto: int
    places: dict[Place, Waiting]
    received: int
    filtered: int


class Group(NamedTuple):
    """Events of one kind in a stretch of the journal. byte_count: with a byte between each. oldest: epoch seconds."""

    account: str
    region: str
    category: int
    event_count: int
    byte_count: int
    first_seq: int
    last_seq: int
    oldest: int


class Segment(NamedTuple):
    """What the scan has taken in of a trail and has not seen committed as sealed.

    upto: the last event looked at. waiting: events that are wanted. oldest: their earliest time, epoch seconds.
    """

    upto: int
    received: int
    filtered: int
    waiting: int
    oldest: int | None


class Want:
    """One span with its selectors compiled. simple: all management events, told from the journal's columns alone."""

    def __init__(self, span: Span) -> None:
        self.span = span
        custom = bool(span.advanced) or (bool(span.basic) and list(span.basic or ()) != list(DEFAULT_SELECTORS))
        self.simple = span.global_events and not custom
        self.predicate: Predicate = compile_selectors(span.basic, span.advanced)
        self.insights = frozenset(span.insights)
        self._places: dict[tuple[str, str, bool], Place] = {}

    def place(self, account: str, region: str, insight: bool) -> Place:
        """Return where an event goes; the same object each time, since there are few places and many events."""
        key = (account, region, insight)
        found = self._places.get(key)
        if found is None:
            span = self.span
            found = self._places[key] = Place(account, region, span.bucket, span.prefix, insight, span.organization)
        return found

    def in_reach(self, account: str, region: str) -> bool:
        """Return whether a place's events are the trail's business at all."""
        return account in self.span.accounts and self.span.region in ("", region)

    def wants(self, category: int, event: bytes) -> bool:
        """Return whether an event in reach is wanted. event: not needed for a simple want, but of Insights."""
        if category in INSIGHT_CATEGORIES:
            return bool(self.insights) and self._wants_insight(category, event)
        if self.simple:
            return category == journal.MANAGEMENT
        content = orjson.loads(event)
        if not self.span.global_events and content["eventSource"] in GLOBAL_SOURCES:
            return False
        return self.predicate(content)

    def _wants_insight(self, category: int, event: bytes) -> bool:
        kind = orjson.loads(event)["insightDetails"]["insightType"]
        return (kind, INSIGHT_CATEGORIES[category]) in self.insights


class Course:
    """One trail in the scan: its wants in order, how far it is, and what waits.

    segments: what others may know of that, at any moment and from any thread, always whole.
    """

    def __init__(self, trail: str, spans: list[Span], position: int) -> None:
        self.trail = trail
        self.position = position
        self.waiting: dict[Place, Waiting] = {}
        self.received = 0
        self.filtered = 0
        self.segments: tuple[Segment, ...] = ()
        self._cut: list[Segment] = []
        self.renew(spans)

    def renew(self, spans: list[Span]) -> None:
        """Take over changed spans."""
        self.wants = [Want(span) for span in spans]
        self.accounts = frozenset[str]().union(*(span.accounts for span in spans))

    @property
    def needs_events(self) -> bool:
        """Return whether a selector must look into the events."""
        return any(not want.simple for want in self.wants)

    def want_at(self, seq: int) -> Want | None:
        """Return the span that an event falls into, if any."""
        for want in reversed(self.wants):
            if want.span.covers(seq):
                return want
        return None

    def take(self, row: Row, limit: int) -> Seal | None:
        """Take an event in; return a seal that had to be made before it, because a file would have become too large."""
        seq, account, region, category, time, size, event = row
        self.position = seq
        want = self.want_at(seq)
        if want is None or not want.in_reach(account, region):
            return None
        if not want.wants(category, event):
            self.received += 1
            self.filtered += 1
            return None
        place, cut = want.place(account, region, category in INSIGHT_CATEGORIES), None
        waiting = self.waiting.get(place)
        if waiting is not None and waiting.byte_count + size + 1 > limit:
            cut, waiting = self.cut(seq - 1), None
        if waiting is None:
            waiting = self.waiting[place] = Waiting(seq, seq, time)
        self.received += 1
        waiting.last_seq = seq
        waiting.event_count += 1
        waiting.byte_count += size + 1
        waiting.oldest = min(waiting.oldest, time)
        return cut

    def want_for(self, groups: Sequence[Group], first: int, last: int, limit: int) -> Want | None:
        """Return the want by which a whole stretch can be taken in at once, by its groups, without a look at its events."""
        want = self.want_at(last)
        if self.position != first - 1 or want is None or not want.span.covers(first) or not want.simple:
            return None
        for group in groups:
            if group.category in INSIGHT_CATEGORIES and want.insights:
                return None
            waiting = self.waiting.get(want.place(group.account, group.region, insight=False))
            if (waiting.byte_count if waiting else 0) + group.byte_count > limit:
                return None
        return want

    def take_groups(self, want: Want, groups: Sequence[Group], last: int) -> None:
        """Take a whole stretch in, as take does event by event."""
        self.position = last
        for group in groups:
            if not want.in_reach(group.account, group.region):
                continue
            self.received += group.event_count
            if group.category != journal.MANAGEMENT:
                self.filtered += group.event_count
                continue
            place = want.place(group.account, group.region, insight=False)
            waiting = self.waiting.setdefault(place, Waiting(group.first_seq, group.last_seq, group.oldest))
            waiting.last_seq = group.last_seq
            waiting.event_count += group.event_count
            waiting.byte_count += group.byte_count
            waiting.oldest = min(waiting.oldest, group.oldest)

    def cut(self, upto: int) -> Seal:
        """Return everything taken in so far as a seal, and begin anew."""
        seal = Seal(self.trail, upto, self.waiting, self.received, self.filtered)
        self._cut.append(self._segment(upto))
        self.waiting, self.received, self.filtered = {}, 0, 0
        return seal

    def sealed(self, upto: int) -> None:
        """Forget what was cut up to an event, since the database has it now."""
        self._cut = [segment for segment in self._cut if segment.upto > upto]
        self.publish()

    def publish(self) -> None:
        """Let others know how far the scan is."""
        self.segments = (*self._cut, self._segment(self.position))

    def _segment(self, upto: int) -> Segment:
        waiting = self.waiting.values()
        count, oldest = sum(one.event_count for one in waiting), min((one.oldest for one in waiting), default=None)
        return Segment(upto, self.received, self.filtered, count, oldest)


@dataclass(slots=True)
class Follower:
    """The scan. courses: by trail ARN. _shorter: which of STRETCHES is tried next; shorter ones until a file is cut."""

    file_bytes_max: int
    courses: dict[str, Course] = field(default_factory=dict)
    _version: object = None
    _trails: set[str] = field(default_factory=set)
    _shorter: int = 0

    def renew(self, tx: Tx) -> None:
        """Read the spans again if they have changed; trails that are new begin at their cursor, those without spans go."""
        version = spans_version(tx)
        if version == self._version and self.courses.keys() == self._trails:
            return
        by_trail: dict[str, list[Span]] = {}
        for span in spans_of(tx):
            by_trail.setdefault(span.trail, []).append(span)
        self._version, self._trails = version, set(by_trail)
        for trail, spans in by_trail.items():
            if trail in self.courses:
                self.courses[trail].renew(spans)
            else:
                self.courses[trail] = Course(trail, spans, journal.cursor(tx, follower_name(trail)))
        for trail in self.courses.keys() - by_trail.keys():
            del self.courses[trail]

    def scan(self, tx: Tx) -> tuple[list[Seal], bool]:
        """Take in the next events; return the seals made because of size, and whether there is more to scan."""
        self.renew(tx)
        if not self.courses:
            return [], False
        start = min(course.position for course in self.courses.values())
        most = SCAN_ROWS
        if self._is_even(start):
            last = journal.last_seq(tx)
            for shorter in range(self._shorter, len(STRETCHES)):
                self._shorter, upto = shorter, min(start + STRETCHES[shorter], last)
                if upto > start and self._take_stretch(tx, start, upto):
                    return [], upto < last
            most = STRETCHES[-1]
        self._shorter = 0
        needed = any(course.needs_events for course in self.courses.values())
        event = "event" if needed else f"CASE WHEN category >= {journal.INSIGHT} THEN event END"
        rows = tx.all(
            f"SELECT seq, account, region, category, time, length(event), {event} FROM journal"
            " WHERE seq > ? ORDER BY seq LIMIT ?",
            (start, most),
        )
        seals = self._take(rows)
        return seals, len(rows) == most

    def _is_even(self, start: int) -> bool:
        """Return whether all trails are at the same place, and none has to look into events."""
        return not any(course.position != start or course.needs_events for course in self.courses.values())

    def _take_stretch(self, tx: Tx, start: int, last: int) -> bool:
        """Take in a stretch by its counts alone, if every trail can; return whether.

        Counting in the database costs a tenth of a look at each row.
        """
        rows = tx.all(
            "SELECT account, region, category, count(*), sum(size) + count(*), min(seq), max(seq), min(time) FROM"
            " (SELECT seq, account, region, category, time, length(event) AS size FROM journal"
            " WHERE seq > ? AND seq <= ? LIMIT ?) GROUP BY account, region, category",
            (start, last, last - start),  # the limit keeps SQLite from sorting the events themselves
        )
        groups = [Group(*row) for row in rows]
        plans = []
        for course in self.courses.values():
            own = [group for group in groups if group.account in course.accounts]
            want = course.want_for(own, start + 1, last, self.file_bytes_max)
            if want is None:
                return False
            plans.append((course, want, own))
        for course, want, own in plans:
            course.take_groups(want, own, last)
            course.publish()
        return True

    def _take(self, rows: list[Row]) -> list[Seal]:
        by_account: dict[str, list[Course]] = {}
        for course in self.courses.values():
            for account in course.accounts:
                by_account.setdefault(account, []).append(course)
        seals = []
        for row in rows:
            for course in by_account.get(row[1], ()):
                if row[0] > course.position and (cut := course.take(row, self.file_bytes_max)) is not None:
                    seals.append(cut)
        for course in self.courses.values():
            course.position = max(course.position, rows[-1][0] if rows else 0)
            course.publish()
        return seals

    def cut_all(self) -> list[Seal]:
        """Return everything that has been taken in as seals, one per trail that the scan has begun."""
        seals = [course.cut(course.position) for course in self.courses.values() if course.position > 0]
        for course in self.courses.values():
            course.publish()
        return seals

    def sealed(self, seals: list[Seal]) -> None:
        """Note that seals are committed."""
        for decision in seals:
            if (course := self.courses.get(decision.trail)) is not None:
                course.sealed(decision.upto)

    def segments(self) -> dict[str, tuple[Segment, ...]]:
        """Return what has been taken in and is not known to be sealed, by trail."""
        return {trail: course.segments for trail, course in self.courses.items()}
