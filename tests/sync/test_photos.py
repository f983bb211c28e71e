import asyncio
from typing import cast

import pytest

from evosync.domain.errors import CloudError, Side, Unavailable
from evosync.domain.ids import PhotoId
from evosync.sync.photos import BULK, PhotoSupply
from evosync.sync.ports import ShopSide


class Uploads:
    """Of a VK shop its pictures alone."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.made = 0

    async def photos(self, _picture: bytes, count: int) -> tuple[PhotoId, ...]:
        if self.error is not None:
            raise self.error
        self.made += count
        return tuple(PhotoId(self.made - count + n) for n in range(count))


async def taken(uploads: Uploads, count: int) -> list[PhotoId]:
    async with asyncio.timeout(30), PhotoSupply(cast("ShopSide", uploads), b"a picture", count) as supply:
        return [await supply.take() for _ in range(count)]


async def test_each_photo_is_given_out_once() -> None:
    count = 3 * BULK + 1
    assert sorted(await taken(Uploads(), count)) == list(range(count))


@pytest.mark.parametrize("error", [Unavailable(Side.VK, "VK HTTP 502"), RuntimeError("a fault of ours")])
async def test_what_keeps_photos_from_being_made_reaches_whoever_waits_for_one(error: Exception) -> None:
    with pytest.raises(CloudError if isinstance(error, CloudError) else RuntimeError):
        await taken(Uploads(error), 2 * BULK)
