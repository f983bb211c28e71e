"""Second step of a run: how does the shop in VK stand now, and what of it is new."""

from collections.abc import Callable, Collection, Mapping, Sequence

from evosync.domain.catalog import Album, Community, Item, Shop, ShopTrouble
from evosync.domain.errors import GuardTripped, Rejected, Side
from evosync.domain.guard import ROUBLE
from evosync.domain.ids import AlbumId, CommunityId, ItemId, ProductId, UserId
from evosync.domain.links import Link, LinkState
from evosync.sync.ports import Ledger, Priority, ShopSide


class ShopReader:
    """Reads one community's shop and stores what changed."""

    def __init__(self, user: UserId, community: CommunityId, shop: ShopSide, ledger: Ledger) -> None:
        self._user = user
        self._community = community
        self._shop = shop
        self._ledger = ledger

    async def full(self, links: Mapping[ProductId, Link], *, on_page: Callable[[int], None]) -> Shop:
        """Everything. An item that a link names and the listing lacks is asked for by id before it is doubted."""
        albums_known, items_known = await self._ledger.known_shop(self._user, self._community)
        reading = await self._shop.read(expected=len(items_known), on_page=on_page)
        refuse(reading.community)
        items = dict(reading.items)
        lost = _named(links) - items.keys()
        missing: frozenset[ItemId] = frozenset()
        if lost:
            found = await self._shop.items(sorted(lost))
            items.update(found)
            missing = frozenset(lost - found.keys())
        await self._save(albums_known, items_known, reading.albums, items)
        return Shop(albums=reading.albums, items=items, missing=missing)

    async def some(self, links: Mapping[ProductId, Link], titles: Collection[str]) -> Shop:
        """The items of a few products, and what bears one of the `titles` of those without one. Not complete.

        What the owner made in VK since the last full reading is in no memory: before anything new is made, the
        albums and the newest items are looked at.
        """
        named = _named(links)
        found = await self._shop.items(sorted(named), priority=Priority.HINT) if named else {}
        if not titles:
            albums: tuple[Album, ...] = await self._ledger.cached_albums(self._user, self._community)
            items: dict[ItemId, Item] = {}
        else:
            cached = await self._ledger.cached_items(self._user, self._community, titles=titles)
            albums, newest = await self._shop.newest()
            items = {**{item.id: item for item in cached}, **newest}
        return Shop(albums=albums, items={**items, **found}, missing=frozenset(named - found.keys()), complete=False)

    async def _save(
        self,
        albums_known: Mapping[AlbumId, bytes],
        items_known: Mapping[ItemId, bytes],
        albums: Sequence[Album],
        items: Mapping[ItemId, Item],
    ) -> None:
        new_albums = [album for album in albums if albums_known.get(album.id) != album.digest]
        new_items = [item for item in items.values() if items_known.get(item.id) != item.digest]
        albums_gone = albums_known.keys() - {album.id for album in albums}
        items_gone = items_known.keys() - items.keys()
        if new_albums or new_items or albums_gone or items_gone:
            await self._ledger.save_shop(
                self._user,
                self._community,
                albums=new_albums,
                albums_gone=sorted(albums_gone),
                items=new_items,
                items_gone=sorted(items_gone),
            )


_CODES = {ShopTrouble.NO_RIGHTS: "VK 7", ShopTrouble.SHOP_OFF: "VK 1438"}
"""Found before VK had to refuse a write for it: the same cause, so the same code."""


def refuse(community: Community) -> None:
    """Raise for a community that must not be mirrored into."""
    match community.trouble:
        case None:
            return
        case ShopTrouble.CURRENCY:
            raise GuardTripped(Side.VK, "currency", community.currency_name, wanted=ROUBLE, got=community.currency or 0)
        case trouble:
            raise Rejected(Side.VK, _CODES.get(trouble, trouble.value))


def _named(links: Mapping[ProductId, Link]) -> set[ItemId]:
    return {link.item for link in links.values() if link.item is not None and link.state is not LinkState.REFUSED}
