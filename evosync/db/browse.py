"""The till as its owner looks at it: stores, groups and products with their switches, counts and statuses."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import choices, tills
from evosync.db.mirrors import reading_of
from evosync.db.rows import few_rows
from evosync.db.tables import (
    cached_groups,
    cached_products,
    cached_stores,
    mirrors,
    sync_configs,
    sync_filters,
    vk_connections,
)
from evosync.domain.catalog import Group
from evosync.domain.ids import ROOT, CommunityId, GroupId, ItemId, ProductId, StoreId, UserId
from evosync.domain.mirror import StoreReading
from evosync.domain.policy import Choice
from evosync.domain.shelf import homes_of
from evosync.domain.status import IN_VK, NEEDS_OWNER, WAITING, Standing, Status
from evosync.domain.texts import fold_for_search

PAGE: Final = 50
"""Products of one page."""

_MOST_WORDS: Final = 8
_FEW: Final = 500
"""Up to so many matches of a search are fetched and counted here: one pass over the index instead of two."""

_p = cached_products.c
_s = cached_stores.c
_g = cached_groups.c
_HERE: Final = (func.count() - func.count(_p.gone_at)).label("here")

_Hint = Callable[[Any], Any]
"""A query with what it needs to be quick; SQLAlchemy's type of a query would forget its columns."""


class Bucket(StrEnum):
    """Where products stand, in the few kinds that a list is filtered by."""

    IN_VK = "in_vk"
    WAITING = "waiting"
    NEEDS_YOU = "needs_you"
    NOT_SHOWN = "not_shown"
    GONE = "gone"
    """No longer at the till, but still an item in VK; in no other bucket."""


_BUCKETS: Final[Mapping[Bucket, frozenset[Standing]]] = {
    Bucket.IN_VK: IN_VK,
    Bucket.WAITING: WAITING,
    Bucket.NEEDS_YOU: NEEDS_OWNER,
    Bucket.NOT_SHOWN: frozenset(Standing) - IN_VK - WAITING - NEEDS_OWNER,
}
_BUCKET_OF: Final[Mapping[str, Bucket]] = {
    standing.value: bucket for bucket, standings in _BUCKETS.items() for standing in standings
}


_GONE: Final = frozenset({Standing.HIDDEN_GONE.value, Standing.LEFT_GONE.value})
"""What is gone from the till and had an item stands so; what had none is of no interest."""


def bucket_of(status: str | None, *, is_gone: bool = False) -> Bucket | None:
    """One that no run has looked at yet waits; None for one that is gone without a trace in VK."""
    if is_gone:
        return Bucket.GONE if status in _GONE else None
    return Bucket.WAITING if status is None else _BUCKET_OF.get(status, Bucket.WAITING)


@dataclass(frozen=True, slots=True)
class StoreSeen:
    """`reading` None: never read. `shown_groups` of `groups` are on, the root among both where it has products."""

    id: StoreId
    name: str
    address: str
    is_on: bool
    reading: StoreReading | None
    products: int
    groups: int
    shown_groups: int


@dataclass(frozen=True, slots=True)
class GroupSeen:
    """`is_new`: it appeared after the owner had chosen, and he has not decided about it. `above`: names of parents."""

    id: GroupId
    name: str
    above: tuple[str, ...]
    is_on: bool
    is_new: bool
    counts: Mapping[Bucket, int] = field(default_factory=dict)

    @property
    def products(self) -> int:
        return sum(self.counts.values())

    def count(self, bucket: Bucket) -> int:
        return self.counts.get(bucket, 0)


@dataclass(frozen=True, slots=True)
class ProductSeen:
    """`group` is the ordinary group's name, empty for products in none; `status` None: not looked at yet."""

    id: ProductId
    name: str
    group: str
    code: str
    kopecks: int | None
    unit: str
    status: Status | None
    item: ItemId | None
    is_gone: bool


@dataclass(frozen=True, slots=True)
class ProductPage:
    """`counts` are of all that the search and the group let through, in each bucket; `total` of the list shown."""

    products: tuple[ProductSeen, ...]
    counts: Mapping[Bucket, int]
    total: int
    number: int

    @property
    def pages(self) -> int:
        return max(-(-self.total // PAGE), 1)

    @property
    def matches(self) -> int:
        """In every bucket of what is at the till."""
        return sum(count for bucket, count in self.counts.items() if bucket is not Bucket.GONE)


@dataclass(frozen=True, slots=True)
class Find:
    """What a list of products is asked for. `number` of the page counts from 1; one past the end is the last."""

    group: GroupId | None = None
    text: str = ""
    bucket: Bucket | None = None
    number: int = 1


class Shelves:
    """Ordinary groups of one store; products that hang under a group of modifications stand in the one above it."""

    def __init__(self, groups: Iterable[Group]) -> None:
        by_key = {(group.store, group.id): group for group in groups}
        self._by_id = {group.id: group for group in by_key.values() if not group.holds_modifications}
        self._homes = {raw: home for (_, raw), home in homes_of(by_key).items()}

    def __iter__(self) -> Iterator[Group]:
        """By name, each group after the one that it is in."""
        return iter(sorted(self._by_id.values(), key=lambda group: (self._place(group), group.id)))

    def _place(self, group: Group) -> tuple[str, ...]:
        return (*(fold_for_search(name) for name in self.above(group)), fold_for_search(group.name))

    def __contains__(self, group: object) -> bool:
        return group in self._by_id

    def home(self, raw: str) -> GroupId:
        return self._homes.get(GroupId(raw), ROOT)

    def name(self, group: GroupId) -> str:
        found = self._by_id.get(group)
        return found.name if found is not None else ""

    def above(self, group: Group) -> tuple[str, ...]:
        names: list[str] = []
        seen = {group.id}
        parent = self._by_id.get(group.parent)
        while parent is not None and parent.id not in seen:
            names.insert(0, parent.name)
            seen.add(parent.id)
            parent = self._by_id.get(parent.parent)
        return tuple(names)

    def condition(self, group: GroupId) -> ColumnElement[bool]:
        """Products that stand in the group."""
        if group == ROOT:
            return _p.group_id.not_in([raw for raw, home in self._homes.items() if home != ROOT])
        return _p.group_id.in_([raw for raw, home in self._homes.items() if home == group])


async def stores(connection: AsyncConnection, user: UserId) -> tuple[StoreSeen, ...]:
    """In the till's order."""
    known = await tills.stores(connection, user)
    row = (await connection.execute(_CHOSEN, {"user": user})).mappings().one()
    choice = choices.read_choice(row, await choices.switches(connection, user))
    readings = {StoreId(store): reading_of(value) for store, value in (row[mirrors.c.readings] or {}).items()}
    shelves = {store.id: Shelves([]) for store in known}
    grouped: dict[StoreId, list[Group]] = defaultdict(list)
    for group in await tills.groups(connection, user):
        grouped[group.store].append(group)
    shelves |= {store: Shelves(groups) for store, groups in grouped.items()}
    query = _by_group(
        select(_p.store_id, _p.group_id, _HERE).where(_p.user_id == user).group_by(_p.store_id, _p.group_id)
    )
    products: Counter[StoreId] = Counter()
    rooted: set[StoreId] = set()
    for store, raw, count in await few_rows(connection, query):
        products[store] += count
        if count and store in shelves and shelves[store].home(raw) == ROOT:
            rooted.add(store)
    found = []
    for store in known:
        groups = [*(group.id for group in shelves[store.id]), *([ROOT] if store.id in rooted else [])]
        shown = sum(choice.shows_group(store.id, group) for group in groups)
        on = choice.shows_store(store.id)
        reading = readings.get(store.id)
        found.append(
            StoreSeen(store.id, store.name, store.address, on, reading, products[store.id], len(groups), shown)
        )
    return tuple(found)


_CHOSEN: Final = (
    select(sync_configs, mirrors.c.readings)
    .select_from(sync_configs.outerjoin(mirrors, mirrors.c.user_id == sync_configs.c.user_id))
    .where(sync_configs.c.user_id == bindparam("user"))
)


@dataclass(frozen=True, slots=True)
class StoreNamed:
    """A store, what the owner decided about it, and the community that it goes to."""

    id: StoreId
    name: str
    is_on: bool
    shows_new_groups: bool
    community: CommunityId | None
    has_started: bool


async def store(connection: AsyncConnection, user: UserId, ident: StoreId) -> StoreNamed | None:
    """None where this owner has no such store."""
    row = (await connection.execute(_STORE, {"of_user": user, "of_store": ident})).one_or_none()
    if row is None:
        return None
    name, is_on, new_groups_on, community, started_at = row
    return StoreNamed(ident, name, bool(is_on), ident in (new_groups_on or ()), community, started_at is not None)


_f, _c, _v = sync_filters.c, sync_configs.c, vk_connections.c
_STORE: Final = (
    select(_s.name, _f.enabled, _c.new_groups_on, _v.group_id, _c.started_at)
    .select_from(
        cached_stores.join(sync_configs, _c.user_id == _s.user_id)
        .outerjoin(vk_connections, _v.user_id == _s.user_id)
        .outerjoin(
            sync_filters,
            and_(
                _f.user_id == _s.user_id,
                _f.entity_type == "store",
                _f.parent_entity_id == "",
                _f.entity_id == _s.store_id,
            ),
        )
    )
    .where(_s.user_id == bindparam("of_user"), _s.store_id == bindparam("of_store"))
)
"""Built once, like the others that every page asks."""


async def shelves_of(connection: AsyncConnection, user: UserId, ident: StoreId) -> Shelves:
    found = await few_rows(connection, _GROUPS, {"of_user": user, "of_store": ident})
    return Shelves(Group(group, ident, name, parent, bool(holds)) for group, name, parent, holds in found)


_GROUPS: Final = select(_g.group_id, _g.name, _g.parent_id, _g.holds_modifications).where(
    _g.user_id == bindparam("of_user"), _g.store_id == bindparam("of_store")
)


async def groups(connection: AsyncConnection, user: UserId, ident: StoreId) -> tuple[GroupSeen, ...]:
    """By name; products in no group last, where there are any."""
    shelves = await shelves_of(connection, user, ident)
    choice = await choices.load_choice(connection, user)
    where = (_p.user_id == user, _p.store_id == ident)
    query = _by_group(select(_p.group_id, _p.status, _HERE).where(*where).group_by(_p.group_id, _p.status))
    counts: dict[GroupId, Counter[Bucket]] = defaultdict(Counter)
    for raw, status, count in await few_rows(connection, query):
        counts[shelves.home(raw)][bucket_of(status) or Bucket.WAITING] += count
    has_chosen = any(known == ident for known, _ in choice.groups)
    found = [
        GroupSeen(
            group.id,
            group.name,
            shelves.above(group),
            is_on=choice.shows_group(ident, group.id),
            is_new=_is_new(choice, ident, group.id, has_chosen=has_chosen),
            counts=counts[group.id],
        )
        for group in shelves
    ]
    if counts[ROOT].total():
        is_new = _is_new(choice, ident, ROOT, has_chosen=has_chosen)
        found.append(GroupSeen(ROOT, "", (), choice.shows_group(ident, ROOT), is_new, counts[ROOT]))
    return tuple(found)


def _is_new(choice: Choice, ident: StoreId, group: GroupId, *, has_chosen: bool) -> bool:
    return has_chosen and (ident, group) not in choice.groups and ident not in choice.new_groups_on


async def products(
    connection: AsyncConnection, user: UserId, ident: StoreId, shelves: Shelves, find: Find
) -> ProductPage:
    """One page, by name."""
    where = [_p.user_id == user, _p.store_id == ident]
    if find.group is not None:
        where.append(shelves.condition(find.group))
    if find.text:
        where.append(await _matches(connection, user, ident, find.text))
    # A group has an index of its own, and few rows.
    hint = _by_name if find.group in {None, ROOT} else _plain
    few = await _few(connection, where, hint) if find.text else None
    counts = (
        await _counts(connection, where, hint if find.text else _by_group)
        if few is None
        else Counter(bucket for _, bucket in few)
    )
    total = counts[find.bucket] if find.bucket is not None else counts.total() - counts[Bucket.GONE]
    number = min(max(find.number, 1), max(-(-total // PAGE), 1))
    start = (number - 1) * PAGE
    if few is not None:
        fitting = [product for product, bucket in few if _fits(bucket, find.bucket)][start : start + PAGE]
        query = _ROWS.where(_p.user_id == user, _p.store_id == ident, _p.product_id.in_(fitting))
    else:
        chosen = select(_p.product_id).where(*where, _in_bucket(find.bucket))
        ids = hint(_cut(chosen, start, total)).subquery()
        query = _ROWS.join(ids, ids.c.product_id == _p.product_id).where(_p.user_id == user, _p.store_id == ident)
    found = (await connection.execute(query)).all() if total else ()
    shown = sorted(found, key=lambda row: (row.name_folded, row.product_id))
    return ProductPage(tuple(_product(row, shelves) for row in shown), counts, total, number)


def _cut(query: Any, start: int, total: int) -> Any:
    """A page of a list of `total`; from the end, where that is nearer, for the database walks over what it skips."""
    order = (_p.name_folded, _p.product_id)
    size = min(PAGE, total - start)
    skipped = total - start - size
    if skipped >= start:
        return query.order_by(*order).limit(size).offset(start)
    return query.order_by(*(column.desc() for column in order)).limit(size).offset(skipped)


def _fits(bucket: Bucket, wanted: Bucket | None) -> bool:
    return bucket is wanted if wanted is not None else bucket is not Bucket.GONE


_ROWS: Final = select(
    _p.product_id,
    _p.name,
    _p.name_folded,
    _p.group_id,
    _p.code,
    _p.kopecks,
    _p.unit,
    _p.status,
    _p.status_values,
    _p.vk_product_id,
    _p.gone_at,
)


def _plain(query: Any) -> Any:
    return query


def _by_name(query: Any) -> Any:
    """Keeps MariaDB from reading the rows where the index has it all; it takes rows of the key for cheaper."""
    return _hinted(query, "USE INDEX (ix_cached_products_list)")


def _by_group(query: Any) -> Any:
    """Lets MariaDB count in the order of the index, without a temporary table."""
    return _hinted(query, "USE INDEX (ix_cached_products_group)")


def _hinted(query: Any, hint: str) -> Any:
    for dialect in ("mysql", "mariadb"):
        query = query.with_hint(cached_products, hint, dialect)
    return query


async def _matches(connection: AsyncConnection, user: UserId, ident: StoreId, text: str) -> ColumnElement[bool]:
    """Every word stands in the name, in any order; or the one word is the product's code."""
    words = fold_for_search(text).split()[:_MOST_WORDS]
    named = [_p.name_folded.contains(word, autoescape=True) for word in words]
    if len(words) > 1:
        return and_(*named)
    query = select(_p.product_id).where(_p.user_id == user, _p.store_id == ident, _p.code == text.strip()).limit(PAGE)
    coded = list((await connection.execute(query)).scalars())
    return or_(named[0], _p.product_id.in_(coded)) if coded else named[0]


def _in_bucket(bucket: Bucket | None) -> ColumnElement[bool]:
    """`bucket_of` the other way round; None is all that is at the till."""
    if bucket is Bucket.GONE:
        return and_(_p.gone_at.is_not(None), _p.status.in_(sorted(_GONE)))
    here = _p.gone_at.is_(None)
    if bucket is None:
        return here
    held = _p.status.in_(sorted(standing.value for standing in _BUCKETS[bucket]))
    return and_(here, or_(held, _p.status.is_(None)) if bucket is Bucket.WAITING else held)


async def _few(
    connection: AsyncConnection, where: Sequence[ColumnElement[bool]], hint: _Hint
) -> list[tuple[ProductId, Bucket]] | None:
    """All matches in order; None for more than a few."""
    query = select(_p.product_id, _p.status, _p.gone_at).where(*where).order_by(_p.name_folded, _p.product_id)
    found = await few_rows(connection, hint(query.limit(_FEW + 1)))
    if len(found) > _FEW:
        return None
    buckets = [(product, bucket_of(status, is_gone=gone is not None)) for product, status, gone in found]
    return [(product, bucket) for product, bucket in buckets if bucket is not None]


async def _counts(connection: AsyncConnection, where: Sequence[ColumnElement[bool]], hint: _Hint) -> Counter[Bucket]:
    by = (_p.group_id, _p.status) if hint is _by_group else (_p.status,)
    each = select(_p.status, _HERE, func.count(_p.gone_at).label("gone")).where(*where).group_by(*by)
    groups = hint(each).subquery().c
    query = select(groups.status, func.sum(groups.here), func.sum(groups.gone)).group_by(groups.status)
    found: Counter[Bucket] = Counter()
    for status, here, gone in (await connection.execute(query)).all():
        for count, bucket in ((here, bucket_of(status)), (gone, bucket_of(status, is_gone=True))):
            if bucket is not None:
                found[bucket] += int(count)
    return found


def _product(row: Any, shelves: Shelves) -> ProductSeen:
    standing = Standing(row.status) if row.status in _BUCKET_OF else None
    return ProductSeen(
        row.product_id,
        row.name,
        shelves.name(shelves.home(row.group_id)),
        row.code,
        row.kopecks,
        row.unit,
        Status(standing, row.status_values or {}) if standing is not None else None,
        row.vk_product_id,
        row.gone_at is not None,
    )


__all__ = [
    "PAGE",
    "Bucket",
    "Find",
    "GroupSeen",
    "ProductPage",
    "ProductSeen",
    "Shelves",
    "StoreNamed",
    "StoreSeen",
    "bucket_of",
    "groups",
    "products",
    "shelves_of",
    "store",
    "stores",
]
