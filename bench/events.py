"""Synthetic events of about 1.6 KB, and journals full of them. The same number always gives the same event."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice

from apitrail.store import journal
from apitrail.store.database import Tx
from apitrail.store.sqlite import SqliteDatabase
from bench import ACCOUNT, REGION

FILL_ROWS = 10_000
USERS, FLEETS, ADDRESSES = 211, 1999, 251
CALLS = (
    ("DescribeGameSessions", True),
    ("CreatePlayerSession", False),
    ("DescribeFleetAttributes", True),
    ("CreateGameSession", False),
    ("SearchGameSessions", True),
    ("UpdateFleetCapacity", False),
    ("DescribePlayerSessions", True),
    ("ListFleets", True),
    ("StartMatchmaking", False),
    ("DescribeInstances", True),
    ("DeleteFleet", False),
)
_TEMPLATE = (
    '{"eventVersion":"1.11","userIdentity":{"type":"IAMUser","principalId":"AIDAEXAMPLE%(user)010d","arn":'
    '"arn:aws:iam::%(account)s:user/player-services-%(user)d","accountId":"%(account)s","accessKeyId":'
    '"AKIAEXAMPLE%(user)09d","userName":"player-services-%(user)d","sessionContext":{"attributes":{"creationDate":'
    '"2026-03-04T09:15:00Z","mfaAuthenticated":"false"}}},"eventTime":"%(time)s","eventSource":"gamelift.amazonaws.com",'
    '"eventName":"%(name)s","awsRegion":"%(region)s","sourceIPAddress":"10.24.%(address)d.%(last)d","userAgent":'
    '"aws-sdk-go-v2/1.41.0 os/linux lang/go#1.26 md/GOOS#linux md/GOARCH#amd64 api/gamelift#1.50.1 m/E,g",'
    '"requestParameters":{"fleetId":"fleet-%(fleet)032x","location":"%(region)s","gameSessionId":"arn:aws:gamelift:'
    '%(region)s::gamesession/fleet-%(fleet)032x/gsess-%(mixed)032x","playerId":"player-%(mixed)d","filterExpression":'
    '"hasAvailablePlayerSessions=true AND gameSessionProperties.mode = \'ranked-%(last)d\'","limit":%(last)d},'
    '"responseElements":{"playerSession":{"playerSessionId":"psess-%(mixed)032x","gameSessionId":"arn:aws:gamelift:'
    '%(region)s::gamesession/fleet-%(fleet)032x/gsess-%(mixed)032x","fleetId":"fleet-%(fleet)032x","creationTime":'
    '"%(time)s","status":"RESERVED","ipAddress":"54.12.%(address)d.%(last)d","port":%(port)d,"dnsName":'
    '"ec2-54-12-%(address)d-%(last)d.%(region)s.compute.example.com"}},"requestID":"%(request)s","eventID":"%(event)s",'
    '"readOnly":%(read_only)s,"resources":[{"accountId":"%(account)s","type":"AWS::GameLift::Fleet","ARN":'
    '"arn:aws:gamelift:%(region)s:%(account)s:fleet/fleet-%(fleet)032x"}],"eventType":"AwsApiCall","managementEvent":true,'
    '"recipientAccountId":"%(account)s","eventCategory":"Management"}'
)
_MIX = 0x9E3779B97F4A7C15F39CC0605CEDC835


@dataclass(frozen=True, slots=True)
class Synthetic:
    """What can be asked about an event."""

    name: str
    read_only: bool
    user: int
    fleet: int
    event_id: str


def facts_of(number: int) -> Synthetic:
    """Return what stands in the event of a number."""
    name, read_only = CALLS[number * 7 % len(CALLS)]
    mixed = _mixed(number)
    return Synthetic(name, read_only, mixed % USERS, mixed % FLEETS, _uuid(_mixed(mixed)))


def event_of(number: int, time: str) -> bytes:
    """Return an event as JSON. time: eventTime as written in a record."""
    facts, mixed = facts_of(number), _mixed(number)
    return (
        _TEMPLATE
        % {
            "account": ACCOUNT,
            "region": REGION,
            "time": time,
            "name": facts.name,
            "read_only": "true" if facts.read_only else "false",
            "user": facts.user,
            "fleet": facts.fleet,
            "mixed": mixed,
            "address": mixed % ADDRESSES,
            "last": mixed // 1000 % 250,
            "port": 1026 + mixed % 59_000,
            "request": _uuid(mixed),
            "event": facts.event_id,
        }
    ).encode()


def fill(database: SqliteDatabase, count: int, times: Iterator[tuple[int, str]]) -> int:
    """Put events into a journal; return their bytes. times: (epoch seconds, eventTime) of each."""
    events = ((time, event_of(number, text)) for number, (time, text) in enumerate(islice(times, count)))
    total = 0
    while batch := list(islice(events, FILL_ROWS)):
        total += sum(len(event) for _, event in batch)
        database.write_now(partial(_append, events=batch))
    return total


def _append(tx: Tx, events: list[tuple[int, bytes]]) -> None:
    for time, event in events:
        journal.append(tx, ACCOUNT, REGION, journal.MANAGEMENT, time, event)


def _mixed(number: int) -> int:
    return (number + 1) * _MIX & (1 << 128) - 1


def _uuid(number: int) -> str:
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
