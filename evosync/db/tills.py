"""What the till last said: read and written."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db.engine import chunked, upsert
from evosync.db.rows import rows
from evosync.db.tables import cached_groups, cached_products, cached_stores, item_links, vk_connections
from evosync.domain.catalog import Group, Product, Store
from evosync.domain.ids import CommunityId, ProductId, StoreId, UserId
from evosync.domain.links import LinkState
from evosync.domain.making import maker
from evosync.domain.mirror import KnownProduct, TillChanges
from evosync.domain.status import AT_REST, Standing, Status
from evosync.domain.texts import fold_for_search

_p = cached_products.c
_known = maker(KnownProduct)

_KNOWN = (_p.product_id, _p.digest, _p.status, _p.status_digest, _p.gone_at)
_AT_REST = frozenset(standing.value for standing in AT_REST)

_PRODUCT = (
    _p.product_id,
    _p.store_id,
    _p.name,
    _p.group_id,
    _p.kopecks,
    _p.quantity,
    _p.unit,
    _p.kind,
    _p.sellable,
    _p.description,
    _p.code,
    _p.article,
    _p.updated_at,
    _p.digest,
)


async def known_products(
    connection: AsyncConnection, user: UserId, store: StoreId, ids: Iterable[ProductId] | None = None
) -> dict[ProductId, KnownProduct]:
    if ids is None:
        found = await rows(connection, _KNOWN, {_p.user_id: user, _p.store_id: store}, by=_p.product_id)
        return {
            product: _known(bytes.fromhex(digest), bytes.fromhex(stood or ""), status in _AT_REST, gone is not None)
            for product, digest, status, stood, gone in found
        }
    query = select(*_KNOWN).where(_p.user_id == user, _p.store_id == store)
    some: dict[ProductId, KnownProduct] = {}
    for chunk in chunked(ids):
        for product, digest, status, stood, gone in await connection.execute(query.where(_p.product_id.in_(chunk))):
            some[product] = KnownProduct(digest, stood or b"", status in _AT_REST, gone is not None)
    return some


async def stores(connection: AsyncConnection, user: UserId) -> tuple[Store, ...]:
    """In the till's order."""
    s = cached_stores.c
    query = select(s.store_id, s.name, s.address, s.till_user).where(s.user_id == user).order_by(s.position, s.store_id)
    return tuple(Store(*row) for row in (await connection.execute(query)).all())


async def groups(connection: AsyncConnection, user: UserId) -> tuple[Group, ...]:
    g = cached_groups.c
    query = select(g.group_id, g.store_id, g.name, g.parent_id, g.holds_modifications).where(g.user_id == user)
    return tuple(Group(*row) for row in (await connection.execute(query)).all())


async def products(
    connection: AsyncConnection, user: UserId, *, of_stores: Iterable[StoreId] | None, ids: Iterable[ProductId] | None
) -> tuple[Product, ...]:
    query = select(*_PRODUCT).where(_p.user_id == user, _p.gone_at.is_(None))
    if of_stores is not None:
        query = query.where(_p.store_id.in_(list(of_stores)))
    found: list[Product] = []
    for chunk in [None] if ids is None else chunked(ids):
        part = query if chunk is None else query.where(_p.product_id.in_(chunk))
        found.extend(map(_product, (await connection.execute(part)).all()))
    return tuple(found)


def _product(row: Any) -> Product:
    product, store, name, group, kopecks, quantity, *rest = row
    return Product(product, store, name, group, kopecks, Decimal(quantity) if quantity is not None else None, *rest)


async def save(connection: AsyncConnection, user: UserId, changes: TillChanges, *, at: datetime) -> None:
    await _save_stores(connection, user, changes)
    if changes.stores_gone:  # with all that was sold there
        sold_there = (_p.user_id == user, _p.store_id.in_(changes.stores_gone), _p.gone_at.is_(None))
        await connection.execute(update(cached_products).where(*sold_there).values(gone_at=at))
    await _save_groups(connection, user, changes)
    await upsert(connection, cached_products, [_product_row(user, product, at) for product in changes.products])
    if changes.products_gone:
        statement = (
            update(cached_products)
            .where(
                _p.user_id == bindparam("of_user"),
                _p.store_id == bindparam("of_store"),
                _p.product_id == bindparam("of_product"),
            )
            .values(gone_at=bindparam("at"))
        )
        gone = [
            {"of_user": user, "of_store": store, "of_product": product, "at": at}
            for store, product in sorted(changes.products_gone)
        ]
        await connection.execute(statement, gone)


async def _save_stores(connection: AsyncConnection, user: UserId, changes: TillChanges) -> None:
    if changes.stores_gone:
        s = cached_stores.c
        await connection.execute(delete(cached_stores).where(s.user_id == user, s.store_id.in_(changes.stores_gone)))
    if changes.stores:
        last = select(func.coalesce(func.max(cached_stores.c.position), -1)).where(cached_stores.c.user_id == user)
        free = (await connection.scalar(last) or 0) + 1
        changed = [
            {
                "user_id": user,
                "store_id": store.id,
                "name": store.name,
                "address": store.address,
                "till_user": store.till_user,
                "position": position,
            }
            for position, store in enumerate(changes.stores, free)
        ]
        await upsert(connection, cached_stores, changed, keep=["position"])


async def _save_groups(connection: AsyncConnection, user: UserId, changes: TillChanges) -> None:
    g = cached_groups.c
    for store, group in sorted(changes.groups_gone):
        await connection.execute(
            delete(cached_groups).where(g.user_id == user, g.store_id == store, g.group_id == group)
        )
    changed = [
        {
            "user_id": user,
            "store_id": group.store,
            "group_id": group.id,
            "parent_id": group.parent,
            "name": group.name,
            "holds_modifications": group.holds_modifications,
        }
        for group in changes.groups
    ]
    await upsert(connection, cached_groups, changed)


def _product_row(user: UserId, product: Product, at: datetime) -> dict[str, Any]:
    return {
        "user_id": user,
        "store_id": product.store,
        "product_id": product.id,
        "group_id": product.group,
        "name": product.name,
        "name_folded": fold_for_search(product.name),
        "kopecks": product.kopecks,
        "quantity": None if product.quantity is None else str(product.quantity),
        "unit": product.unit,
        "kind": product.kind,
        "sellable": product.sellable,
        "description": product.description,
        "code": product.code,
        "article": product.article,
        "updated_at": product.updated_at,
        "digest": product.digest,
        "seen_at": at,
        "gone_at": None,
    }


async def save_statuses(
    connection: AsyncConnection,
    user: UserId,
    statuses: Mapping[ProductId, Status],
    *,
    run: int,
    at: datetime,
    instead_of: Collection[Standing] | None = None,
) -> None:
    """A status is a product's in all stores. Most products share few statuses, so each is written in one go."""
    stands = () if instead_of is None else (_p.status.in_([standing.value for standing in instead_of]),)
    alike: dict[bytes, list[ProductId]] = {}
    for product, status in statuses.items():
        alike.setdefault(status.digest, []).append(product)
    for digest, members in sorted(alike.items()):
        status = statuses[members[0]]
        for chunk in chunked(sorted(members)):
            await connection.execute(
                update(cached_products)
                .where(_p.user_id == user, _p.product_id.in_(chunk), *stands)
                .values(
                    status=status.standing.value,
                    status_values=dict(status.values),
                    status_digest=digest,
                    status_at=at,
                    status_run_id=run,
                )
            )


async def show_items(
    connection: AsyncConnection, user: UserId, community: CommunityId, products: Iterable[ProductId] | None = None
) -> None:
    """Note which VK items these products (or all) are in the community, as its links have it; not in a former one."""
    item = (
        select(item_links.c.item_id)
        .where(
            item_links.c.user_id == user,
            item_links.c.community_id == community,
            item_links.c.product_id == _p.product_id,
            item_links.c.state == LinkState.LIVE.value,
        )
        .scalar_subquery()
    )
    elsewhere = exists().where(vk_connections.c.user_id == user, vk_connections.c.group_id != community)
    noted = update(cached_products).where(_p.user_id == user, ~elsewhere).values(vk_product_id=item)
    if products is None:
        await connection.execute(noted)
        return
    for chunk in chunked(sorted(products)):
        await connection.execute(noted.where(_p.product_id.in_(chunk)))
