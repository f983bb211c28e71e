"""A community's shop in the engine's words, over one token's dispatcher."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from math import inf
from typing import Any, TypeVar

from evosync.domain.action import AddItem, EditItem
from evosync.domain.catalog import Album, Availability, Community, Item
from evosync.domain.errors import CloudError, Full, NotFound, Refused, Rejected, Side, Unavailable
from evosync.domain.ids import AlbumId, CommunityId, ItemId, PhotoId
from evosync.domain.texts import fold
from evosync.sync.ports import Added, MayWrite, Priority, ShopReading
from evosync.vk import wire
from evosync.vk.dispatcher import Dispatcher, TooBig
from evosync.vk.photos import Photos
from evosync.vk.script import Params, ReadBack
from evosync.vk.waiting import Call, SeenItems

log = logging.getLogger(__name__)

T = TypeVar("T")

COMMUNITY_FIELDS = "market,is_admin,admin_level,deactivated"
PAGE = 200
ALBUM_PAGE = 100
BY_ID = 100
_SMALLEST_PAGE = 10
_ENDLESS = 1_000
"""Pages: more than ten times what a shop can hold."""
_ALREADY_THERE = "VK 1404"
_SORTED_OUT_SINGLY = frozenset({_ALREADY_THERE, "VK 1403", "VK 1406"})
"""Of a list: whether the other items were placed is not known (VK FACTS 7)."""


class VkShop:
    """`ShopSide` for one community. Made by `VkSides`."""

    def __init__(
        self, dispatcher: Dispatcher, community: CommunityId, photos: Photos, may_write: MayWrite | None = None
    ) -> None:
        self._dispatcher = dispatcher
        self._community = community
        self._owner = -community
        self._photos = photos
        self._may_write = may_write
        self._requests_before = dispatcher.requests

    @property
    def requests(self) -> int:
        """Of everybody who uses the token in this process, since this shop was opened."""
        return self._dispatcher.requests - self._requests_before

    async def read(self, *, expected: int, on_page: Callable[[int], None]) -> ShopReading:
        found: dict[ItemId, Item] = {}

        async def page(offset: int, count: int = PAGE) -> int:
            """Entries on the page, items or not."""
            items, entries = await self._page(offset, count)
            for item in items:
                found.setdefault(item.id, item)
            on_page(len(items))
            return entries

        async def pages() -> None:
            """One page more than expected: only an empty page is the end (VK FACTS 6)."""
            first, number = 0, -(-expected // PAGE) + 1
            while True:
                sizes = await together(page(PAGE * each) for each in range(first, first + number))
                if sizes[-1] == 0:
                    return
                first, number = first + number, min(2 * number, 4)
                if first > _ENDLESS:
                    raise Unavailable(Side.VK, "VK shape", "market.get: the listing does not end")

        community = asyncio.ensure_future(self.community())
        albums = asyncio.ensure_future(self._albums())
        everything: list[asyncio.Future[Any]] = [community, albums, asyncio.ensure_future(pages())]
        await together(everything)
        return ShopReading(community.result(), albums.result(), found)

    async def newest(self) -> tuple[tuple[Album, ...], dict[ItemId, Item]]:
        albums = asyncio.ensure_future(self._albums(Priority.HINT))
        page = asyncio.ensure_future(self._page(0, PAGE, Priority.HINT))
        both: list[asyncio.Future[Any]] = [albums, page]
        await together(both)
        items, _ = page.result()
        return albums.result(), {item.id: item for item in items}

    async def community(self, *, priority: Priority = Priority.READ) -> Community:
        """Raises `Rejected` for a community that VK does not know: nothing can ever be mirrored into it."""
        try:
            found = await self._ask(
                "groups.getById",
                {"group_id": self._community, "fields": COMMUNITY_FIELDS},
                lambda value: wire.read_community(value, self._community),
                priority=priority,
            )
        except Refused as error:
            raise Rejected(Side.VK, error.code, error.detail) from error
        if found is None:
            raise Rejected(Side.VK, "VK no community", "groups.getById does not name it")
        return found

    async def items(self, ids: Sequence[ItemId], *, priority: Priority = Priority.READ) -> dict[ItemId, Item]:
        """By id; what VK no longer has is absent from the answer."""
        wanted = sorted(set(ids))
        parts = await together(
            self._by_id(wanted[start : start + BY_ID], priority) for start in range(0, len(wanted), BY_ID)
        )
        return {item.id: item for part in parts for item in part if item.availability is not Availability.REMOVED}

    async def add_item(
        self, action: AddItem, photo: PhotoId, *, good_until: float = inf, priority: Priority = Priority.NEW
    ) -> Added:
        def read(value: Any, seen: SeenItems) -> Added:
            item = ItemId(int(value["market_item_id"]))
            return Added(item, seen.get((self._owner, item)))

        return await self._write(
            "market.add",
            {
                "owner_id": self._owner,
                "name": action.name,
                "description": action.description,
                "category_id": action.category,
                "price": wire.rub(action.kopecks),
                "stock_amount": action.stock,
                "sku": action.marker,
                "main_photo_id": photo,
            },
            read,
            priority=priority,
            read_back=ReadBack(self._owner),
            good_until=good_until,
        )

    async def edit_item(self, action: EditItem, *, priority: Priority = Priority.PRICE) -> Item | None:
        """Only what differs, and `deleted` always: an edit without it may show a hidden item (VK FACTS 2)."""
        fields: dict[str, str | int] = {}
        if action.name is not None:
            fields["name"] = action.name
        if action.description is not None:
            fields["description"] = action.description
        if action.kopecks is not None:
            fields["price"] = wire.rub(action.kopecks)
        if action.stock is not None:
            fields["stock_amount"] = action.stock
        return await self._edit(action.item, fields, hidden=action.hidden, priority=priority, reads_back=True)

    async def hide_item(self, item: ItemId) -> None:
        await self._edit(item, {}, hidden=True, priority=Priority.PRICE, reads_back=False)

    async def add_album(self, title: str) -> AlbumId:
        album = await self._write(
            "market.addAlbum",
            {"owner_id": self._owner, "title": title},
            lambda value, _: AlbumId(int(value.get("market_album_id") or 0)),
            priority=Priority.ALBUM,
        )
        return album or await self._album_titled(title)

    async def rename_album(self, album: AlbumId, title: str) -> None:
        await self._write(
            "market.editAlbum",
            {"owner_id": self._owner, "album_id": album, "title": title},
            _nothing,
            priority=Priority.ALBUM,
        )

    async def place(self, album: AlbumId, items: Sequence[ItemId]) -> None:
        """At most 50 items a call; items that stand in it already are no error.

        Where VK refuses the list for the sake of one item, the items go one by one; then `NotFound` and
        `Full` name the items that could not be placed, and all others were.
        """
        try:
            await self._place(album, items)
        except (Refused, NotFound, Full) as error:
            if error.code not in _SORTED_OUT_SINGLY or (len(items) == 1 and error.code != _ALREADY_THERE):
                raise
            if len(items) > 1:
                await self._place_singly(album, items)

    async def unplace(self, item: ItemId, album: AlbumId) -> None:
        await self._write(
            "market.removeFromAlbum",
            {"owner_id": self._owner, "item_id": item, "album_ids": str(album)},
            _nothing,
            priority=Priority.NEW,
        )

    async def photos(self, picture: bytes, count: int) -> tuple[PhotoId, ...]:
        """Raises `Refused` with field "photo" for a picture that VK does not take."""
        return await self._photos.upload(picture, count)

    async def _page(self, offset: int, count: int, priority: Priority = Priority.READ) -> tuple[list[Item], int]:
        """A page of the shop; in parts where VK cannot send it whole (VK FACTS 5, response size)."""
        try:
            return await self._ask(
                "market.get",
                {"owner_id": self._owner, "offset": offset, "count": count, "extended": 1, "with_disabled": 1},
                lambda value: (wire.read_items(value), len(wire.entries(value))),
                priority=priority,
                items=count,
            )
        except TooBig as error:
            if count <= _SMALLEST_PAGE:
                raise Unavailable(Side.VK, "VK 13", "market.get: a small page is too big") from error
        half = count // 2
        rest = self._page(offset + half, count - half, priority)
        parts = await together((self._page(offset, half, priority), rest))
        return [item for items, _ in parts for item in items], sum(entries for _, entries in parts)

    async def _by_id(self, ids: Sequence[ItemId], priority: Priority) -> list[Item]:
        try:
            return await self._ask(
                "market.getById",
                {"item_ids": ",".join(f"{self._owner}_{item}" for item in ids), "extended": 1},
                wire.read_items,
                priority=priority,
                items=len(ids),
            )
        except TooBig as error:
            if len(ids) <= 1:
                raise Unavailable(Side.VK, "VK 13", "market.getById: one item is too big") from error
        half = len(ids) // 2
        parts = await together((self._by_id(ids[:half], priority), self._by_id(ids[half:], priority)))
        return [item for part in parts for item in part]

    async def _albums(self, priority: Priority = Priority.READ) -> tuple[Album, ...]:
        found: dict[AlbumId, Album] = {}
        offset = 0
        while True:
            albums, entries = await self._ask(
                "market.getAlbums",
                {"owner_id": self._owner, "offset": offset, "count": ALBUM_PAGE},
                wire.read_albums,
                priority=priority,
            )
            found |= {album.id: album for album in albums}
            if entries < ALBUM_PAGE:
                return tuple(found.values())
            offset += entries

    async def _album_titled(self, title: str) -> AlbumId:
        """The newest of that title: VK may leave the id out of its answer (VK FACTS 7)."""
        wanted = fold(title)
        ids = [album.id for album in await self._albums() if fold(album.title) == wanted]
        if not ids:
            raise Unavailable(Side.VK, "VK shape", "market.addAlbum: no id, and no album of that title")
        return max(ids)

    async def _edit(
        self, item: ItemId, fields: Params, *, hidden: bool, priority: Priority, reads_back: bool
    ) -> Item | None:
        try:
            return await self._write(
                "market.edit",
                {"owner_id": self._owner, "item_id": item, **fields, "deleted": int(hidden)},
                lambda _, seen: seen.get((self._owner, item)),
                priority=priority,
                read_back=ReadBack(self._owner, item) if reads_back else None,
            )
        except Refused as error:
            if not _says_nothing_changed(error):
                raise
            return None

    async def _place(self, album: AlbumId, items: Sequence[ItemId]) -> None:
        await self._write(
            "market.addToAlbum",
            {"owner_id": self._owner, "item_ids": ",".join(map(str, items)), "album_ids": str(album)},
            _nothing,
            priority=Priority.NEW,
        )

    async def _place_singly(self, album: AlbumId, items: Sequence[ItemId]) -> None:
        async def place(item: ItemId) -> CloudError | None:
            try:
                await self._place(album, (item,))
            except (Refused, NotFound, Full) as error:
                if error.code not in _SORTED_OUT_SINGLY:
                    raise
                return None if error.code == _ALREADY_THERE else error
            return None

        errors = await together(place(item) for item in items)
        failed = [(item, error) for item, error in zip(items, errors, strict=True) if error is not None]
        if failed:
            error = failed[0][1]
            raise type(error)(Side.VK, error.code, "items " + ", ".join(str(item) for item, _ in failed))

    async def _ask(
        self,
        method: str,
        params: Params,
        read: Callable[[Any], T],
        *,
        priority: Priority = Priority.READ,
        items: int = 0,
    ) -> T:
        return await self._dispatcher.submit(Call(method, params, lambda value, _: read(value), priority, items=items))

    async def _write(
        self,
        method: str,
        params: Params,
        read: Callable[[Any, SeenItems], T],
        *,
        priority: Priority,
        read_back: ReadBack | None = None,
        good_until: float = inf,
    ) -> T:
        return await self._dispatcher.submit(
            Call(
                method,
                params,
                read,
                priority,
                repeatable=False,
                read_back=read_back,
                good_until=good_until,
                may_leave=self._may_write,
            )
        )


def _nothing(value: Any, seen: SeenItems) -> None:
    """For calls that answer 1."""


def _says_nothing_changed(error: Refused) -> bool:
    """An edit that would change nothing, which VK may call an error (VK FACTS 2)."""
    detail = error.detail.casefold()
    return error.code == "VK 100" and ("nothing to" in detail or "not changed" in detail)


async def together(work: Iterable[Coroutine[Any, Any, T]] | Iterable[asyncio.Future[T]]) -> list[T]:
    """All results in order; the first error as it is, and then nothing goes on behind the caller's back."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
