"""Identifiers: their forms, and that those made one after another are neighbours."""

import re
from itertools import pairwise
from uuid import UUID

from apitrail.ids import Ids, seeded_ids, system_ids

FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_uuids_have_version_4_and_are_all_different() -> None:
    ids = system_ids()
    made = [make() for _ in range(2_000) for make in (ids.uuid, ids.next_uuid)]
    assert len(set(made)) == len(made)
    assert all(FORM.fullmatch(text) and UUID(text).version == 4 for text in made)


def test_neighbours_count_up_in_their_first_digits_and_are_random_in_all_others() -> None:
    ids = system_ids()
    made = [ids.new("psess").removeprefix("psess-") for _ in range(2_000)]
    assert all(int(after[:8], 16) - int(before[:8], 16) in (1, 1 - 2**32) for before, after in pairwise(made))
    assert len({text[9:] for text in made}) == len(made)


def test_they_go_on_from_the_lowest_after_the_highest() -> None:
    ids = Ids(lambda count: b"\xff" * count)
    assert [ids.next_uuid()[:8] for _ in range(3)] == ["ffffffff", "00000000", "00000001"]


def test_two_sources_begin_apart_and_the_same_seed_repeats() -> None:
    assert seeded_ids(1).new("gsess") == seeded_ids(1).new("gsess")
    assert len({seeded_ids(seed).new("gsess")[:14] for seed in range(100)}) == 100
