"""The door for game servers: who is let in, why others are not, and frames that no SDK sends."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from apitrail.gateway.sdk_frames import failure, read_frame
from apitrail.gateway.sdk_socket import OnlyGameServers
from apitrail.services.context import Context
from apitrail.services.gamelift.collections import PROCESSES
from apitrail.services.gamelift.sdk_actions import ACTIONS
from apitrail.settings import Settings
from apitrail.testing import Stage
from peers import COMPUTE, LOCATION, Closed, Peer, Refused, anywhere_compute, connected, free, url_of

TOKEN_S = 3 * 3600.0


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def refused(stage: Stage, query: dict[str, str] | bytes, path: bytes = b"/") -> tuple[int, str]:
    """Return status and text of a handshake that fails."""
    with pytest.raises(Refused) as found:
        Peer(stage, query, path)
    return found.value.status, found.value.text


def security_log(stage: Stage) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (stage.data_dir / "security.log").read_text().splitlines()]


def event_messages(stage: Stage, fleet_id: str) -> list[str]:
    return [event["Message"] for event in stage.call("DescribeFleetEvents", FleetId=fleet_id)["Events"]]


@pytest.mark.parametrize("name", ["pID", "FleetId", "ComputeId", "Authorization"])
def test_a_url_without_a_parameter_is_refused(stage: Stage, name: str) -> None:
    query = {"pID": "p", "FleetId": "fleet-1", "ComputeId": "c", "Authorization": "t"}
    del query[name]
    assert refused(stage, query) == (400, f"The URL lacks {name}.")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", "lacks pID, FleetId, ComputeId, Authorization"),
        (b"pID=a&pID=b", "repeat themselves"),
        (b"pID=" + b"x" * 9000, "too long"),
        (b"&".join(b"a%d=" % number for number in range(40)), "cannot be read"),
        ("pID=\xe9".encode("latin-1"), "cannot be read"),
        (b"pID=a%20b&FleetId=f&ComputeId=c&Authorization=t", "without blanks"),
        (b"pID=" + b"p" * 129 + b"&FleetId=f&ComputeId=c&Authorization=t", "1 to 128 characters"),
    ],
)
def test_a_url_that_cannot_be_read_is_refused(stage: Stage, raw: bytes, text: str) -> None:
    status, message = refused(stage, raw)
    assert status == 400 and text in message


def test_game_servers_have_no_path(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    for path in (b"/x", b"/agent/"):
        assert refused(stage, url_of(stage, fleet_id), path)[0] == 404
    assert Peer(stage, url_of(stage, fleet_id), b"").ok("GetComputeCertificate")["ComputeName"] == COMPUTE


def test_the_exact_reason_is_in_the_answer_and_in_the_security_log_but_never_the_token(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    stage.call("RegisterCompute", FleetId=fleet_id, ComputeName="desk-2", Location=LOCATION, IpAddress="127.0.0.1")
    query = url_of(stage, fleet_id)
    cases = [
        ({"Authorization": "none"}, "token-unknown"),
        ({"FleetId": "fleet-other"}, "token-of-another-fleet"),
        ({"FleetId": f"arn:aws:gamelift:eu-west-1:111122223333:fleet/{fleet_id}"}, "token-of-another-fleet"),
        ({"ComputeId": "desk-2"}, "token-of-another-compute"),
    ]
    for change, _ in cases:
        assert refused(stage, query | change)[0] == 403
    stage.advance(TOKEN_S - 1, step=TOKEN_S - 1)
    connected(stage, fleet_id, "process-2")
    Peer(stage, query).drop()
    stage.clock.advance(1)
    assert "expired at" in refused(stage, query)[1]
    assert [line["reason"] for line in security_log(stage)] == [reason for _, reason in cases] + ["token-expired"]
    assert query["Authorization"] not in (stage.data_dir / "security.log").read_text()


def test_arns_name_fleet_and_compute_as_well(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    compute = stage.call("DescribeCompute", FleetId=fleet_id, ComputeName=COMPUTE)["Compute"]
    query = url_of(stage, fleet_id) | {"FleetId": compute["FleetArn"], "ComputeId": compute["ComputeArn"]}
    assert Peer(stage, query).ok("GetComputeCertificate")


def test_who_is_known_but_not_let_in_finds_the_reason_in_the_fleets_events(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    stage.call("RegisterCompute", FleetId=fleet_id, ComputeName="desk-2", Location=LOCATION, IpAddress="127.0.0.1")
    connected(stage, fleet_id)
    status, text = refused(stage, url_of(stage, fleet_id, compute="desk-2"))
    assert (status, text) == (403, "Process id process-1 is in use on another compute.")
    assert event_messages(stage, fleet_id)[0] == f"{text} (processId(process-1), computeName(desk-2))"
    query = url_of(stage, fleet_id, "process-9")
    stage.call("DeleteFleet", FleetId=fleet_id)
    assert "is in status DELETING; it must be ACTIVE" in refused(stage, query)[1]


def test_as_many_game_servers_connect_as_the_setting_allows(tmp_path: Path) -> None:
    settings = msgspec.convert({"gamelift": {"sdk_connections_max": 2}}, Settings)
    with Stage(tmp_path, settings) as stage:
        fleet_id = anywhere_compute(stage)
        peers = [connected(stage, fleet_id, f"process-{number}") for number in range(2)]
        assert refused(stage, url_of(stage, fleet_id, "one-more"))[0] == 503
        peers[0].drop()
        connected(stage, fleet_id, "one-more")
        stage.app.figures()
        assert b"apitrail_game_servers_connected 2.0" in stage.app.metrics.text()


def start_session(stage: Stage, fleet_id: str) -> str:
    asked = {"FleetId": fleet_id, "Location": LOCATION, "MaximumPlayerSessionCount": 2}
    return str(stage.call("CreateGameSession", **asked)["GameSession"]["GameSessionId"])


def started(peer: Peer) -> list[str]:
    return [push["GameSessionId"] for push in peer.pushes() if push["Action"] == "CreateGameSession"]


def test_a_push_that_was_never_written_is_sent_once_on_the_next_connection(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    first = free(stage, fleet_id)
    first.broken = True
    session_id = start_session(stage, fleet_id)
    first.drop()
    second = connected(stage, fleet_id)
    assert (first.pushes(), started(second)) == ([], [session_id])
    second.drop()
    assert connected(stage, fleet_id).pushes() == []


def test_a_push_that_was_never_written_goes_to_a_connection_that_is_there_already(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    first = free(stage, fleet_id)
    first.broken = True
    session_id = start_session(stage, fleet_id)
    second = connected(stage, fleet_id)
    assert second.pushes() == []
    first.drop()
    assert started(second) == [session_id]


def test_a_push_that_was_written_is_not_sent_again(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    first = free(stage, fleet_id)
    session_id = start_session(stage, fleet_id)
    assert started(first) == [session_id]
    first.drop()
    assert connected(stage, fleet_id).pushes() == []


def test_a_third_connection_of_a_process_closes_the_first(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    first, second = free(stage, fleet_id), connected(stage, fleet_id)
    for peer in (first, second):
        peer.ok("HeartbeatServerProcess", HealthStatus=True)
    third = connected(stage, fleet_id)
    assert (first.pushes(), first.closed, second.closed) == ([], True, False)
    second.drop()
    third.ok("HeartbeatServerProcess", HealthStatus=True)
    with pytest.raises(Closed):
        first.ask("HeartbeatServerProcess", HealthStatus=True)


@pytest.mark.parametrize(
    ("frame", "echo", "text"),
    [
        ("nonsense", {}, "malformed"),
        ("[1, 2]", {}, "malformed"),
        ('{"Action": 7, "RequestId": "r"}', {"RequestId": "r"}, "malformed"),
        ('{"Action": "A", "RequestId": ["r"]}', {"Action": "A"}, "malformed"),
        ('{"Action": "A"}', {"Action": "A"}, "malformed"),
        ("[" * 100_000, {}, "malformed"),
        (b"\x00\x01", {}, "text, not binary"),
        ('{"Action": "Nonsense", "RequestId": "r"}', {"Action": "Nonsense", "RequestId": "r"}, "not known"),
        ('{"Action": "HeartbeatServerProcess", "RequestId": "r"}', {"RequestId": "r"}, "`HealthStatus`"),
        ('{"Action": "HeartbeatServerProcess", "RequestId": "r", "HealthStatus": 1}', {"RequestId": "r"}, "`bool`"),
        ('{"Action": "ActivateServerProcess", "RequestId": "r", "Port": 0}', {"RequestId": "r"}, "$.Port"),
        (
            '{"Action": "DescribePlayerSessions", "RequestId": "r", "GameSessionId": "x", "Limit": 0}',
            {"RequestId": "r"},
            "greater than or equal to 1",
        ),
        ('{"Action": "DescribePlayerSessions", "RequestId": "r"}', {"RequestId": "r"}, "Exactly one of"),
    ],
)
def test_a_malformed_frame_is_answered_with_400_and_harms_nobody(
    stage: Stage, frame: str | bytes, echo: dict[str, str], text: str
) -> None:
    peer = connected(stage, anywhere_compute(stage))
    answer = peer.send(frame)
    assert answer["StatusCode"] == 400 and text in answer["ErrorMessage"]
    assert echo.items() <= answer.items()
    peer.ok("GetComputeCertificate")


def mutated(chance: random.Random, text: str) -> str:
    """Return a frame with some of its characters changed, removed or doubled."""
    letters = list(text)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(letters))
        letters[at] = chance.choice(("", letters[at] * 2, chance.choice('{}[]",:0é\x00'), "null", "1e999", "-1"))
    return "".join(letters)


def test_no_frame_ends_in_an_internal_error(stage: Stage) -> None:
    peer = free(stage, anywhere_compute(stage))
    chance = random.Random(20260304)
    names = [*(name for name in ACTIONS if name != "TerminateServerProcess"), "GetFleetRoleCredentials"]
    members = '"GameSessionId": "a", "PlayerSessionId": "b", "Port": 5, "HealthStatus": true, "Players": [{}], "N": {}'
    for number in range(300):
        frame = f'{{"Action": "{chance.choice(names)}", "RequestId": "{number}", {members}}}'
        answer = peer.send(mutated(chance, frame))
        assert answer["StatusCode"] in (200, 400, 404), (frame, answer)


def test_a_process_answers_only_for_its_own_session(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    first, second = free(stage, fleet_id), free(stage, fleet_id, "process-2", 7778)
    asked = {"FleetId": fleet_id, "Location": LOCATION, "MaximumPlayerSessionCount": 2}
    session_id = stage.call("CreateGameSession", **asked)["GameSession"]["GameSessionId"]
    owner, other = (first, second) if first.pushes() else (second, first)
    owner.ok("ActivateGameSession", GameSessionId=session_id)
    player = stage.call("CreatePlayerSession", GameSessionId=session_id, PlayerId="ana")["PlayerSession"]
    named = {"GameSessionId": session_id, "PlayerSessionId": player["PlayerSessionId"]}
    for action, members in (
        ("ActivateGameSession", {}),
        ("AcceptPlayerSession", named),
        ("RemovePlayerSession", named),
        ("UpdatePlayerSessionCreationPolicy", {"PlayerSessionPolicy": "DENY_ALL"}),
    ):
        answer = other.ask(action, **{"GameSessionId": session_id, **members})
        assert answer["StatusCode"] == 400 and "is not on process" in answer["ErrorMessage"]
    backfill = {"GameSessionArn": session_id, "MatchmakingConfigurationArn": "m", "TicketId": "t", "Players": []}
    for action in ("StartMatchBackfill", "StopMatchBackfill"):
        assert "is not on process" in other.ask(action, **backfill)["ErrorMessage"]


def test_a_signer_needs_the_right_to_ask_for_the_token(tmp_path: Path) -> None:
    with Stage(tmp_path, msgspec.convert({"auth": {"mode": "permissive"}}, Settings)) as stage:
        fleet_id = anywhere_compute(stage)
        stage.call("CreateUser", UserName="ana")
        key = stage.call("CreateAccessKey", UserName="ana")["AccessKey"]
        scope = "20260304/us-west-2/gamelift/aws4_request"
        query = {
            "pID": "p",
            "FleetId": fleet_id,
            "ComputeId": COMPUTE,
            "Authorization": "SigV4",
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Date": "20260304T091500Z",
            "X-Amz-Signature": "0" * 64,
        }
        stage.settle()
        wrong = query | {"X-Amz-Credential": f"{key['AccessKeyId']}/{scope}"}
        assert "signature" in refused(stage, wrong)[1]
        stranger = query | {"X-Amz-Credential": f"222233334444/{scope}"}
        assert "was not found" in refused(stage, stranger)[1]
        root = query | {"X-Amz-Credential": f"{stage.principal.account}/{scope}"}
        assert Peer(stage, root).ok("GetComputeCertificate")["StatusCode"] == 200


def test_frames_make_no_event_of_the_account(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    query = url_of(stage, fleet_id)
    before = len(list(stage.events()))
    Peer(stage, query).ok("ActivateServerProcess", Port=7777)
    assert len(list(stage.events())) == before


def test_connections_end_when_the_server_stops_and_processes_stay(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    peer = free(stage, fleet_id)
    stage.app.quiesce()
    assert (peer.pushes(), peer.closed) == ([], True)

    def state(ctx: Context) -> str:
        found = PROCESSES(ctx).get("process-1")
        return str(found["State"]) if found else ""

    assert stage.read(state) == "READY"


def test_the_port_for_game_servers_alone_says_so(stage: Stage) -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    for kind in ("lifespan", "http"):
        stage.run(OnlyGameServers(stage.app.game_servers)({"type": kind}, receive, send))
    assert [message.get("status") for message in sent] == [426, None]


def test_answers_that_fail_repeat_what_could_be_read() -> None:
    frame = read_frame('{"Action": "A", "RequestId": "r", "x": 1}')
    assert json.loads(failure(frame, 404, "gone")) == {
        "Action": "A",
        "RequestId": "r",
        "StatusCode": 404,
        "ErrorMessage": "gone",
    }
