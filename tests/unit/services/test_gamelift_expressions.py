"""Filter and sort expressions of game session searches."""

from datetime import UTC, datetime
from typing import Any

import pytest

from apitrail.services.gamelift.errors import InvalidRequestException
from apitrail.services.gamelift.expressions import DEPTH_MAX, read_filter, read_sort

ARN = "arn:aws:gamelift:us-west-2::gamesession/fleet-1/round-1"


def session(**members: Any) -> dict[str, Any]:
    return {
        "GameSessionId": ARN,
        "FleetId": "fleet-1",
        "Status": "ACTIVE",
        "CreationTime": datetime(2026, 3, 4, 9, 15, 0, 250_000, tzinfo=UTC),
        "CurrentPlayerSessionCount": 3,
        "MaximumPlayerSessionCount": 4,
        **members,
    }


NAMED = session(
    Name="it's a \\ game", GameProperties=[{"Key": "mode", "Value": "brawl"}, {"Key": "a key", "Value": "9"}]
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"gameSessionId = '{ARN}'", True),
        (f"gameSessionId <> '{ARN}'", False),
        (r"gameSessionName = 'it\'s a \\ game'", True),
        ("gameSessionName='IT'", False),
        ("gameSessionProperties.mode = 'brawl'", True),
        ("gameSessionProperties.mode <> 'brawl'", False),
        ("gameSessionProperties.'a key' = '9'", True),
        ("gameSessionProperties.other = 'brawl'", False),
        ("gameSessionProperties.other <> 'brawl'", True),
        ("maximumSessions=4", True),
        ("maximumSessions < 4", False),
        ("maximumSessions<=4", True),
        ("maximumSessions>3.5", True),
        ("maximumSessions > -1", True),
        ("maximumSessions >= 5", False),
        ("creationTimeMillis = 1772615700250", True),
        ("creationTimeMillis > 1772615700250", False),
        ("playerSessionCount <> 3", False),
        ("hasAvailablePlayerSessions = true", True),
        ("hasAvailablePlayerSessions <> TRUE", False),
        ("hasAvailablePlayerSessions = false", False),
    ],
)
def test_a_comparison_says_whether_a_session_matches(text: str, expected: bool) -> None:
    assert read_filter(text).matches(NAMED) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("maximumSessions=4 AND playerSessionCount=3", True),
        ("maximumSessions=5 OR playerSessionCount=3", True),
        ("maximumSessions=5 or playerSessionCount=4", False),
        # AND binds more than OR
        ("maximumSessions=4 OR maximumSessions=5 AND playerSessionCount=9", True),
        ("(maximumSessions=4 OR maximumSessions=5) AND playerSessionCount=9", False),
        # NOT binds more than AND
        ("NOT maximumSessions=5 AND playerSessionCount=3", True),
        ("NOT (maximumSessions=4 AND playerSessionCount=3)", False),
        ("not not maximumSessions=4", True),
        ("((maximumSessions=4))", True),
    ],
)
def test_comparisons_are_joined_by_keywords_in_their_order(text: str, expected: bool) -> None:
    assert read_filter(text).matches(NAMED) is expected


def test_a_session_without_name_is_unequal_to_every_name() -> None:
    assert not read_filter("gameSessionName = 'x'").matches(session())
    assert read_filter("gameSessionName <> 'x'").matches(session())


@pytest.mark.parametrize(
    ("text", "position", "problem"),
    [
        ("", 1, "expected an operand, found the end"),
        ("   ", 1, "expected an operand, found the end"),
        ("AND", 1, "expected an operand"),
        ("players = 3", 1, "unknown operand"),
        ("maximumSessions 3", 17, "expected one of"),
        ("maximumSessions =", 18, "expected a number, found the end"),
        ("maximumSessions = '3'", 19, "expected a number"),
        ("maximumSessions = 3x", 19, "expected a number"),
        ("maximumSessions = 3 playerSessionCount = 1", 21, "expected AND, OR or the end"),
        ("maximumSessions = 3 AND", 24, "expected an operand, found the end"),
        ("(maximumSessions = 3", 21, "closing parenthesis, found the end"),
        ("maximumSessions = 3)", 20, "expected AND, OR or the end"),
        ("gameSessionName = brawl", 19, "expected a string"),
        ("gameSessionName < 'a'", 17, "compares numbers"),
        ("gameSessionName = 'brawl", 19, "a string does not end"),
        ("hasAvailablePlayerSessions = 1", 30, "expected true or false"),
        ("hasAvailablePlayerSessions >= true", 28, "compares numbers"),
        ("gameSessionProperties = 'x'", 1, "unknown operand"),
        ("gameSessionProperties. = 'x'", 1, "expected the key"),
        ("gameSessionProperties. 'k' = 'x'", 1, "expected the key"),
        ("gameSessionProperties.a.b = 'x'", 1, "a period cannot be searched"),
        ("gameSessionProperties.'a.b' = 'x'", 1, "a period cannot be searched"),
        ("gameSessionProperties.k > '1'", 25, "compares numbers"),
    ],
)
def test_a_filter_that_breaks_the_rules_is_refused_with_its_position(text: str, position: int, problem: str) -> None:
    with pytest.raises(InvalidRequestException) as refused:
        read_filter(text)
    assert refused.value.message.startswith(f"FilterExpression is not valid at position {position}: ")
    assert problem in refused.value.message


def test_a_refusal_does_not_repeat_strings_of_the_game() -> None:
    with pytest.raises(InvalidRequestException) as refused:
        read_filter("gameSessionProperties.k = 'secret' 'more'")
    assert "secret" not in refused.value.message and "more" not in refused.value.message


def test_nesting_is_bounded() -> None:
    inner = "maximumSessions=4"
    assert read_filter("(" * DEPTH_MAX + inner + ")" * DEPTH_MAX).matches(NAMED)
    for opening in ("(", "NOT "):
        with pytest.raises(InvalidRequestException, match="nested deeper than"):
            read_filter(opening * 200 + inner)


def test_a_long_chain_is_no_nesting() -> None:
    chain = " OR ".join(["maximumSessions=9"] * 40 + ["maximumSessions=4"])
    assert read_filter(chain).matches(NAMED)


def test_what_a_match_must_have_is_known_through_and_but_not_through_or_and_not() -> None:
    text = "maximumSessions=4 AND (playerSessionCount>1 AND hasAvailablePlayerSessions=true)"
    required = [(item.operand.name, item.comparator, item.value) for item in read_filter(text).required]
    assert required == [
        ("maximumSessions", "=", 4),
        ("playerSessionCount", ">", 1),
        ("hasAvailablePlayerSessions", "=", True),
    ]
    assert read_filter("maximumSessions=4 OR playerSessionCount=1").required == ()
    assert read_filter("NOT maximumSessions=4").required == ()


@pytest.mark.parametrize(
    ("text", "name", "descending"),
    [
        ("playerSessionCount ASC", "playerSessionCount", False),
        ("creationTimeMillis desc", "creationTimeMillis", True),
        ("gameSessionProperties.'a key' DESC", "gameSessionProperties.5.a key", True),
    ],
)
def test_a_sort_names_an_operand_and_a_direction(text: str, name: str, descending: bool) -> None:
    sort = read_sort(text)
    assert (sort.operand.name, sort.descending) == (name, descending)


@pytest.mark.parametrize(
    ("text", "position"),
    [("playerSessionCount", 19), ("playerSessionCount UP", 20), ("x ASC", 1), ("playerSessionCount ASC x", 24)],
)
def test_a_sort_that_breaks_the_rules_is_refused_with_its_position(text: str, position: int) -> None:
    with pytest.raises(InvalidRequestException, match=f"SortExpression is not valid at position {position}: "):
        read_sort(text)
