"""Stages for the tests of services: on the usual clock, without AWS's delays, and with longer ones."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from apitrail.settings import GameLift, Settings
from apitrail.testing import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


@pytest.fixture
def stage_at_once(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path, Settings(data=str(tmp_path), gamelift=GameLift(delay_scale=0))) as stage:
        yield stage


@pytest.fixture
def stage_with_delay(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path, Settings(data=str(tmp_path), gamelift=GameLift(delay_scale=10))) as stage:
        yield stage
