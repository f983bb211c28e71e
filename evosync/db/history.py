"""An owner's mirror as its pages show it: what it does now, how fresh the shop is, and what its runs did."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import RowMapping, Select, String, bindparam, distinct, func, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import choices, runs, tills
from evosync.db.engine import chunked
from evosync.db.glance import may_be_unread
from evosync.db.mirrors import pause_of, reading_of
from evosync.db.rows import few_rows
from evosync.db.tables import (
    cached_groups,
    cached_products,
    evotor_connections,
    item_links,
    mirrors,
    run_items,
    sync_configs,
    sync_runs,
    users,
    vk_connections,
)
from evosync.domain.action import Note
from evosync.domain.connection import Health
from evosync.domain.guard import Finding
from evosync.domain.ids import CommunityId, GroupId, ItemId, ProductId, RunId, StoreId, UserId
from evosync.domain.mirror import Pause, Result, RunRecord, Scope, Step, StoreReading, StoreState
from evosync.domain.status import IN_VK, NEEDS_OWNER, WAITING, Standing

PAGE: Final = 50

_e = evotor_connections.c
_v = vk_connections.c
_m = mirrors.c
_s = sync_configs.c
_r = sync_runs.c
_i = run_items.c
_p = cached_products.c
_g = cached_groups.c
_l = item_links.c
_BY_GROUP: Final = "USE INDEX (ix_cached_products_group)"
_BY_STATUS: Final = "USE INDEX (ix_cached_products_status)"

BEHIND: Final = sorted(standing.value for standing in WAITING)
"""Statuses of products that differ from the till and are on their way."""


@dataclass(frozen=True, slots=True)
class Key:
    """How a connection is doing; `reason` is the code of what broke it, at `since`."""

    health: Health
    reason: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Going:
    """A run that goes on, as it last said of itself. `total` 0: not known yet."""

    id: RunId
    scope: Scope
    reasons: tuple[str, ...]
    step: Step | None
    done: int
    total: int
    started_at: datetime
    heartbeat_at: datetime


@dataclass(frozen=True, slots=True)
class Unread:
    """A store that is switched on and was not read the last time."""

    name: str
    reading: StoreReading


@dataclass(frozen=True, slots=True)
class Now:
    """A mirror at this moment. `till`, `shop` None: not connected."""

    till: Key | None = None
    shop: Key | None = None
    community: CommunityId | None = None
    community_name: str = ""
    started_at: datetime | None = None
    paused_at: datetime | None = None
    interval: timedelta | None = None
    wanted_at: datetime | None = None
    next_at: datetime | None = None
    shop_read_at: datetime | None = None
    going: Going | None = None
    pauses: Mapping[str, Pause] = field(default_factory=dict)
    readings: Mapping[StoreId, StoreReading] = field(default_factory=dict)
    unread: tuple[Unread, ...] = ()
    """In the till's order."""
    finding: Finding | None = None
    """What a guard stopped the shop for, where one did."""


_NOW: Final = (
    select(
        _e.sealed.is_not(None).label("has_till"),
        _e.health.label("till_health"),
        _e.reason.label("till_reason"),
        _e.reason_at.label("till_since"),
        _v.sealed.is_not(None).label("has_shop"),
        _v.health.label("shop_health"),
        _v.reason.label("shop_reason"),
        _v.reason_at.label("shop_since"),
        _v.group_id,
        _v.community_name,
        _s.started_at.label("first_at"),
        _s.paused_at,
        _s.interval_seconds,
        _m.wanted_at,
        _m.next_at,
        _m.shop_read_at,
        _m.pauses,
        _m.readings,
        _r.id.label("run"),
        _r.scope,
        _r.reasons,
        _r.step,
        _r.done,
        _r.total,
        _r.started_at,
        _r.heartbeat_at,
    )
    .select_from(
        users.outerjoin(evotor_connections, _e.user_id == users.c.id)
        .outerjoin(vk_connections, _v.user_id == users.c.id)
        .outerjoin(sync_configs, _s.user_id == users.c.id)
        .outerjoin(mirrors, _m.user_id == users.c.id)
        .outerjoin(sync_runs, _r.id == _m.run_id)
    )
    .where(users.c.id == bindparam("user"))
)


async def now(connection: AsyncConnection, user: UserId) -> Now:
    row = (await connection.execute(_NOW, {"user": user})).mappings().first()
    if row is None:
        return Now()
    readings = {StoreId(store): reading_of(value) for store, value in (row["readings"] or {}).items()}
    return Now(
        till=Key(Health(row["till_health"]), row["till_reason"], row["till_since"]) if row["has_till"] else None,
        shop=Key(Health(row["shop_health"]), row["shop_reason"], row["shop_since"]) if row["has_shop"] else None,
        community=CommunityId(row["group_id"]) if row["has_shop"] else None,
        community_name=row["community_name"] or "",
        started_at=row["first_at"],
        paused_at=row["paused_at"],
        interval=timedelta(seconds=row["interval_seconds"]) if row["interval_seconds"] else None,
        wanted_at=row["wanted_at"],
        next_at=row["next_at"],
        shop_read_at=row["shop_read_at"],
        going=_going(row) if row["run"] is not None else None,
        pauses={method: pause_of(value) for method, value in (row["pauses"] or {}).items()},
        readings=readings,
        unread=await _unread(connection, user, readings),
        finding=await finding(connection, user, row["shop_reason"]) if row["shop_reason"] else None,
    )


async def _unread(
    connection: AsyncConnection, user: UserId, readings: Mapping[StoreId, StoreReading]
) -> tuple[Unread, ...]:
    failed = {store: reading for store, reading in readings.items() if may_be_unread(reading.state)}
    if not failed:
        return ()
    shown, _ = await choices.switches(connection, user)
    return tuple(
        Unread(store.name, failed[store.id])
        for store in await tills.stores(connection, user)
        if store.id in failed and shown.get(store.id)
    )


async def finding(connection: AsyncConnection, user: UserId, code: str) -> Finding | None:
    """What the guard of this code found when it last stopped the owner's shop."""
    query = (
        select(_r.notes)
        .where(_r.user_id == user, _r.code == code, _r.finished_at.is_not(None))
        .order_by(_r.finished_at.desc())
        .limit(1)
    )
    notes = await connection.scalar(query)
    return guard_finding(notes or {})


def guard_finding(notes: Mapping[str, Sequence[str]]) -> Finding | None:
    """What a guard left with its run."""
    return next((Finding.read(text) for text in notes.get(Note.GUARD.value, ())), None)


def _going(row: RowMapping) -> Going:
    return Going(
        id=RunId(row["run"]),
        scope=Scope(row["scope"]),
        reasons=tuple(row["reasons"]),
        step=Step(row["step"]) if row["step"] else None,
        done=row["done"],
        total=row["total"],
        started_at=row["started_at"],
        heartbeat_at=row["heartbeat_at"],
    )


@dataclass(frozen=True, slots=True)
class GroupCount:
    """A group that stands in the shop, or shall: `size` products, `same` of them in VK as at the till."""

    name: str
    size: int
    same: int
    waiting: int
    needs_owner: int


async def unpaid_store(connection: AsyncConnection, user: UserId, now: Now) -> str:
    """The name of a store that is not paid for, where that is so of all that are switched on; else empty."""
    unpaid = {store for store, reading in now.readings.items() if reading.state is StoreState.UNPAID}
    if not unpaid:
        return ""
    switched, _ = await choices.switches(connection, user)
    shown = {store for store, is_on in switched.items() if is_on} & now.readings.keys()
    if not shown or not shown <= unpaid:
        return ""
    return next((store.name for store in await tills.stores(connection, user) if store.id in shown), "")


@dataclass(frozen=True, slots=True)
class Fresh:
    """How well the shop follows the till. `oldest` is the oldest difference: since when, and which product.

    `shown` are products that are in VK or ought to be.
    """

    shown: int = 0
    same: int = 0
    waiting: int = 0
    needs_owner: int = 0
    creates: int = 0
    groups: tuple[GroupCount, ...] = ()
    oldest: tuple[datetime, str] | None = None


_COUNTED: Final = (
    select(_p.store_id, _p.group_id, _p.status, (func.count() - func.count(_p.gone_at)).label("count"))
    .where(_p.user_id == bindparam("user"))
    .group_by(_p.store_id, _p.group_id, _p.status)
    .with_hint(cached_products, _BY_GROUP, "mysql")
    .with_hint(cached_products, _BY_GROUP, "mariadb")
    .subquery()
)
_COUNTS: Final = select(_COUNTED, _g.name).select_from(
    _COUNTED.outerjoin(
        cached_groups,
        (_g.user_id == bindparam("user")) & (_g.store_id == _COUNTED.c.store_id) & (_g.group_id == _COUNTED.c.group_id),
    )
)
_EACH: Final = (
    select(_p.status, func.count(distinct(_p.product_id)))
    .where(_p.user_id == bindparam("user"), _p.gone_at.is_(None))
    .group_by(_p.status)
)
_OLDEST: Final = (
    select(_p.status_at, _p.name)
    .where(_p.user_id == bindparam("user"), _p.status.in_(BEHIND), _p.gone_at.is_(None))
    .order_by(_p.status_at)
    .limit(1)
    .with_hint(cached_products, _BY_STATUS, "mysql")
    .with_hint(cached_products, _BY_STATUS, "mariadb")
)


_SAME: Final = frozenset(standing.value for standing in IN_VK)
_WAITING: Final = frozenset(standing.value for standing in WAITING)
_OWNER: Final = frozenset(standing.value for standing in NEEDS_OWNER - {Standing.NEW_GROUP})


async def fresh(connection: AsyncConnection, user: UserId) -> Fresh:
    """Counts products of all stores; one that several sell counts once in the sums."""
    of = {"user": user}
    per_group: dict[tuple[StoreId, GroupId], Counter[str | None]] = defaultdict(Counter)
    names: dict[tuple[StoreId, GroupId], str] = {}
    for store, group, status, count, name in await few_rows(connection, _COUNTS, of):
        per_group[store, group][status] += count
        names[store, group] = name or ""
    statuses: Counter[str | None] = Counter()
    if len({store for store, _ in per_group}) > 1:
        for status, count in await connection.execute(_EACH, of):
            statuses[status] = count
    else:
        for counts in per_group.values():
            statuses.update(counts)
    groups = [_group(names[key], counts) for key, counts in per_group.items()]
    whole = _group("", statuses)
    oldest = (await connection.execute(_OLDEST, of)).first() if whole.waiting else None
    return Fresh(
        shown=whole.size,
        same=whole.same,
        waiting=whole.waiting,
        needs_owner=sum(statuses[standing.value] for standing in NEEDS_OWNER),
        creates=statuses[Standing.WAIT_CREATE.value] + statuses[Standing.WAIT_VK.value],
        groups=tuple(sorted((one for one in groups if one.size), key=lambda one: -one.size)),
        oldest=(oldest[0], oldest[1]) if oldest is not None and oldest[0] is not None else None,
    )


def _group(name: str, statuses: Mapping[str | None, int]) -> GroupCount:
    same = sum(count for status, count in statuses.items() if status in _SAME)
    waiting = sum(count for status, count in statuses.items() if status in _WAITING)
    owner = sum(count for status, count in statuses.items() if status in _OWNER)
    return GroupCount(name, same + waiting + owner, same, waiting, owner)


async def made_since(connection: AsyncConnection, user: UserId, community: CommunityId, since: datetime) -> int:
    """Listings made since then; VK limits how many a day may bring."""
    query = select(func.count()).where(_l.user_id == user, _l.community_id == community, _l.created_at >= since)
    return int(await connection.scalar(query) or 0)


async def count_runs(connection: AsyncConnection, user: UserId) -> int:
    """As many as `some_runs` has: those that only looked are of no interest any more."""
    return int(await connection.scalar(_RUNS, {"user": user}) or 0)


_RUNS: Final = select(func.count()).where(_r.user_id == bindparam("user"), _r.dry.is_(False))


async def some_runs(connection: AsyncConnection, user: UserId, *, number: int) -> list[RunRecord]:
    """A page of them, the newest first."""
    query = (
        select(sync_runs)
        .where(_r.user_id == user, _r.dry.is_(False))
        .order_by(_r.started_at.desc(), _r.id.desc())
        .offset((number - 1) * PAGE)
        .limit(PAGE)
    )
    return [runs.record(row) for row in (await connection.execute(query)).mappings()]


async def last_run(connection: AsyncConnection, user: UserId, *, dry: bool = False) -> RunRecord | None:
    """The last that ended; `dry`: of those that only looked."""
    query = (
        select(sync_runs)
        .where(_r.user_id == user, _r.finished_at.is_not(None), _r.dry.is_(dry))
        .order_by(_r.finished_at.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).mappings().first()
    return runs.record(row) if row is not None else None


async def run(connection: AsyncConnection, user: UserId, number: RunId) -> RunRecord | None:
    """None where this owner has no such run."""
    query = select(sync_runs).where(_r.id == number, _r.user_id == user)
    row = (await connection.execute(query)).mappings().first()
    return runs.record(row) if row is not None else None


@dataclass(frozen=True, slots=True)
class Named:
    """What a list says of a product beside its status. `item`: the listing that follows it."""

    name: str
    kopecks: int | None = None
    unit: str = ""
    group: str = ""
    item: ItemId | None = None
    store: StoreId | None = None


async def named(connection: AsyncConnection, user: UserId, products: Iterable[ProductId]) -> dict[ProductId, Named]:
    """Those that the till has or had; of several stores' rows, one that is still there."""
    query = (
        select(_p.product_id, _p.name, _p.kopecks, _p.unit, _g.name, _p.vk_product_id, _p.store_id)
        .select_from(
            cached_products.outerjoin(
                cached_groups,
                (_g.user_id == _p.user_id) & (_g.store_id == _p.store_id) & (_g.group_id == _p.group_id),
            )
        )
        .where(_p.user_id == user)
        .order_by(_p.gone_at.is_(None), _p.store_id)
    )
    found: dict[ProductId, Named] = {}
    for chunk in chunked(products):
        for product, name, kopecks, unit, group, item, store in (
            await connection.execute(query.where(_p.product_id.in_(chunk)))
        ).all():
            found[product] = Named(name, kopecks, unit, group or "", item, store)
    return found


@dataclass(frozen=True, slots=True)
class ResultSeen:
    """One line of a receipt. `named` None: the till no longer knows the product."""

    product: ProductId
    result: Result
    why: str
    code: str
    fields: Mapping[str, tuple[str, str]]
    named: Named | None


async def result_counts(connection: AsyncConnection, number: RunId) -> dict[Result, int]:
    query = select(_i.result, func.count()).where(_i.run_id == number).group_by(_i.result)
    return {Result(result): count for result, count in (await connection.execute(query)).all()}


async def price_changes(connection: AsyncConnection, number: RunId) -> int:
    """How many changes of a listing were (also) about its price."""
    query: Select[Any] = select(func.count()).where(
        _i.run_id == number,
        _i.result.in_([Result.UPDATED.value, Result.SHOWN.value]),
        type_coerce(_i.fields, String()).contains('"price"'),
    )
    return int(await connection.scalar(query) or 0)


async def results(
    connection: AsyncConnection, user: UserId, number: RunId, result: Result, *, page: int
) -> Sequence[ResultSeen]:
    """A page of what a run did of one kind, in the order in which it was done."""
    query = (
        select(_i.product_id, _i.result, _i.why, _i.code, _i.fields)
        .where(_i.run_id == number, _i.result == result.value)
        .order_by(_i.id)
        .offset((page - 1) * PAGE)
        .limit(PAGE)
    )
    rows = (await connection.execute(query)).all()
    names = await named(connection, user, [row[0] for row in rows])
    return [
        ResultSeen(
            product=product,
            result=Result(kind),
            why=why,
            code=code,
            fields={name: (pair[0], pair[1]) for name, pair in fields.items()},
            named=names.get(product),
        )
        for product, kind, why, code, fields in rows
    ]


__all__ = ["PAGE", "Fresh", "Going", "GroupCount", "Key", "Named", "Now", "ResultSeen"]
