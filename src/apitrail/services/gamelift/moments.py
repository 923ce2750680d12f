"""Moments that others follow: what is told in the very transaction in which it happens, from below upward.

A session does not know of placements, a placement does not know of matches; they follow the moments they depend on.
"""

from collections.abc import Callable

from apitrail.services.context import Context
from apitrail.store.resources import Doc

Follower = Callable[[Context, Doc], None]


class Moment:
    """Something that happens to a document. Followers are told in the order in which they were registered."""

    def __init__(self) -> None:
        self._followers: list[Follower] = []

    def follow(self, follower: Follower) -> Follower:
        """Register a function (context, document); to be used as a decorator."""
        self._followers.append(follower)
        return follower

    def tell(self, ctx: Context, doc: Doc) -> None:
        """Tell every follower. Whoever tells stores the document afterwards, where the moment says so."""
        for follower in self._followers:
            follower(ctx, doc)


HOST_READY = Moment()
"""The first process of a new host is free."""

SESSION_ACTIVE = Moment()
"""A game session becomes ACTIVE; it is stored afterwards, so followers may change it."""

SESSION_ENDED = Moment()
"""A game session has ended and is stored."""

PROCESS_GONE = Moment()
"""A real process is gone, or counts as if it were, and is not stored any more."""

SLOTS_CHANGED = Moment()
"""A live game session may have more or fewer free player slots, or another policy about them; it is stored."""

PLACEMENT_ENDED = Moment()
"""A placement has left PENDING and is stored."""

TICKET_ENDED = Moment()
"""A matchmaking ticket has ended and is stored."""
