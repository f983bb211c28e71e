"""Room for runs: many short ones are not kept waiting by a few long ones."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


class Lanes:
    """A run starts in the short lane; after `long_after` seconds it moves to the long one as soon as that has room.

    So `short` + `long` runs go on at most, and short ones wait only while `long` long runs go on
    and `short` more have become long besides. A run mostly waits for VK: room costs memory, not time.
    """

    def __init__(
        self,
        *,
        short: int = 8,
        long: int = 16,
        long_after: float = 20.0,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._short = asyncio.Semaphore(short)
        self._long = asyncio.Semaphore(long)
        self._long_after = long_after
        self._sleep = sleep

    @asynccontextmanager
    async def room(self, on_long: Callable[[], None] = lambda: None) -> AsyncIterator[None]:
        """Wait for room, in order of asking, and hold it. `on_long` is called at the move."""
        await self._short.acquire()
        held = self._short

        async def move() -> None:
            nonlocal held
            await self._sleep(self._long_after)
            await self._long.acquire()
            held.release()
            held = self._long
            on_long()

        mover = asyncio.create_task(move())
        try:
            yield
        finally:
            mover.cancel()
            try:
                await asyncio.wait([mover])
            finally:
                held.release()
