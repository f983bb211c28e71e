"""Products that wait for their owner, by cause; and what he can do about them: try again, or say which is which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import and_, distinct, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import history, links
from evosync.db.history import Named
from evosync.db.tables import cached_products, item_links, vk_cached_products
from evosync.db.tills import show_items
from evosync.domain.catalog import Availability
from evosync.domain.ids import CommunityId, ItemId, ProductId, UserId
from evosync.domain.links import Link, LinkState, ReadBack, Written
from evosync.domain.marker import PREFIX, marker
from evosync.domain.status import NEEDS_OWNER, Standing, Status
from evosync.domain.texts import clean_name, fold, fold_vk

FEW: Final = 20
"""Products that are named of each cause; the rest are on a page of their own."""

RETRIED: Final = frozenset(
    {Standing.REFUSED_FIELD, Standing.BAD_PHOTO, Standing.FAILED, Standing.REMOVED_IN_VK, Standing.SHOP_FULL}
)
"""Standings that a retry may clear."""

_MOST_CAUSES: Final = 100
_p = cached_products.c
_l = item_links.c
_i = vk_cached_products.c


@dataclass(frozen=True, slots=True)
class Cause:
    """Products that wait for the same thing. `key` names the cause in an address."""

    key: str
    status: Status
    count: int
    products: tuple[tuple[ProductId, Named], ...]


def _waiting(user: UserId) -> Any:
    return and_(
        _p.user_id == user,
        _p.status.in_(sorted(standing.value for standing in NEEDS_OWNER)),
        _p.gone_at.is_(None),
    )


async def causes(connection: AsyncConnection, user: UserId) -> tuple[Cause, ...]:
    """The most frequent first; of each a few products."""
    query = (
        select(_p.status, _p.status_digest, func.max(_p.status_values), func.count(distinct(_p.product_id)))
        .where(_waiting(user))
        .group_by(_p.status, _p.status_digest)
        .order_by(func.count(distinct(_p.product_id)).desc(), _p.status)
        .limit(_MOST_CAUSES)
    )
    found = []
    for status, digest, values, count in (await connection.execute(query)).all():
        stands = Status(Standing(status), _values(values))
        ids = await _products(connection, user, stands.standing, digest, limit=FEW)
        names = await history.named(connection, user, ids)
        products = tuple((product, names[product]) for product in ids if product in names)
        found.append(Cause(_key(stands.standing, digest), stands, count, products))
    return tuple(found)


async def cause(connection: AsyncConnection, user: UserId, key: str, *, page: int) -> Cause | None:
    """One of them with a page of its products; None where nothing waits for it (any more)."""
    standing, digest = _read_key(key)
    if standing is None:
        return None
    query = select(func.max(_p.status_values), func.count(distinct(_p.product_id))).where(
        _waiting(user), _p.status == standing.value, _p.status_digest == digest
    )
    values, count = (await connection.execute(query)).one()
    if not count:
        return None
    ids = await _products(connection, user, standing, digest, limit=history.PAGE, offset=(page - 1) * history.PAGE)
    names = await history.named(connection, user, ids)
    products = tuple((product, names[product]) for product in ids if product in names)
    return Cause(key, Status(standing, _values(values)), count, products)


def _values(stored: Any) -> Mapping[str, str]:
    return stored if isinstance(stored, dict) else {}


def _key(standing: Standing, digest: bytes | None) -> str:
    return f"{standing.value}.{(digest or b'').hex()}"


def _read_key(key: str) -> tuple[Standing | None, bytes]:
    name, _, digest = key.partition(".")
    try:
        standing = Standing(name)
        found = bytes.fromhex(digest)
    except ValueError:
        return None, b""
    return (standing if standing in NEEDS_OWNER else None), found


async def _products(
    connection: AsyncConnection, user: UserId, standing: Standing, digest: bytes | None, *, limit: int, offset: int = 0
) -> Sequence[ProductId]:
    query = (
        select(_p.product_id)
        .where(_waiting(user), _p.status == standing.value, _p.status_digest == digest)
        .group_by(_p.product_id)
        .order_by(func.min(_p.name_folded), _p.product_id)
        .offset(offset)
        .limit(limit)
    )
    return list((await connection.execute(query)).scalars())


async def retry(connection: AsyncConnection, user: UserId, community: CommunityId, key: str = "") -> int:
    """Forgets that VK refused, or that a listing was deleted, so that the next run tries again.

    Of one cause, or of all. How many products it was; a repeat finds none and does no harm.
    """
    standing, digest = _read_key(key) if key else (None, b"")
    if key and standing not in RETRIED:
        return 0
    query = select(_p.product_id).where(_waiting(user), _p.status.in_(sorted(one.value for one in RETRIED)))
    if standing is not None:
        query = query.where(_p.status == standing.value, _p.status_digest == digest)
    ids = list(dict.fromkeys((await connection.execute(query)).scalars()))
    known = await links.whole(connection, user, community, ids)
    removed = [link.product for link in known.values() if link.state is LinkState.REMOVED]
    refused = [_untried(link) for link in known.values() if link.state is not LinkState.REMOVED and link.refusal]
    await links.drop(connection, user, community, removed, LinkState.REMOVED)
    await links.save(connection, user, community, refused)
    return len(removed) + len(refused)


def _untried(link: Link) -> Link:
    """The link as it is looked at afresh: without the face, and without a word of what was written.

    What VK refused may be noted as written, and would then not be sent again. All that is as wanted in VK is left so.
    """
    written, read = link.written, link.read_back
    if link.state is LinkState.LIVE and written is not None:
        written = replace(written, name=None, description=None, kopecks=None, stock=None)
        read = replace(read, description=None) if read is not None else None
    return replace(link, refused=b"", refusal="", face=b"", written=written, read_back=read)


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing of the owner's that bears a product's name."""

    id: ItemId
    title: str
    kopecks: int | None
    picture: str


async def same_titled(
    connection: AsyncConnection, user: UserId, community: CommunityId, product: ProductId
) -> tuple[Named, tuple[Listing, ...]] | None:
    """The product and the listings that could be his; None where this is not (or no longer) the question."""
    query = select(_p.name).where(
        _p.user_id == user,
        _p.product_id == product,
        _p.status == Standing.SAME_TITLE.value,
        _p.gone_at.is_(None),
    )
    names = list((await connection.execute(query)).scalars())
    if not names:
        return None
    found = (await history.named(connection, user, [product])).get(product)
    titles = {fold(clean_name(name)) for name in names} | {fold_vk(name) for name in names}
    taken = select(_l.item_id).where(_l.user_id == user, _l.community_id == community, _l.item_id.is_not(None))
    listed = (
        select(_i.item_id, _i.title, _i.kopecks, _i.photo_url, _i.sku)
        .where(
            _i.user_id == user,
            _i.group_id == community,
            _i.title_folded.in_([title[:255] for title in titles]),
            _i.availability == int(Availability.AVAILABLE),
            _i.item_id.not_in(taken),
        )
        .order_by(_i.item_id)
        .limit(history.PAGE)
    )
    listings = tuple(
        Listing(item, title, kopecks, picture)
        for item, title, kopecks, picture, sku in (await connection.execute(listed)).all()
        if not (sku or "").startswith(PREFIX)
    )
    return (found or Named(names[0])), listings


async def choose(
    connection: AsyncConnection, user: UserId, community: CommunityId, product: ProductId, item: ItemId | None
) -> bool:
    """This listing is that product's; None: none of them, so that a new one is made. False where it cannot be so.

    A repeat changes nothing.
    """
    known = (await links.links(connection, user, community, [product])).get(product)
    if known is not None and known.item == item:
        return True
    found = await same_titled(connection, user, community, product)
    if found is None:
        return False
    if item is None:
        # A link without an item keeps the next plan from looking for a listing of that name.
        link = Link(product, marker(product), LinkState.REFUSED)
    else:
        if item not in {listing.id for listing in found[1]}:
            return False
        link = await _adopted(connection, user, community, product, item)
    await links.save(connection, user, community, [link])
    await show_items(connection, user, community, [product])
    return True


async def _adopted(
    connection: AsyncConnection, user: UserId, community: CommunityId, product: ProductId, item: ItemId
) -> Link:
    """As the plan itself adopts a listing: its texts and its picture stay the owner's."""
    query = select(_i.title, _i.description, _i.kopecks, _i.stock, _i.availability).where(
        _i.user_id == user, _i.group_id == community, _i.item_id == item
    )
    title, description, kopecks, stock, availability = (await connection.execute(query)).one()
    return Link(
        product,
        marker(product),
        LinkState.LIVE,
        item,
        keeps_text=True,
        written=Written(),
        read_back=ReadBack(title, description, kopecks, stock, availability),
    )
