"""What the pages of the mirror ask of the engine and of VK, over the real ones."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from evosync.domain.ids import UserId
from evosync.domain.mirror import Mirror, Reason, Scope
from evosync.sync.engine import Engine
from evosync.sync.mailbox import Mailbox, Message
from evosync.sync.one_run import OneRun, Planned
from evosync.vk.connect import categories
from evosync.vk.sides import VkSides
from evosync.vk.wire import Category

_LOOK_AGAIN: Final = 0.5
"""Seconds after which a lease that another run holds is tried again."""


class DryRun:
    """`Preview`. Waits for a run that goes on already, since both need the owner's lease."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def __call__(self, user: UserId, /) -> Planned | None:
        while True:
            async with self._engine.lease.hold(user) as held:
                if held is not None:
                    mirror = await self._engine.ledger.mirror(user)
                    if mirror is None or mirror.evotor is None or mirror.vk is None:
                        return None
                    message = Message(Scope.FULL, frozenset({Reason.PREVIEW}))
                    one = OneRun(self._engine, mirror, message, asyncio.Event(), Mailbox(), held, dry=True)
                    if await one.go() is not None:
                        return one.planned
            await asyncio.sleep(_LOOK_AGAIN)


class Owners(Protocol):
    """Where the owner's connection is found."""

    async def mirror(self, user: UserId) -> Mirror | None: ...


class CategoryTree:
    """`Categories`. The tree is the same for all communities, and changes once in a while: asked for once a day."""

    def __init__(
        self,
        sides: VkSides,
        owners: Owners,
        clock: Callable[[], datetime],
        *,
        lifetime: timedelta = timedelta(days=1),
    ) -> None:
        self._sides = sides
        self._owners = owners
        self._clock = clock
        self._lifetime = lifetime
        self._known: tuple[datetime, Sequence[Category]] | None = None
        self._asking = asyncio.Lock()

    async def __call__(self, user: UserId, /) -> Sequence[Category]:
        async with self._asking:
            if self._known is not None and self._clock() - self._known[0] < self._lifetime:
                return self._known[1]
            mirror = await self._owners.mirror(user)
            if mirror is None or mirror.vk is None:
                return ()
            found = await categories(self._sides, mirror.vk.token, mirror.vk.community)
            self._known = self._clock(), found
            return found


__all__ = ["CategoryTree", "DryRun", "Owners"]
