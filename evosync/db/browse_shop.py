"""The VK shop as its owner looks at it: albums, items, and which product of the till each item follows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, String, case, func, or_, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db.tables import album_links, cached_groups, cached_products, item_links, vk_cached_albums
from evosync.db.tables import vk_cached_products as table
from evosync.domain.catalog import Availability
from evosync.domain.ids import AlbumId, CommunityId, GroupId, ItemId, ProductId, StoreId, UserId
from evosync.domain.links import LinkState
from evosync.domain.texts import fold_for_search

PAGE: Final = 50

NO_ALBUM: Final = AlbumId(0)
"""Stands for the items that are in no album."""

_i = table.c
_a = vk_cached_albums.c
_l = item_links.c
_p = cached_products.c

_ALBUMS: Final[ColumnElement[str]] = type_coerce(_i.album_ids, String())
_SOUGHT: Final = func.replace(_i.title_folded, "ё", "е")
"""As `fold_for_search` of the title; the column itself is what titles are told apart by."""
_IN_NONE: Final = or_(_ALBUMS.is_(None), _ALBUMS == ",")


@dataclass(frozen=True, slots=True)
class AlbumSeen:
    """`items` as we read them; `group` is the group of the till that it follows, None for the owner's own."""

    id: AlbumId
    title: str
    items: int
    group: str | None = None
    store: StoreId | None = None
    group_id: GroupId | None = None


@dataclass(frozen=True, slots=True)
class Followed:
    """The product that an item follows. `store` None: it is no longer at any till."""

    product: ProductId
    name: str
    code: str
    store: StoreId | None
    keeps_text: bool


@dataclass(frozen=True, slots=True)
class ItemSeen:
    """`followed` None: the owner's own item."""

    id: ItemId
    title: str
    kopecks: int | None
    stock: int | None
    availability: Availability
    photo_url: str
    rejection: str
    followed: Followed | None


@dataclass(frozen=True, slots=True)
class ItemPage:
    """One page of an album, by title."""

    items: tuple[ItemSeen, ...]
    total: int
    number: int

    @property
    def pages(self) -> int:
        return max(-(-self.total // PAGE), 1)


async def albums(connection: AsyncConnection, user: UserId, community: CommunityId) -> tuple[AlbumSeen, ...]:
    """By title; what is in no album comes first where there is any, and has no title."""
    counts, alone = await _sizes(connection, user, community)
    links = album_links.c
    g = cached_groups.c
    followed = await connection.execute(
        select(links.album_id, links.store_id, links.group_id, g.name)
        .select_from(
            album_links.outerjoin(
                cached_groups,
                (g.user_id == links.user_id) & (g.store_id == links.store_id) & (g.group_id == links.group_id),
            )
        )
        .where(links.user_id == user, links.community_id == community)
    )
    group_of: dict[AlbumId, tuple[StoreId, GroupId, str | None]] = {
        album: (store, group, name) for album, store, group, name in followed.all()
    }
    query = (
        select(_a.album_id, _a.title)
        .where(_a.user_id == user, _a.group_id == community)
        .order_by(_a.title_folded, _a.album_id)
    )
    found = [AlbumSeen(NO_ALBUM, "", alone)] if alone else []
    for album, title in (await connection.execute(query)).all():
        store, group, name = group_of.get(album, (None, None, None))
        followed_group = None if group is None else (name or "")
        found.append(AlbumSeen(album, title, counts.get(album, 0), followed_group, store, group))
    return tuple(found)


async def _sizes(
    connection: AsyncConnection, user: UserId, community: CommunityId
) -> tuple[Mapping[AlbumId, int], int]:
    """Items of each album, and those in none."""
    query = select(_ALBUMS, func.count()).where(_i.user_id == user, _i.group_id == community).group_by(_ALBUMS)
    sizes: dict[AlbumId, int] = {}
    alone = 0
    for listed, count in (await connection.execute(query)).all():
        members = [AlbumId(int(number)) for number in (listed or "").split(",") if number]
        for album in members:
            sizes[album] = sizes.get(album, 0) + count
        if not members:
            alone += count
    return sizes, alone


async def album(connection: AsyncConnection, user: UserId, community: CommunityId, ident: AlbumId) -> AlbumSeen | None:
    """None where the owner's community has no such album."""
    if ident == NO_ALBUM:
        return AlbumSeen(NO_ALBUM, "", 0)
    query = select(_a.title, _a.size).where(_a.user_id == user, _a.group_id == community, _a.album_id == ident)
    row = (await connection.execute(query)).one_or_none()
    return AlbumSeen(ident, row[0], row[1]) if row is not None else None


async def items(
    connection: AsyncConnection,
    user: UserId,
    community: CommunityId,
    ident: AlbumId,
    *,
    text: str = "",
    number: int = 1,
) -> ItemPage:
    """A page past the end is the last."""
    here: list[ColumnElement[bool]] = [_i.user_id == user, _i.group_id == community]
    here.append(_IN_NONE if ident == NO_ALBUM else _ALBUMS.contains(f",{ident},"))
    here += [_SOUGHT.contains(word, autoescape=True) for word in fold_for_search(text).split()[:8]]
    total = int(await connection.scalar(select(func.count()).select_from(table).where(*here)) or 0)
    number = min(max(number, 1), max(-(-total // PAGE), 1))
    query = (
        select(_i.item_id).where(*here).order_by(_i.title_folded, _i.item_id).limit(PAGE).offset((number - 1) * PAGE)
    )
    ids = list((await connection.execute(query)).scalars())
    return ItemPage(await _shown(connection, user, community, ids), total, number)


async def _shown(
    connection: AsyncConnection, user: UserId, community: CommunityId, ids: Sequence[ItemId]
) -> tuple[ItemSeen, ...]:
    if not ids:
        return ()
    followed = await _followed(connection, user, community, ids)
    query = select(_i.item_id, _i.title, _i.kopecks, _i.stock, _i.availability, _i.photo_url, _i.rejection).where(
        _i.user_id == user, _i.group_id == community, _i.item_id.in_(ids)
    )
    found: dict[ItemId, ItemSeen] = {}
    for row in (await connection.execute(query)).all():
        item, title, kopecks, stock, availability, photo, rejection = row
        found[item] = ItemSeen(
            item, title, kopecks, stock, Availability(availability), photo, rejection, followed.get(item)
        )
    return tuple(found[item] for item in ids if item in found)


async def _followed(
    connection: AsyncConnection, user: UserId, community: CommunityId, ids: Sequence[ItemId]
) -> dict[ItemId, Followed]:
    """A product that several stores sell is named after the first that still has it."""
    query = (
        select(_l.item_id, _l.product_id, _l.keeps_text, _p.name, _p.code, _p.store_id, _p.gone_at.is_not(None))
        .select_from(
            item_links.outerjoin(cached_products, (_p.user_id == _l.user_id) & (_p.product_id == _l.product_id))
        )
        .where(
            _l.user_id == user,
            _l.community_id == community,
            _l.item_id.in_(ids),
            _l.state == LinkState.LIVE.value,
        )
        .order_by(case((_p.gone_at.is_(None), 0), else_=1), _p.store_id)
    )
    found: dict[ItemId, Followed] = {}
    rows: Sequence[Any] = (await connection.execute(query)).all()
    for item, product, keeps, name, code, store, gone in rows:
        found.setdefault(item, Followed(product, name or "", code or "", None if gone else store, bool(keeps)))
    return found


__all__ = ["NO_ALBUM", "PAGE", "AlbumSeen", "Followed", "ItemPage", "ItemSeen", "album", "albums", "items"]
