"""What VK last said: read and written."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db.engine import chunked, upsert
from evosync.db.rows import rows
from evosync.db.tables import vk_cached_albums, vk_cached_products
from evosync.db.types import FOLDED
from evosync.domain.catalog import Album, Availability, Item
from evosync.domain.ids import AlbumId, CommunityId, ItemId, UserId
from evosync.domain.texts import fold_vk

_a = vk_cached_albums.c
_i = vk_cached_products.c


async def known(
    connection: AsyncConnection, user: UserId, community: CommunityId
) -> tuple[dict[AlbumId, bytes], dict[ItemId, bytes]]:
    query = select(_a.album_id, _a.digest).where(_a.user_id == user, _a.group_id == community)
    albums = {album: digest for album, digest in (await connection.execute(query)).all()}  # noqa: C416 - a row is no pair to mypy
    items = await rows(connection, (_i.item_id, _i.digest), {_i.user_id: user, _i.group_id: community}, by=_i.item_id)
    return albums, {item: bytes.fromhex(digest) for item, digest in items}


async def albums(connection: AsyncConnection, user: UserId, community: CommunityId) -> tuple[Album, ...]:
    query = select(_a.album_id, _a.title, _a.size, _a.digest).where(_a.user_id == user, _a.group_id == community)
    return tuple(Album(*row) for row in (await connection.execute(query.order_by(_a.album_id))).all())


async def items_titled(
    connection: AsyncConnection, user: UserId, community: CommunityId, titles: Iterable[str]
) -> tuple[Item, ...]:
    found: list[Item] = []
    for chunk in chunked(title[:FOLDED] for title in titles):
        query = select(
            _i.item_id,
            _i.title,
            _i.description,
            _i.kopecks,
            _i.currency,
            _i.sku,
            _i.stock,
            _i.availability,
            _i.album_ids,
            _i.category_id,
            _i.photo_url,
            _i.rejection,
            _i.face,
            _i.digest,
        ).where(_i.user_id == user, _i.group_id == community, _i.title_folded.in_(chunk))
        found.extend(map(_item, (await connection.execute(query)).all()))
    return tuple(found)


def _item(row: Any) -> Item:
    item, title, description, kopecks, currency, sku, stock, availability, *rest = row
    return Item(item, title, description, kopecks, currency, sku, stock, Availability(availability), *rest)


async def save(
    connection: AsyncConnection,
    user: UserId,
    community: CommunityId,
    *,
    albums: Iterable[Album],
    albums_gone: Iterable[AlbumId],
    items: Iterable[Item],
    items_gone: Iterable[ItemId],
) -> None:
    for gone in chunked(sorted(albums_gone)):
        await connection.execute(
            delete(vk_cached_albums).where(_a.user_id == user, _a.group_id == community, _a.album_id.in_(gone))
        )
    for missing in chunked(sorted(items_gone)):
        await connection.execute(
            delete(vk_cached_products).where(_i.user_id == user, _i.group_id == community, _i.item_id.in_(missing))
        )
    await upsert(connection, vk_cached_albums, [_album_row(user, community, album) for album in albums])
    await upsert(connection, vk_cached_products, [_item_row(user, community, item) for item in items])


def _album_row(user: UserId, community: CommunityId, album: Album) -> dict[str, Any]:
    return {
        "user_id": user,
        "group_id": community,
        "album_id": album.id,
        "title": album.title,
        "title_folded": fold_vk(album.title),
        "size": album.size,
        "digest": album.digest,
    }


def _item_row(user: UserId, community: CommunityId, item: Item) -> dict[str, Any]:
    return {
        "user_id": user,
        "group_id": community,
        "item_id": item.id,
        "title": item.title,
        "title_folded": fold_vk(item.title),
        "description": item.description,
        "kopecks": item.kopecks,
        "currency": item.currency,
        "sku": item.sku,
        "stock": item.stock,
        "availability": int(item.availability),
        "album_ids": item.albums,
        "category_id": item.category,
        "photo_url": item.photo_url,
        "rejection": item.rejection,
        "face": item.face,
        "digest": item.digest,
    }
