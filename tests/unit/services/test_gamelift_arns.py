"""Ids and ARNs in both forms, and the locations of AWS."""

from types import SimpleNamespace

import pytest

from apitrail.services.gamelift.arns import (
    GameSessionName,
    arn_of,
    aws_locations,
    find_game_session_id,
    find_id,
    game_session_arn,
    id_of,
    is_custom,
    parse_game_session,
    split_arn,
)
from apitrail.services.gamelift.errors import NotFoundException
from apitrail.wire.models import service_model

HERE = SimpleNamespace(tx=None, account="111122223333", region="us-west-2")
CHINA = SimpleNamespace(tx=None, account="111122223333", region="cn-north-1")
FLEET = "fleet-0f6c0a1e-5f0e-4c1e-9c3e-2f4d5a6b7c8d"


@pytest.mark.parametrize(
    ("kind", "id", "arn"),
    [
        ("build", "build-1", "arn:aws:gamelift:us-west-2:111122223333:build/build-1"),
        ("fleet", FLEET, f"arn:aws:gamelift:us-west-2:111122223333:fleet/{FLEET}"),
        ("location", "custom-desk", "arn:aws:gamelift:us-west-2:111122223333:location/custom-desk"),
        ("alias", "alias-1", "arn:aws:gamelift:us-west-2::alias/alias-1"),
    ],
)
def test_aliases_have_no_account_in_their_arn_and_others_do(kind: str, id: str, arn: str) -> None:
    assert arn_of(HERE, kind, id) == arn


def test_the_partition_follows_the_region() -> None:
    assert arn_of(CHINA, "build", "build-1") == "arn:aws-cn:gamelift:cn-north-1:111122223333:build/build-1"


@pytest.mark.parametrize(
    "text",
    [
        "build-1",
        "arn:aws:gamelift:us-west-2:111122223333:build/build-1",
        "arn:aws:gamelift:us-west-2::build/build-1",
    ],
)
def test_an_id_and_both_forms_of_an_arn_name_the_same_resource(text: str) -> None:
    assert id_of(HERE, text, "build") == "build-1"


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:gamelift:us-west-2:999999999999:build/build-1",
        "arn:aws:gamelift:eu-west-1:111122223333:build/build-1",
        "arn:aws-cn:gamelift:us-west-2:111122223333:build/build-1",
        "arn:aws:gamelift:us-west-2:111122223333:script/build-1",
        "arn:aws:s3:us-west-2:111122223333:build/build-1",
        "arn:aws:gamelift:us-west-2:111122223333:build/",
        "arn:aws:gamelift:us-west-2:111122223333:planet/build-1",
        "arn:build/build-1",
    ],
)
def test_an_arn_of_another_account_region_partition_or_kind_is_not_found(text: str) -> None:
    with pytest.raises(NotFoundException, match="was not found in us-west-2"):
        id_of(HERE, text, "build")


def test_a_container_fleet_can_be_named_where_a_fleet_can() -> None:
    arn = "arn:aws:gamelift:us-west-2:111122223333:containerfleet/containerfleet-1"
    assert find_id(HERE, arn, "fleet") == "containerfleet-1"
    assert find_id(HERE, arn, "build") is None


@pytest.mark.parametrize("location", [None, "custom-desk", "eu-west-1"])
def test_a_game_sessions_arn_can_be_taken_apart_again(location: str | None) -> None:
    arn = game_session_arn("us-west-2", FLEET, location, "round-17")
    assert parse_game_session(arn) == GameSessionName("us-west-2", FLEET, location, "round-17")


def test_a_game_sessions_arn_has_no_account() -> None:
    expected = f"arn:aws:gamelift:us-west-2::gamesession/{FLEET}/custom-desk/round-17"
    assert game_session_arn("us-west-2", FLEET, "custom-desk", "round-17") == expected


@pytest.mark.parametrize("account", ["", "111122223333"])
def test_a_game_session_is_found_by_either_form_of_its_arn(account: str) -> None:
    text = f"arn:aws:gamelift:us-west-2:{account}:gamesession/{FLEET}/round-17"
    assert find_game_session_id(HERE, text) == game_session_arn("us-west-2", FLEET, None, "round-17")


@pytest.mark.parametrize(
    "text",
    [
        "round-17",
        f"arn:aws:gamelift:us-west-2:999999999999:gamesession/{FLEET}/round-17",
        f"arn:aws:gamelift:us-west-2::fleet/{FLEET}",
    ],
)
def test_what_is_no_game_session_of_this_account_is_not_found(text: str) -> None:
    assert find_game_session_id(HERE, text) is None


@pytest.mark.parametrize(
    "text", ["gsess-1", f"arn:aws:gamelift:us-west-2::gamesession/{FLEET}", "arn:aws:s3:::gamesession/a/b"]
)
def test_what_is_no_game_session_cannot_be_taken_apart(text: str) -> None:
    assert parse_game_session(text) is None


def test_an_arn_says_kind_and_id() -> None:
    assert split_arn(HERE, f"arn:aws:gamelift:us-west-2::fleet/{FLEET}") == ("fleet", FLEET)


def test_a_regions_locations_are_those_of_its_partition() -> None:
    assert aws_locations("cn-north-1") == ("cn-north-1", "cn-northwest-1")
    west = aws_locations("us-west-2")
    assert {"us-west-2", "us-west-2-lax-1", "eu-west-1"} <= set(west)
    assert not any(name.startswith("cn-") for name in west)
    assert list(west) == sorted(west)


def test_custom_locations_are_told_by_their_prefix() -> None:
    assert is_custom("custom-desk")
    assert not is_custom("us-west-2-lax-1")


def test_what_is_made_here_is_allowed_by_the_model() -> None:
    patterns = service_model("gamelift").shape_for("LocationStringModel").metadata
    assert all(len(name) <= patterns["max"] for name in aws_locations("us-east-1"))
