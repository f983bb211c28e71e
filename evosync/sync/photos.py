"""A supply of uploaded photos: each serves one item, five are uploaded at a time (VK FACTS 3)."""

import asyncio
from types import TracebackType
from typing import Self

from evosync.domain.ids import PhotoId
from evosync.sync.ports import ShopSide

BULK = 5
_FLOWS = 40
"""Uploads under way at once: enough that upload addresses are asked for 25 in a call."""


class PhotoSupply:
    """Uploads `count` photos ahead of their use, a bounded number at a time.

    The same picture each time, so the order in which VK answers cannot matter.
    """

    def __init__(self, shop: ShopSide, picture: bytes, count: int) -> None:
        self._shop = shop
        self._picture = picture
        self._left = count
        self._flows = min(_FLOWS, -(-count // BULK))
        self._ready: asyncio.Queue[PhotoId | Exception] = asyncio.Queue()
        self._room = asyncio.Semaphore(max(self._flows, 1))
        self._made = 0
        self._taken = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._flow()) for _ in range(self._flows)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def made(self) -> int:
        """Photos uploaded so far."""
        return self._made

    async def take(self) -> PhotoId:
        """The next photo; raises what kept it from being made. Must not be called more than `count` times."""
        photo = await self._ready.get()
        if isinstance(photo, Exception):
            raise photo
        self._taken += 1
        if self._taken % BULK == 0:
            self._room.release()
        return photo

    async def _flow(self) -> None:
        while self._left > 0:
            await self._room.acquire()
            batch = min(BULK, self._left)
            if batch <= 0:
                return
            self._left -= batch
            try:
                photos = await self._shop.photos(self._picture, batch)
            except Exception as error:  # noqa: BLE001 - whoever waits for one of these photos must hear of it
                for _ in range(batch):
                    self._ready.put_nowait(error)
                return
            self._made += len(photos)
            for photo in photos:
                self._ready.put_nowait(photo)
