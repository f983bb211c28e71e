"""The owner's settings of his mirror, and what a change of them would do to the shop."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, distinct, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import mirrors as due
from evosync.db import tills
from evosync.db.tables import cached_products, item_links, sync_configs, vk_connections
from evosync.domain.catalog import Product, Store
from evosync.domain.ids import CommunityId, StoreId, UserId
from evosync.domain.kinds import RISKY
from evosync.domain.links import LinkState
from evosync.domain.mirror import Reason, Scope
from evosync.domain.policy import Gone, Policy, StockMode
from evosync.domain.price import shown_stock, sold_by_gram
from evosync.domain.status import Standing

_s = sync_configs.c
_p = cached_products.c
_l = item_links.c
_OFF: Final = (
    Standing.OFF_GROUP.value,
    Standing.OFF_STORE.value,
    Standing.NEW_GROUP.value,
    Standing.HIDDEN_OFF.value,
)


@dataclass(frozen=True, slots=True)
class Rules:
    """An owner's row of settings; None: as the operator set it. `order` is of the stores as he ranks them."""

    interval: int | None = None
    weight: int | None = None
    stock: StockMode | None = None
    gone: Gone | None = None
    switched_off: Gone | None = None
    kinds: frozenset[str] = frozenset()
    order: tuple[StoreId, ...] = ()
    category: int | None = None

    def changed(self, other: "Rules") -> tuple[str, ...]:
        """Names of what differs."""
        return tuple(name for name in self.__slots__ if getattr(self, name) != getattr(other, name))


async def load(connection: AsyncConnection, user: UserId) -> Rules:
    row = (await connection.execute(select(sync_configs).where(_s.user_id == user))).mappings().one()
    return Rules(
        interval=row[_s.interval_seconds],
        weight=row[_s.weight_multiplier],
        stock=StockMode(row[_s.stock_mode]) if row[_s.stock_mode] else None,
        gone=Gone(row[_s.when_gone]) if row[_s.when_gone] else None,
        switched_off=Gone(row[_s.when_switched_off]) if row[_s.when_switched_off] else None,
        kinds=frozenset(row[_s.allowed_kinds]),
        order=tuple(StoreId(store) for store in row[_s.store_order]),
        category=row[_s.category_id],
    )


async def save(connection: AsyncConnection, user: UserId, rules: Rules, *, at: datetime) -> bool:
    """False if it stood so already. A change is wished for to be carried over."""
    before = await load(connection, user)
    if not rules.changed(before):
        return False
    await connection.execute(
        update(sync_configs)
        .where(_s.user_id == user)
        .values(
            interval_seconds=rules.interval,
            weight_multiplier=rules.weight,
            stock_mode=rules.stock.value if rules.stock is not None else None,
            when_gone=rules.gone.value if rules.gone is not None else None,
            when_switched_off=rules.switched_off.value if rules.switched_off is not None else None,
            allowed_kinds=sorted(rules.kinds),
            store_order=list(rules.order),
            category_id=rules.category,
        )
    )
    await due.want(connection, user, scope=Scope.FULL, reason=Reason.SETTINGS, at=at)
    return True


async def ranked(connection: AsyncConnection, user: UserId, rules: Rules) -> list[Store]:
    """The stores in the owner's order, the others after them by id, as a run takes them (`shelf.ranked_stores`)."""
    rank = {store: place for place, store in enumerate(rules.order)}
    known = await tills.stores(connection, user)
    return sorted(known, key=lambda store: (rank.get(store.id, len(rank)), store.id))


@dataclass(frozen=True, slots=True)
class Effects:
    """How many products or listings a change would concern, by what changes."""

    listed: int = 0
    """Listings that follow a product."""
    weighed: int = 0
    """Listings of goods sold by the gram."""
    sold_out: int = 0
    """Listings whose product has no stock left at the till."""
    gone: int = 0
    """Listings whose product is no longer at the till."""
    switched_off: int = 0
    """Listings of products that are switched off."""
    kinds: Mapping[str, int] = field(default_factory=dict)
    """Products of each kind, whether they stand in VK or not."""
    shared: int = 0
    """Products that several stores sell."""


async def effects(connection: AsyncConnection, user: UserId, changed: Sequence[str], policy: Policy) -> Effects:
    """Counts only what the change is about."""
    listed = await _count(connection, user, _p.vk_product_id.is_not(None), _p.gone_at.is_(None))
    return Effects(
        listed=listed,
        weighed=await _weighed(connection, user) if "weight" in changed else 0,
        sold_out=await _sold_out(connection, user, policy) if "stock" in changed else 0,
        gone=await _gone(connection, user) if "gone" in changed else 0,
        switched_off=(
            await _count(connection, user, _p.vk_product_id.is_not(None), _p.status.in_(_OFF), _p.gone_at.is_(None))
            if "switched_off" in changed
            else 0
        ),
        kinds={kind: await _of_kind(connection, user, kind) for kind in RISKY} if "kinds" in changed else {},
        shared=await _shared(connection, user) if "order" in changed else 0,
    )


async def _count(connection: AsyncConnection, user: UserId, *conditions: ColumnElement[bool]) -> int:
    query = select(func.count(distinct(_p.product_id))).where(_p.user_id == user, *conditions)
    return int(await connection.scalar(query) or 0)


async def _weighed(connection: AsyncConnection, user: UserId) -> int:
    listed = (_p.user_id == user, _p.vk_product_id.is_not(None), _p.gone_at.is_(None))
    units = (await connection.execute(select(_p.unit).where(*listed).distinct())).scalars()
    spelled = [unit for unit in units if sold_by_gram(unit)]
    return await _count(connection, user, *listed[1:], _p.unit.in_(spelled)) if spelled else 0


async def _sold_out(connection: AsyncConnection, user: UserId, policy: Policy) -> int:
    """Whose stock would be shown as none: by the same rule as the run's."""
    query = select(_p.product_id).where(
        _p.user_id == user, _p.vk_product_id.is_not(None), _p.sellable.is_(True), _p.gone_at.is_(None)
    )
    ids = set((await connection.execute(query)).scalars())
    rows: dict[str, list[Product]] = {}
    for product in await tills.products(connection, user, of_stores=None, ids=ids):
        rows.setdefault(product.id, []).append(product)
    return sum(shown_stock(variants, policy) == 0 for variants in rows.values())


async def _gone(connection: AsyncConnection, user: UserId) -> int:
    """Listings whose product is at no till any more, in the community that is connected."""
    community = await connection.scalar(select(vk_connections.c.group_id).where(vk_connections.c.user_id == user))
    if community is None:
        return 0
    here = select(_p.product_id).where(_p.user_id == user, _p.gone_at.is_(None))
    query = select(func.count()).where(
        _l.user_id == user,
        _l.community_id == CommunityId(community),
        _l.state == LinkState.LIVE.value,
        _l.product_id.not_in(here),
    )
    return int(await connection.scalar(query) or 0)


async def _of_kind(connection: AsyncConnection, user: UserId, kind: str) -> int:
    begins = or_(*(_p.kind.startswith(beginning, autoescape=True) for beginning in RISKY[kind]))
    return await _count(connection, user, begins, _p.gone_at.is_(None))


async def _shared(connection: AsyncConnection, user: UserId) -> int:
    twice = (
        select(_p.product_id)
        .where(_p.user_id == user, _p.gone_at.is_(None))
        .group_by(_p.product_id)
        .having(func.count() > 1)
    )
    return int(await connection.scalar(select(func.count()).select_from(twice.subquery())) or 0)
