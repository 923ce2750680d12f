"""Connections of game servers: order, bounds, and which one of several counts."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from apitrail.services.links import WAITING_MAX, Link, Links, PeerKey

KEY = PeerKey("111122223333", "us-west-2", "process-1")


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 5))


async def said(link: Link) -> list[str]:
    """Return what goes out on an ended link."""
    found = []
    while (text := await link.next()) is not None:
        found.append(text)
        link.written()
    return found


def test_what_was_kept_goes_out_before_what_came_meanwhile() -> None:
    async def play() -> list[str]:
        link = Link()
        assert link.tell("third")
        link.begin(["first", "second"])
        link.tell("fourth")
        link.end()
        assert not link.tell("late")
        return await said(link)

    assert run(play()) == ["first", "second", "third", "fourth"]


def test_pushes_that_were_not_written_can_be_taken_back_and_answers_are_forgotten() -> None:
    async def play() -> list[str]:
        link = Link()
        link.begin(["first", "second"])
        link.answer("of this connection alone")
        link.tell("third")
        assert await link.next() == "first"
        link.written()
        assert await link.next() == "second"
        return link.take_unwritten() + link.take_unwritten()

    assert run(play()) == ["second", "third"]


def test_nothing_goes_out_before_the_beginning() -> None:
    async def play() -> bool:
        link = Link()
        link.tell("early")
        waiting = asyncio.create_task(link.next())
        await asyncio.sleep(0)
        idle = not waiting.done()
        link.begin([])
        return idle and await waiting == "early"

    assert run(play())


def test_a_link_that_ends_before_it_begins_sends_nothing() -> None:
    async def play() -> list[str]:
        link = Link()
        link.tell("early")
        link.end()
        return await said(link)

    assert run(play()) == []


def test_a_peer_that_does_not_read_is_given_up() -> None:
    async def play() -> tuple[bool, bool]:
        link = Link()
        taken = all(link.tell("x") for _ in range(WAITING_MAX))
        return taken, link.tell("one more") or not link.ended

    assert run(play()) == (True, False)


def test_the_newest_link_counts_and_the_one_before_stays() -> None:
    async def play() -> None:
        links, made = Links(), [Link() for _ in range(3)]
        for link in made:
            links.open(KEY, link)
        assert (links.count, links.find(KEY)) == (3, made[2])
        assert [link.ended for link in made] == [True, False, False]
        assert [links.drop(KEY, link) for link in (made[0], made[2])] == [False, False]
        assert links.find(KEY) is made[1]
        assert links.drop(KEY, made[1]) and not links.drop(KEY, made[1])
        assert (links.count, links.find(KEY), links.tell(KEY, "x")) == (0, None, False)

    run(play())


def test_all_links_end_when_the_server_stops() -> None:
    async def play() -> list[bool]:
        links, made = Links(), [Link(), Link()]
        for number, link in enumerate(made):
            links.open(KEY._replace(peer_id=f"process-{number}"), link)
        links.end_all()
        return [link.ended for link in made]

    assert run(play()) == [True, True]
