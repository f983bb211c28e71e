"""Shops in which business goes on while something goes wrong beneath them, and how they must be afterwards."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select, update

from evosync.db.tables import mirrors
from tests.hard.sees import sees
from tests.journeys.workers import business, done, until, wish
from tests.sync.world import Owner, World


@dataclass
class Trade:
    """Moments are counted in requests to the clouds, so that they come while there is something to spoil."""

    dice: random.Random
    world: World
    owners: Sequence[Owner]
    redis_url: str

    async def goes_on(self) -> None:
        """One sells something else, another presses «Update now»."""
        business(self.dice.choice(self.owners), self.dice)
        await wish(self.world, self.redis_url, self.dice.choice(self.owners))

    async def some_requests(self, seconds: float = 0.7) -> bool:
        """Until the clouds have been asked a few times more; where nobody asks, not for long: then False."""
        until_then = len(self.world.sandbox.ledger.arrivals) + self.dice.randrange(12)
        try:
            await until(lambda: self._asked(until_then), seconds)
        except TimeoutError:
            return False
        return True

    async def _asked(self, times: int) -> bool:
        return len(self.world.sandbox.ledger.arrivals) >= times

    async def is_busy(self) -> bool:
        """Whether a run is under way."""
        runs = [run for owner in self.owners for run in await owner.runs()]
        return any(outcome is None for _, outcome, _ in runs)

    async def wake(self) -> None:
        """Where all shops wait for VK, or are done, there would be nothing to spoil."""
        for owner in self.owners:
            await end_pauses(owner)
        await wish(self.world, self.redis_url, *self.owners)

    async def ends_well(self) -> None:
        """Every shop is as its till says, its owner reads so, and one more run writes nothing."""
        await asyncio.gather(*(in_step(owner, self.redis_url) for owner in self.owners))
        for owner in self.owners:
            assert_each_once(owner)
            assert (await sees(owner)).title == "In step with the till"
        before = [owner.writes() for owner in self.owners]
        await wish(self.world, self.redis_url, *self.owners)
        for owner in self.owners:
            await until(lambda owner=owner: done(owner))  # type: ignore[misc]  # bound at once
        assert [owner.writes() for owner in self.owners] == before, "nothing is written again and again"


async def in_step(owner: Owner, redis_url: str) -> None:
    """He presses the button once more, and once more where VK's pause, or our own after a crash, would keep him."""
    await wish(owner.world, redis_url, owner)

    async def is_done() -> bool:
        if await done(owner):
            return True
        mirror = await owner.mirror()
        is_paused = mirror.failures or any(pause.until > owner.world.clock() for pause in mirror.pauses.values())
        if not mirror.is_wanted and is_paused:
            await end_pauses(owner)
            await wish(owner.world, redis_url, owner)
        return False

    await until(is_done, 90)


async def end_pauses(owner: Owner) -> None:
    async with owner.world.database.writing() as connection:
        mine = mirrors.c.user_id == owner.user
        pauses = await connection.scalar(select(mirrors.c.pauses).where(mine).with_for_update())
        assert pauses is not None
        past = datetime(2020, 1, 1, tzinfo=UTC).isoformat()
        ended = {method: pause | {"until": past} for method, pause in pauses.items()}
        await connection.execute(update(mirrors).where(mine).values(pauses=ended))


def assert_each_once(owner: Owner) -> None:
    """In the right place, right in name and price; and hidden, what the till does not sell any more."""
    owner.assert_mirrored()
    skus = [item.sku for item in owner.items]
    assert all(sku.startswith("evo-") for sku in skus)
    assert len(set(skus)) == len(skus) == owner.community.writes["market.add"], "made twice, hidden or not"
