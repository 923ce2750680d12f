"""Regions in which GameLift is not offered."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apitrail.errors import ServiceError
from apitrail.testing import Stage
from apitrail.testing.stage import root

ABROAD = "us-gov-west-1"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def refused(stage: Stage, operation: str, **params: Any) -> str:
    with pytest.raises(ServiceError) as caught:
        stage.call_(operation, params, region=ABROAD)
    assert ABROAD in caught.value.message
    return caught.value.error_code


def test_a_region_without_gamelift_is_told_in_the_words_of_the_model(stage: Stage) -> None:
    assert refused(stage, "CreateLocation", LocationName="custom-desk") == "UnsupportedRegionException"
    assert refused(stage, "ListAliases") == "InvalidRequestException"
    assert [event["errorCode"] for event in stage.events()] == ["UnsupportedRegionException", "InvalidRequestException"]


def test_the_regions_of_another_partition_count(stage: Stage) -> None:
    assert stage.call_("ListAliases", {}, region="cn-north-1")["Aliases"] == []


def test_a_caller_who_may_not_hears_nothing_of_the_region(stage: Stage) -> None:
    stage.call("CreateUser", UserName="ana")
    arn = "arn:aws:iam::111122223333:user/ana"
    ana = root().__class__("IAMUser", "AIDAEXAMPLE", arn, "111122223333", user_name="ana")
    with pytest.raises(ServiceError) as caught:
        stage.call_("ListAliases", {}, principal=ana, region=ABROAD)
    assert caught.value.error_code == "AccessDeniedException"
