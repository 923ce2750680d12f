"""LookupEvents: order, attributes, ranges, pages and tokens, wherever the events stand."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from apitrail.archive import index as index_module
from apitrail.archive import lookup as lookup_module
from apitrail.archive.index import EventIndex, Indexer
from apitrail.archive.lookup import (
    EventHistoryNotReady,
    InvalidLookupAttributesException,
    InvalidMaxResultsException,
    InvalidNextTokenException,
    InvalidTimeRangeException,
    Lookup,
    lookup_events,
)
from apitrail.ids import seeded_ids
from apitrail.store import journal
from apitrail.store.sqlite import SqliteDatabase

ACCOUNT, REGION, KEY = "111122223333", "us-west-2", b"k" * 32
START = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
IDS = seeded_ids("lookup")
FLEET_ARN = "arn:aws:gamelift:us-west-2:111122223333:fleet/fleet-1"


class History:
    """A journal of which the first part is indexed and the rest is not, asked as the API asks it."""

    def __init__(self, folder):
        self.database = SqliteDatabase(folder / "state.db")
        self.index = EventIndex(folder / "index.db")
        self.indexer = Indexer(self.database, self.index)
        self.events = []

    def add(self, name="CreateFleet", at=0, account=ACCOUNT, category=journal.MANAGEMENT, region=REGION, **fields):
        event = {"eventID": IDS.uuid(), "eventName": name, "eventSource": "gamelift.amazonaws.com"} | fields
        time = int(START.timestamp()) + at
        text = orjson.dumps(event)
        asyncio.run(self.database.write(lambda tx: journal.append(tx, account, region, category, time, text)))
        self.events.append((time, event["eventID"]))
        return event["eventID"]

    def index_all(self):
        async def drain():
            while not await self.indexer.tick():
                pass

        asyncio.run(drain())

    def page(self, *attributes, **changes):
        lookup = Lookup(ACCOUNT, REGION, attributes, **changes)
        return self.database.read_now(lambda tx: lookup_events(tx, self.index, KEY, lookup))

    def ids(self, *attributes, **changes):
        return [event["EventId"] for event in self.page(*attributes, **changes).events]

    def all_ids(self, *attributes, **changes):
        """Follow the tokens to the end."""
        found, token = [], ""
        while True:
            page = self.page(*attributes, token=token, **changes)
            found += [event["EventId"] for event in page.events]
            token = page.next_token
            if not token:
                return found

    def newest_first(self):
        return [event_id for _, event_id in sorted(self.events, reverse=True)]


@pytest.fixture
def history(tmp_path):
    opened = History(tmp_path)
    yield opened
    asyncio.run(opened.database.close())
    opened.index.close()


@pytest.fixture(params=["nothing indexed", "half indexed", "all indexed"])
def filled(request, history):
    """Twenty events of five seconds, out of order."""
    for number in range(20):
        if number == 10 and request.param == "half indexed":
            history.index_all()
        history.add("CreateFleet" if number % 2 else "ListFleets", at=number * 7 % 5)
    if request.param == "all indexed":
        history.index_all()
    return history


def test_events_come_newest_first_and_by_id_within_a_second(filled):
    assert filled.ids() == filled.newest_first()


@pytest.mark.parametrize("limit", [1, 3, 7, 19, 20, 50])
def test_pages_of_any_size_show_every_event_once_in_order(filled, limit):
    assert filled.all_ids(limit=limit) == filled.newest_first()


def test_the_last_page_has_no_token(filled):
    assert filled.page(limit=20).next_token == ""
    assert filled.page(limit=19).next_token != ""


def test_an_event_that_comes_between_two_pages_shifts_nothing(filled):
    first = filled.page(limit=8)
    filled.add(at=1000)
    assert filled.all_ids(limit=8)[1:9] == [event["EventId"] for event in first.events]
    second = filled.page(limit=50, token=first.next_token)
    assert [event["EventId"] for event in first.events + second.events] == filled.newest_first()[1:]


def test_indexing_between_two_pages_shifts_nothing(filled):
    first = filled.page(limit=8)
    filled.index_all()
    second = filled.page(limit=50, token=first.next_token)
    assert [event["EventId"] for event in first.events + second.events] == filled.newest_first()


def test_both_ends_of_a_range_are_inclusive(filled):
    expected = [
        event_id for time, event_id in sorted(filled.events, reverse=True) if time - START.timestamp() in (1, 2, 3)
    ]
    assert filled.ids(start=START + timedelta(seconds=1), end=START + timedelta(seconds=3)) == expected
    narrow = filled.ids(start=START + timedelta(milliseconds=500), end=START + timedelta(milliseconds=3900))
    assert narrow == expected


def test_nothing_older_than_the_retention_is_shown(filled):
    expected = [event_id for time, event_id in sorted(filled.events, reverse=True) if time - START.timestamp() >= 4]
    assert filled.ids(retained_from=START + timedelta(seconds=4), start=START) == expected


@pytest.mark.parametrize("is_indexed", [False, True])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("EventName", "DeleteFleet"),
        ("EventSource", "sample.amazonaws.com"),
        ("ReadOnly", "true"),
        ("Username", "dana"),
        ("AccessKeyId", "AKIA1"),
        ("ResourceName", FLEET_ARN),
        ("ResourceName", "fleet-1"),
        ("ResourceType", "AWS::GameLift::Fleet"),
        ("ResourceType", "Fleet"),
    ],
)
def test_each_attribute_finds_its_event_and_no_other(history, key, value, is_indexed):
    history.add("CreateBuild", at=1, userIdentity={"type": "IAMUser", "userName": "Dana", "accessKeyId": "AKIA12"})
    wanted = history.add(
        "DeleteFleet",
        at=2,
        eventSource="sample.amazonaws.com",
        readOnly=True,
        userIdentity={"type": "IAMUser", "userName": "dana", "accessKeyId": "AKIA1"},
        resources=[{"type": "AWS::GameLift::Fleet", "ARN": FLEET_ARN}],
    )
    history.add("CreateFleet", at=3, resources=[{"type": "AWS::GameLift::FleetX", "ARN": FLEET_ARN + "2"}])
    if is_indexed:
        history.index_all()
    assert history.ids((key, value)) == [wanted]
    assert history.ids((key, value), ("EventId", wanted)) == [wanted]
    assert history.ids((key, value + "x")) == []


def test_several_attributes_all_have_to_hold(filled):
    both = filled.ids(("EventName", "CreateFleet"), ("ReadOnly", "false"))
    assert len(both) == 10
    assert filled.ids(("EventName", "CreateFleet"), ("ReadOnly", "true")) == []


def test_a_wide_search_goes_on_from_page_to_page_until_it_finds(history, monkeypatch):
    monkeypatch.setattr(index_module, "SEGMENT_BITS", 1)
    monkeypatch.setattr(index_module, "SEGMENTS_SEARCHED_MAX", 2)
    wanted = history.add("CreateFleet", at=0, readOnly=True)
    for number in range(1, 30):
        history.add("CreateFleet", at=number)
    history.index_all()
    tail = history.add("CreateFleet", at=31, readOnly=True)
    first = history.page(("EventName", "CreateFleet"), ("ReadOnly", "true"))
    assert [event["EventId"] for event in first.events] == [tail]
    assert first.next_token
    assert history.all_ids(("EventName", "CreateFleet"), ("ReadOnly", "true")) == [tail, wanted]


@pytest.mark.parametrize("is_indexed", [False, True])
def test_other_accounts_regions_and_data_events_are_not_shown(history, is_indexed):
    history.add(account="444455556666")
    history.add(region="eu-central-1")
    history.add(category=journal.DATA)
    insight = history.add(category=journal.INSIGHT, insightDetails={"eventName": "x", "eventSource": "y"})
    mine = history.add()
    if is_indexed:
        history.index_all()
    assert history.ids() == [mine]
    assert history.ids(category=journal.INSIGHT) == [insight]
    assert history.ids(("EventSource", "y"), category=journal.INSIGHT) == [insight]


def test_an_event_that_the_journal_has_pruned_meanwhile_is_left_out(history):
    gone, kept = history.add(at=2), history.add(at=1)
    history.index_all()
    asyncio.run(history.database.write(lambda tx: tx.run("DELETE FROM journal WHERE seq = 1")))
    assert history.ids() == [kept]
    assert history.ids(("EventId", gone)) == []


def test_resources_whose_names_end_in_the_same_are_told_apart(history):
    ours, theirs = "arn:aws:s3:::audit/logs", "arn:aws:s3:::other/logs"
    first = history.add(at=1, resources=[{"type": "AWS::S3::Object", "ARN": ours}])
    second = history.add(at=2, resources=[{"type": "AWS::X::Object", "ARN": theirs}])
    for _ in range(2):
        assert history.ids(("ResourceName", ours)) == [first]
        assert history.ids(("ResourceName", theirs)) == [second]
        assert history.ids(("ResourceName", "logs")) == [second, first]
        assert history.ids(("ResourceType", "AWS::S3::Object")) == [first]
        assert history.ids(("ResourceType", "Object")) == [second, first]
        history.index_all()


def test_a_damaged_row_ends_no_search(history):
    first = history.add(at=1)
    asyncio.run(history.database.write(lambda tx: journal.append(tx, ACCOUNT, REGION, 0, 1_772_614_802, b"\x00")))
    last = history.add(at=3)
    assert history.ids() == [last, first]
    history.index_all()
    assert history.ids() == [last, first]


def test_an_index_that_is_far_behind_is_named_as_the_reason(history, monkeypatch):
    monkeypatch.setattr(lookup_module, "TAIL_ROWS_MAX", 2)
    for _ in range(3):
        history.add()
    with pytest.raises(EventHistoryNotReady, match="3 events are still to come") as caught:
        history.page()
    assert caught.value.error_status == 503
    history.index_all()
    assert len(history.ids()) == 3


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        (("EventNames", "x"), "'EventNames' is not one of EventId"),
        (("EventName", ""), "1 to 2000 characters"),
        (("EventName", "x" * 2001), "1 to 2000 characters"),
        (("EventName", "_" * 1001), "count twice"),
    ],
)
def test_bad_attributes_are_refused(history, attribute, message):
    with pytest.raises(InvalidLookupAttributesException, match=message):
        history.page(attribute)


def test_an_attribute_is_given_once(history):
    with pytest.raises(InvalidLookupAttributesException, match="may be given once"):
        history.page(("EventName", "a"), ("EventName", "b"))


def test_insights_events_have_three_attributes(history):
    with pytest.raises(InvalidLookupAttributesException, match="EventId, EventName, EventSource"):
        history.page(("Username", "dana"), category=journal.INSIGHT)


def test_a_value_of_the_greatest_length_is_taken(history):
    assert history.ids(("EventName", "_" * 1000)) == []
    assert history.ids(("EventName", "x" * 2000)) == []


def test_a_range_that_ends_before_it_starts_is_refused(history):
    with pytest.raises(InvalidTimeRangeException, match="after EndTime"):
        history.page(start=START, end=START - timedelta(seconds=1))
    assert history.ids(start=START, end=START) == []


@pytest.mark.parametrize("limit", [0, -1, 51])
def test_page_sizes_have_bounds(history, limit):
    with pytest.raises(InvalidMaxResultsException, match="between 1 and 50"):
        history.page(limit=limit)


@pytest.mark.parametrize("token", ["x", "%%%", "\u00e9", "A" * 5000, base64.urlsafe_b64encode(b"\0" * 40).decode()])
def test_a_damaged_token_is_refused(filled, token):
    with pytest.raises(InvalidNextTokenException):
        filled.page(token=token)


@pytest.mark.parametrize(
    ("attributes", "changes"),
    [
        ((("EventName", "CreateFleet"),), {}),
        ((), {"start": START}),
        ((), {"end": START + timedelta(days=1)}),
        ((), {"category": journal.INSIGHT}),
    ],
)
def test_a_token_belongs_to_its_request(filled, attributes, changes):
    token = filled.page(limit=3).next_token
    with pytest.raises(InvalidNextTokenException, match="not valid for this request"):
        filled.page(*attributes, token=token, **changes)


def test_a_token_belongs_to_its_account_and_its_store(filled):
    token = filled.page(limit=3).next_token
    other_account = Lookup("444455556666", REGION, token=token)
    for key, lookup in ((KEY, other_account), (b"other" * 8, Lookup(ACCOUNT, REGION, token=token))):
        with pytest.raises(InvalidNextTokenException):
            filled.database.read_now(lambda tx, key=key, lookup=lookup: lookup_events(tx, filled.index, key, lookup))


def test_the_page_size_may_change_between_pages(filled):
    token = filled.page(limit=3).next_token
    assert filled.ids(limit=50, token=token) == filled.newest_first()[3:]
