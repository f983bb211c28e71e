"""Which product is which item, and which group which album."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import tills
from evosync.db.engine import chunked, upsert
from evosync.db.rows import rows
from evosync.db.tables import album_links, item_links
from evosync.db.types import utc
from evosync.domain.ids import AlbumId, CommunityId, ProductId, UserId
from evosync.domain.links import AlbumLink, Link, LinkState, ReadBack, Written
from evosync.domain.making import maker

_l = item_links.c
_a = album_links.c

_LEAN = (
    _l.product_id,
    _l.marker,
    _l.state,
    _l.item_id,
    _l.keeps_text,
    _l.hidden_by_us,
    _l.album_id,
    _l.source,
    _l.face,
    _l.photo_source,
    _l.refused,
    _l.refusal,
    _l.intent_at,
    _l.looked_at,
    _l.created_at,
)
_STATES = {state.value: state for state in LinkState}
_made = maker(Link)


class Placing(Protocol):
    """`Placed` of the engine's ports."""

    @property
    def product(self) -> ProductId: ...
    @property
    def album(self) -> AlbumId | None: ...


async def links(
    connection: AsyncConnection, user: UserId, community: CommunityId, ids: Iterable[ProductId] | None
) -> dict[ProductId, Link]:
    """Without what was written and read back."""
    if ids is None:
        found = await rows(connection, _LEAN, {_l.user_id: user, _l.community_id: community}, by=_l.product_id)
        return {row[0]: _raw(row) for row in found}
    query = select(*_LEAN).where(_l.user_id == user, _l.community_id == community)
    some: dict[ProductId, Link] = {}
    for chunk in chunked(ids):
        for row in (await connection.execute(query.where(_l.product_id.in_(chunk)))).all():
            some[row[0]] = _link(row)
    return some


def _raw(row: Sequence[Any]) -> Link:
    (
        product, marker, state, item, keeps_text, hidden, album, source, face,
        photo, refused, refusal, intent_at, looked_at, created_at,
    ) = row  # fmt: skip
    return _made(
        product,
        marker,
        _STATES[state],
        item,
        keeps_text == 1,
        hidden == 1,
        album,
        bytes.fromhex(source),
        bytes.fromhex(face),
        None,
        None,
        photo,
        bytes.fromhex(refused),
        refusal,
        utc(intent_at) if intent_at else None,
        utc(looked_at) if looked_at else None,
        utc(created_at) if created_at else None,
    )


def _link(row: Any, written: Written | None = None, read_back: ReadBack | None = None) -> Link:
    product, marker, state, item, keeps, hidden, album, source, face, *rest = row
    return Link(product, marker, _STATES[state], item, keeps, hidden, album, source, face, written, read_back, *rest)


async def whole(
    connection: AsyncConnection, user: UserId, community: CommunityId, ids: Iterable[ProductId]
) -> dict[ProductId, Link]:
    found: dict[ProductId, Link] = {}
    query = select(_l.written, _l.read_back, *_LEAN).where(_l.user_id == user, _l.community_id == community)
    for chunk in chunked(ids):
        for written, read_back, *row in (await connection.execute(query.where(_l.product_id.in_(chunk)))).all():
            found[row[0]] = _link(
                row,
                None if written is None else Written(**written),
                None if read_back is None else ReadBack(**read_back),
            )
    return found


async def intend(connection: AsyncConnection, user: UserId, community: CommunityId, links: Sequence[Link]) -> None:
    await upsert(connection, item_links, [_row(user, community, link) for link in links])


async def save(connection: AsyncConnection, user: UserId, community: CommunityId, links: Sequence[Link]) -> None:
    # The album is `save_placed`'s to say: an edit and a move of one item may be recorded in any order.
    await upsert(connection, item_links, [_row(user, community, link) for link in links], keep=("album_id",))
    await tills.show_items(connection, user, community, [link.product for link in links])


def _row(user: UserId, community: CommunityId, link: Link) -> dict[str, Any]:
    return {
        "user_id": user,
        "community_id": community,
        "product_id": link.product,
        "marker": link.marker,
        "state": link.state.value,
        "item_id": link.item,
        "keeps_text": link.keeps_text,
        "hidden_by_us": link.hidden_by_us,
        "album_id": link.album,
        "source": link.source,
        "face": link.face,
        "written": None if link.written is None else asdict(link.written),
        "read_back": None if link.read_back is None else asdict(link.read_back),
        "photo_source": link.photo_source,
        "refused": link.refused,
        "refusal": link.refusal,
        "intent_at": link.intent_at,
        "looked_at": link.looked_at,
        "created_at": link.created_at,
    }


async def drop(
    connection: AsyncConnection,
    user: UserId,
    community: CommunityId,
    products: Sequence[ProductId],
    state: LinkState = LinkState.INTENT,
) -> None:
    """Forget links that are in that state still: a newer run may have made what an older one gave up."""
    for chunk in chunked(sorted(products)):
        await connection.execute(
            delete(item_links).where(
                _l.user_id == user,
                _l.community_id == community,
                _l.product_id.in_(chunk),
                _l.state == state.value,
            )
        )


async def save_placed(
    connection: AsyncConnection, user: UserId, community: CommunityId, placed: Sequence[Placing]
) -> None:
    if not placed:
        return
    statement = (
        update(item_links)
        .where(
            _l.user_id == bindparam("of_user"),
            _l.community_id == bindparam("of_community"),
            _l.product_id == bindparam("of_product"),
        )
        .values(album_id=bindparam("album"))
    )
    await connection.execute(
        statement,
        [
            {"of_user": user, "of_community": community, "of_product": one.product, "album": one.album}
            for one in sorted(placed, key=lambda one: one.product)
        ],
    )


async def adds_since(
    connection: AsyncConnection, user: UserId, community: CommunityId, since: datetime
) -> tuple[int, datetime | None]:
    query = select(func.count(), func.min(_l.created_at)).where(
        _l.user_id == user, _l.community_id == community, _l.created_at >= since
    )
    count, first = (await connection.execute(query)).one()
    return int(count), first


async def albums(connection: AsyncConnection, user: UserId, community: CommunityId) -> tuple[AlbumLink, ...]:
    query = (
        select(_a.store_id, _a.group_id, _a.album_id, _a.title, _a.read_back, _a.adopted)
        .where(_a.user_id == user, _a.community_id == community)
        .order_by(_a.store_id, _a.group_id)
    )
    return tuple(AlbumLink(*row) for row in (await connection.execute(query)).all())


async def save_albums(
    connection: AsyncConnection, user: UserId, community: CommunityId, links: Sequence[AlbumLink]
) -> None:
    changed = [
        {
            "user_id": user,
            "community_id": community,
            "store_id": link.store,
            "group_id": link.group,
            "album_id": link.album,
            "title": link.title,
            "read_back": link.read_back,
            "adopted": link.adopted,
        }
        for link in links
    ]
    await upsert(connection, album_links, changed)


async def drop_albums(
    connection: AsyncConnection, user: UserId, community: CommunityId, gone: Sequence[AlbumId]
) -> None:
    for chunk in chunked(sorted(gone)):
        await connection.execute(
            delete(album_links).where(_a.user_id == user, _a.community_id == community, _a.album_id.in_(chunk))
        )
