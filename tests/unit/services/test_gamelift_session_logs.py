"""Logs of game sessions: what they tell, when they are there, and for how long."""

import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fleet_scenes import active_fleet
from session_scenes import accept, active_session, join, remove, see

from apitrail.identity.sigv4 import authenticate
from apitrail.services.gamelift.session_logs import LOG_NAME, log_lines, log_zip
from apitrail.services.sessions import SESSIONS, credential_of
from apitrail.testing import Stage
from apitrail.wire.http import HttpRequest
from apitrail.wire.scope import find_scope

DAY_S = 86_400
AT = datetime(2026, 3, 4, 9, 15, tzinfo=UTC)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def ended_session(stage: Stage) -> dict[str, Any]:
    session = active_session(stage, active_fleet(stage), IdempotencyToken="round-1")
    terminate(stage, session)
    return session


def terminate(stage: Stage, session: dict[str, Any]) -> None:
    stage.call("TerminateGameSession", GameSessionId=session["GameSessionId"], TerminationMode="FORCE_TERMINATE")
    stage.settle()


def log_url(stage: Stage, session: dict[str, Any]) -> str:
    return str(stage.call("GetGameSessionLogUrl", GameSessionId=session["GameSessionId"])["PreSignedUrl"])


def stored(stage: Stage, session: dict[str, Any]) -> bytes | None:
    async def read() -> bytes | None:
        bucket = stage.bucket("gamelift-logs-us-west-2")
        key = f"111122223333/{session['FleetId']}/round-1.zip"
        return None if await bucket.head(key) is None else await (await bucket.get(key)).read()

    found: bytes | None = stage.run(read())
    return found


def test_a_log_tells_the_life_of_a_session_in_the_order_of_time(stage: Stage) -> None:
    session = active_session(stage, active_fleet(stage), IdempotencyToken="round-1")
    first, second = join(stage, session, "ana"), join(stage, session, "ben")
    stage.advance(1)
    accept(stage, session, first)
    stage.advance(60)
    remove(stage, session, first)
    terminate(stage, session)
    body = stored(stage, session)
    assert body is not None
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.namelist() == [LOG_NAME]
        text = archive.read(LOG_NAME).decode()
    start, one, two = session["CreationTime"], first["PlayerSessionId"], second["PlayerSessionId"]

    def at(seconds: int) -> str:
        return f"{start + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.000Z"

    assert text.splitlines() == [
        f"{at(0)} game session {session['GameSessionId']} was created",
        f"{at(0)} game session is ACTIVE",
        f"{at(0)} player session {one} was reserved",
        f"{at(0)} player session {two} was reserved",
        f"{at(1)} player session {one} was accepted",
        f"{at(60)} player session {two} is TIMEDOUT",
        f"{at(61)} player session {one} is COMPLETED",
        f"{at(61)} game session is TERMINATED, FORCE_TERMINATED",
    ]


def test_a_log_written_twice_has_the_same_bytes() -> None:
    session = {
        "GameSessionId": "s",
        "CreationTime": AT,
        "TerminationTime": AT + timedelta(seconds=5),
        "Status": "ERROR",
    }
    lines = log_lines(session, [])
    assert lines[-1] == "2026-03-04T09:15:05.000Z game session is ERROR"
    assert log_zip(lines, AT) == log_zip(lines, AT)


def test_a_session_has_no_log_before_its_end(stage: Stage) -> None:
    session = active_session(stage, active_fleet(stage))
    error = stage.error("GetGameSessionLogUrl", GameSessionId=session["GameSessionId"])
    assert error.error_code == "NotFoundException"
    assert stage.error("GetGameSessionLogUrl", GameSessionId="x").error_code == "InvalidRequestException"


def test_the_url_is_signed_with_credentials_that_reach_only_this_log_for_fifteen_minutes(stage: Stage) -> None:
    session = ended_session(stage)
    url = log_url(stage, session)
    split = urlsplit(url)
    assert len(url) <= 1024
    assert split.path == f"/gamelift-logs-us-west-2/111122223333/{session['FleetId']}/round-1.zip"
    query = parse_qs(split.query)
    assert query["X-Amz-Expires"] == ["900"]
    key = query["X-Amz-Credential"][0].partition("/")[0]
    issued = stage.read(lambda ctx: SESSIONS(ctx).get(key))
    assert issued is not None
    credential = credential_of(issued)

    class Known:
        def find(self, access_key: str) -> Any:
            return credential if access_key == key else None

    request = HttpRequest("GET", split.path.encode(), split.query.encode(), ((b"host", split.netloc.encode()),))
    caller = authenticate(request, find_scope(request), Known(), stage.clock.now())
    (policy,) = caller.principal.policies
    (statement,) = policy["Statement"]
    assert statement["Action"] == "s3:GetObject"
    assert statement["Resource"] == f"arn:aws:s3:::{split.path[1:]}"
    stage.advance(900, step=300)
    assert stage.read(lambda ctx: SESSIONS(ctx).get(key)) is None


def test_the_url_is_not_in_the_record(stage: Stage) -> None:
    log_url(stage, ended_session(stage))
    event = list(stage.events())[-1]
    assert event["eventName"] == "GetGameSessionLogUrl"
    assert event["responseElements"] is None and event["readOnly"] is True


def test_a_log_is_kept_for_fourteen_days(stage: Stage) -> None:
    session = ended_session(stage)
    stage.advance(13 * DAY_S, step=DAY_S)
    log_url(stage, session)
    stage.advance(DAY_S, step=DAY_S)
    assert stored(stage, session) is None
    error = stage.error("GetGameSessionLogUrl", GameSessionId=session["GameSessionId"])
    assert error.error_code == "NotFoundException"
    assert see(stage, session)["Status"] == "TERMINATED"
