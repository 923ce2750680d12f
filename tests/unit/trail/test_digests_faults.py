"""Seeded runs of deliverer and digester with faults, crashes between any two steps, clock jumps, stops and starts.

One seed, one run. A failing seed is run again with: pytest 'tests/unit/trail/test_digests_faults.py::<name>[<seed>]'
"""

import os
import random
from datetime import timedelta
from pathlib import Path

import pytest
from digest_scenes import OTHER_REGION, REGION, Crash, Scene, check

from apitrail.objects.fault import Fault

SEEDS = 1000 if os.environ.get("APITRAIL_SOAK") else 15
STEPS = 60


def crashing(scene: Scene, chance: random.Random) -> None:
    """Run one worker; it may crash before or after any of its commits."""
    scene.database.crash_at = chance.choice([None, None, 1, 2, 3, 4, 5, 6])
    scene.database.after_commit = chance.random() < 0.5
    try:
        if chance.random() < 0.5:
            scene.runner.run(scene.deliverer.flush() if chance.random() < 0.5 else scene.deliverer.tick())
        else:
            scene.runner.run(scene.digester.tick())
    except Crash:
        scene.restart()
    scene.database.crash_at = None


def jump(scene: Scene, chance: random.Random) -> None:
    """Set the clock forward or back: by seconds, by hours, rarely by years."""
    seconds = chance.choice([5, 90, 4000, 20_000, 100_000_000]) * chance.choice([-1, 1])
    scene.clock.jump(scene.clock.now() + timedelta(seconds=seconds))


def step(scene: Scene, chance: random.Random, logging: bool) -> bool:
    """Do one thing; return whether the trail logs afterwards."""
    what = chance.random()
    if what < 0.35:
        scene.event(region=chance.choice([REGION, REGION, OTHER_REGION]))
    elif what < 0.5:
        scene.clock.advance(chance.choice([1, 30, 700, 3600, 9000]))
    elif what < 0.54:
        jump(scene, chance)
    elif what < 0.62:
        scene.bucket.script.append(Fault(chance.choice(["before", "after", "partial"])))
    elif what < 0.66:
        (scene.stop if logging else scene.start)()
        return not logging
    else:
        crashing(scene, chance)
    return logging


@pytest.mark.parametrize("seed", range(SEEDS))
def test_each_file_is_in_one_digest_and_chains_stay_whole(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    scene = Scene(tmp_path)
    scene.start()
    logging = True
    for _ in range(STEPS):
        logging = step(scene, chance, logging)
    if logging:
        scene.stop()
    scene.bucket.script = []
    for _ in range(4):
        scene.clock.advance(40)
        scene.deliver()
        scene.tick()
    assert scene.read(lambda tx: tx.all("SELECT 1 FROM digest_chains")) == []
    assert check(scene) >= 1
    scene.close()
