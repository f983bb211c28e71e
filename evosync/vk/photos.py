"""Pictures: an address, an upload, a save (VK FACTS 3). Nothing here binds anything, so all of it may be repeated."""

import asyncio
from typing import Any

from evosync.domain.errors import Operators, Refused, Side, Unavailable
from evosync.domain.ids import CommunityId, PhotoId
from evosync.sync.ports import Priority
from evosync.vk import wire
from evosync.vk.dispatcher import Dispatcher, Landed
from evosync.vk.transport import NotSent, StrangeHost, Transport
from evosync.vk.waiting import Call

MOST_IN_BULK = 5
_OPENING = 5
"""Pictures under way below which nothing keeps the token busy: 5 saves last until the next addresses have come."""
_UPLOAD = "upload"
"""What the sending of pictures is counted as: no method of the API, and no part of the token's rate. Of one that was
lost nobody knows whether it left."""
_TRIES = 3
_TRIES_OF_A_BAD_SIZE = 2


class Photos:
    """Uploads for one community. `uploads` bounds how many are under way at once for everybody."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        transport: Transport,
        community: CommunityId,
        uploads: asyncio.Semaphore,
        landed: Landed,
    ) -> None:
        self._dispatcher = dispatcher
        self._transport = transport
        self._community = community
        self._uploads = uploads
        self._landed = landed
        self._under_way = 0

    async def upload(self, picture: bytes, count: int) -> tuple[PhotoId, ...]:
        if not 1 <= count <= MOST_IN_BULK:
            raise ValueError(f"1 to {MOST_IN_BULK} photos at a time, not {count}")
        self._under_way += 1
        try:
            with self._dispatcher.expecting():
                if count > 1:
                    photos = await self._bulk(picture, count)
                    if photos is not None:
                        return photos
                return tuple([(await self._route(picture, 1, bulk=False))[0] for _ in range(count)])
        finally:
            self._under_way -= 1

    async def _bulk(self, picture: bytes, count: int) -> tuple[PhotoId, ...] | None:
        """None where VK does not take this route: it is younger than the other (VK FACTS 3)."""
        try:
            return await self._route(picture, count, bulk=True)
        except Operators as error:
            if error.code != "VK 3":
                raise
        except Refused as error:
            if error.field == "photo" or error.code != "VK 100":
                raise
        return None

    async def _route(self, picture: bytes, count: int, *, bulk: bool) -> tuple[PhotoId, ...]:
        """Address, upload and save; again from the start with a fresh address if something in it failed."""
        tries = 0
        while True:
            tries += 1
            try:
                photos = await self._once(picture, count, bulk=bulk)
            except Refused as error:
                bad_size = error.field == "photo" and "SIZE" in error.detail.upper()
                if tries >= (_TRIES_OF_A_BAD_SIZE if bad_size else _TRIES):
                    raise
            except Unavailable:
                if tries >= _TRIES:
                    raise
            else:
                if len(photos) == count:
                    return photos
                if tries >= _TRIES:
                    raise Unavailable(Side.VK, "VK shape", f"{len(photos)} photos saved of {count}")

    async def _once(self, picture: bytes, count: int, *, bulk: bool) -> tuple[PhotoId, ...]:
        address = await self._dispatcher.submit(
            Call(
                "market.getProductPhotoUploadServer",
                {"group_id": self._community, "bulk": int(bulk)},
                lambda value, _: str(value["upload_url"]),
                Priority.OPENING if self._under_way <= _OPENING else Priority.ALBUM,
            )
        )
        response = await self._send(address, picture, count, bulk=bulk)
        return await self._dispatcher.submit(
            Call(
                "market.saveProductPhotoBulk" if bulk else "market.saveProductPhoto",
                {"upload_response": response},
                _photo_ids,
                Priority.NEW,
                alone=True,
            )
        )

    async def _send(self, address: str, picture: bytes, count: int, *, bulk: bool) -> str:
        try:
            async with self._uploads:
                answer = await self._transport.upload(address, [picture] * count, bulk=bulk)
            response = wire.read_upload(*answer)
        except NotSent as error:
            self._landed(_UPLOAD, "VK upload")
            raise Unavailable(Side.VK, "VK upload", str(error)) from error
        except wire.Broken as error:
            self._landed(_UPLOAD, error.code)
            raise Unavailable(Side.VK, error.code) from error
        except StrangeHost as error:
            raise Operators(Side.VK, "VK upload host", str(error)) from error
        if isinstance(response, wire.UploadRefused):
            self._landed(_UPLOAD, "VK upload")
            raise Refused(Side.VK, "VK upload", response.code, field="photo")
        self._landed(_UPLOAD, "ok")
        return response


def _photo_ids(value: Any, _: object) -> tuple[PhotoId, ...]:
    return wire.read_photo_ids(value)
