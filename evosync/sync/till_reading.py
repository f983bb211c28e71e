"""First step of a run: what does the till say now, and what of it is new."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from evosync.domain.catalog import Group, Product, Store, Till
from evosync.domain.errors import CloudError, NotFound, Operators, Side, Throttled, Unavailable, Unpaid
from evosync.domain.ids import ROOT, GroupId, ProductId, StoreId, UserId
from evosync.domain.listing import Listing, changed_groups, changed_products, doubt, gone_products
from evosync.domain.mirror import KnownProduct, StoreReading, StoreState, TillChanges
from evosync.domain.schedule import backoff, spread
from evosync.sync.ports import Clock, Ledger, TillSide
from evosync.sync.together import together

log = logging.getLogger(__name__)

ABSENT = "absent"
"""Stands for the digest of a store that the list of stores no longer names."""

TOO_MANY = "Evotor 429"


@dataclass(frozen=True, slots=True)
class Reading:
    """`till`: whole after a full reading; after a delta only the products that changed, in all their stores.

    `known`: stored digests, for the stores that were listed whole.
    """

    till: Till
    readings: Mapping[StoreId, StoreReading]
    changed: frozenset[ProductId]
    known: Mapping[StoreId, Mapping[ProductId, KnownProduct]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long things are waited for.

    `held`: before a held listing may be believed; `unpaid`: before an unpaid store is asked again;
    `whole`, `part`: before a store is, that could not be listed, or not asked for its changes, doubled up to `longest`;
    `overlap`: how far a delta reaches back beyond the last one, `hint_overlap`: how far a hint does.
    """

    held: timedelta = timedelta(minutes=5)
    unpaid: timedelta = timedelta(hours=6)
    whole: timedelta = timedelta(minutes=5)
    part: timedelta = timedelta(seconds=30)
    longest: timedelta = timedelta(hours=1)
    overlap: timedelta = timedelta(minutes=10)
    hint_overlap: timedelta = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Asked:
    """The till's answer to a delta, not stored yet."""

    at: datetime
    readings: Mapping[StoreId, StoreReading]
    touched: Mapping[tuple[StoreId, ProductId], Product]

    @property
    def is_quiet(self) -> bool:
        """No product was touched at the till."""
        return not self.touched


class TillReader:
    """Reads one owner's till and stores what changed. `connected_at`: see `Ledger.save_till`."""

    def __init__(
        self,
        user: UserId,
        till: TillSide,
        ledger: Ledger,
        clock: Clock,
        patience: Patience,
        connected_at: datetime | None = None,
    ) -> None:
        self._user = user
        self._till = till
        self._ledger = ledger
        self._clock = clock
        self._patience = patience
        self._connected_at = connected_at

    async def full(self, readings: Mapping[StoreId, StoreReading]) -> Reading:
        """List every store. A store that cannot be listed keeps what it last said; if none can, that is raised."""
        now = self._clock()
        listed = await self._till.stores()
        stored = {store.id: store for store in await self._ledger.stores(self._user)}
        groups = await self._ledger.groups(self._user)
        fresh = dict(readings)
        answers = await together(self._list(store.id, fresh.get(store.id), now) for store in listed)
        self._raise_if_none(answers)

        changes: list[TillChanges] = []
        whole: dict[StoreId, Listing] = {}
        known: dict[StoreId, Mapping[ProductId, KnownProduct]] = {}
        for store, answer in zip(listed, answers, strict=True):
            before = fresh.get(store.id, StoreReading())
            if not isinstance(answer, Listing):
                fresh[store.id] = self._failed(store.id, before, answer, now, first=self._patience.whole)
                continue
            known[store.id] = await self._ledger.known_products(self._user, store.id)
            alive = sum(1 for product in known[store.id].values() if not product.gone)
            grouped = sum(1 for group in groups if group.store == store.id)
            held = doubt(answer, alive, grouped, before, now=now, apart=self._patience.held)
            if held is not None:  # what is doubted is that the rest is gone; what is there is as it says
                fresh[store.id] = held
                there = _changes(answer, known[store.id], groups)
                changes.append(replace(there, groups_gone=(), products_gone=()))
                groups = _merge_groups(groups, there.groups)
                continue
            whole[store.id] = answer
            changes.append(_changes(answer, known[store.id], groups))
            fresh[store.id] = StoreReading(full_at=now, delta_at=now)

        absent = self._absent(stored.keys() - {store.id for store in listed}, fresh, now)
        new_stores = tuple(store for store in listed if stored.get(store.id) != store)
        total = _sum(changes, stores=new_stores, stores_gone=absent)
        if total:
            await self._ledger.save_till(self._user, total, at=now, connected_at=self._connected_at)
        till = await self._whole_till(listed, stored, absent, whole, groups, fresh)
        changed = frozenset(product.id for product in total.products) | {gone for _, gone in total.products_gone}
        return Reading(till, fresh, changed, known)

    async def delta(
        self,
        readings: Mapping[StoreId, StoreReading],
        stores: Iterable[StoreId],
        named: Iterable[tuple[StoreId, ProductId]] = (),
        *,
        hint: bool = False,
    ) -> Reading:
        """`ask`, and take the answer in."""
        return await self.take_in(await self.ask(readings, stores, named, hint=hint))

    async def ask(
        self,
        readings: Mapping[StoreId, StoreReading],
        stores: Iterable[StoreId],
        named: Iterable[tuple[StoreId, ProductId]] = (),
        *,
        hint: bool = False,
    ) -> Asked:
        """What changed in `stores` since their last reading, and the products `named`; never that anything is gone.

        Nothing is stored yet.

        A `hint` is about something that changed just now, and somebody waits for it: it reaches back less far, and
        therefore does not stand in for the routine delta, which still comes when it would have. What it names in vain
        comes with the next delta of that store.
        """
        now = self._clock()
        fresh = dict(readings)
        due = [
            store
            for store in stores
            if fresh.get(store, StoreReading()).full_at is not None and not _told_to_wait(fresh[store], now)
        ]
        overlap = self._patience.hint_overlap if hint else self._patience.overlap
        answers = await together(self._since(store, fresh[store], overlap) for store in due)
        alone = {(store, product) for store in due for product in fresh[store].missed}
        alone |= {(store, product) for store, product in named if store in fresh}
        singles = dict(
            zip(
                sorted(alone),
                await together(self._one(store, product, fresh[store], now) for store, product in sorted(alone)),
                strict=True,
            )
        )
        missed = any(isinstance(single, Throttled | Unavailable) for single in singles.values())
        if not missed and not any(self._answered_lately(fresh[store], now) for store in fresh.keys() - due):
            self._raise_if_none(answers)
        touched: dict[tuple[StoreId, ProductId], Product] = {}
        for store, answer in zip(due, answers, strict=True):
            if isinstance(answer, CloudError):
                fresh[store] = self._failed(store, fresh[store], answer, now, first=self._patience.part)
            else:
                fresh[store] = fresh[store] if hint else _read(fresh[store], now)
                touched |= {(store, product.id): product for product in answer}
        for (store, product_id), single in singles.items():
            before = fresh[store]
            if isinstance(single, Throttled | Unavailable):
                fresh[store] = self._missed(before, product_id, single, readings[store], now)
            elif product_id in before.missed:
                fresh[store] = replace(before, missed=before.missed - {product_id})
        touched |= {key: answer for key, answer in singles.items() if isinstance(answer, Product)}
        return Asked(now, fresh, touched)

    async def take_in(self, asked: Asked) -> Reading:
        """Store what is new in the answer. Afterwards it is no news any more: whoever stored it has to act on it."""
        now, fresh, touched = asked.at, asked.readings, asked.touched
        if asked.is_quiet:
            return Reading(Till((), (), (), _unpaid(fresh)), fresh, frozenset())
        groups = await self._ledger.groups(self._user)
        stores_known = await self._ledger.stores(self._user)
        stored = await self._ledger.products(self._user, ids={product for _, product in touched})
        rows = {(product.store, product.id): product for product in stored}
        changed = tuple(
            product for key, product in touched.items() if key not in rows or rows[key].digest != product.digest
        )
        new_groups = await self._groups_for(changed, groups)
        if changed or new_groups:
            changes = TillChanges(groups=new_groups, products=changed)
            await self._ledger.save_till(self._user, changes, at=now, connected_at=self._connected_at)
        ids = frozenset(product.id for product in changed)
        merged = {**rows, **touched}
        till = Till(
            stores=stores_known,
            groups=_merge_groups(groups, new_groups),
            products=tuple(product for (_, product_id), product in merged.items() if product_id in ids),
            unpaid=_unpaid(fresh),
        )
        return Reading(till, fresh, ids)

    async def _list(self, store: StoreId, before: StoreReading | None, now: datetime) -> Listing | CloudError:
        if before is not None and before.retry_at is not None and before.retry_at > now:
            if before.state is StoreState.UNPAID:
                return Unpaid(Side.EVOTOR, before.code)
            if _told_to_wait(before, now):
                return Throttled(Side.EVOTOR, before.code, wait=before.retry_at - now)
        try:
            async with asyncio.TaskGroup() as group:
                groups = group.create_task(self._till.groups(store))
                products = group.create_task(self._till.products(store))
        except BaseExceptionGroup as errors:
            error = errors.exceptions[0]
            if isinstance(error, Unpaid | NotFound | Throttled | Unavailable):
                return error
            raise error from None
        return Listing(store, groups.result(), products.result())

    async def _since(
        self, store: StoreId, reading: StoreReading, overlap: timedelta
    ) -> tuple[Product, ...] | CloudError:
        last = max(filter(None, (reading.full_at, reading.delta_at)), default=self._clock())
        try:
            return await self._till.products_since(store, last - overlap)
        except (Unpaid, NotFound, Throttled, Unavailable) as error:
            return error

    async def _one(
        self, store: StoreId, product: ProductId, reading: StoreReading, now: datetime
    ) -> Product | CloudError | None:
        if _told_to_wait(reading, now):
            return Throttled(Side.EVOTOR, reading.code)
        try:
            return await self._till.product(store, product)
        except (Unpaid, NotFound, Throttled, Unavailable) as error:
            return error
        except Operators as error:  # an id that is none: it must not keep the others from being read
            log.warning("product not asked for", extra={"user": self._user, "store": store, "code": error.code})
            return error

    def _answered_lately(self, reading: StoreReading, now: datetime) -> bool:
        last = max(filter(None, (reading.full_at, reading.delta_at)), default=None)
        return reading.state is StoreState.OK and last is not None and last >= now - self._patience.overlap

    def _raise_if_none(self, answers: Iterable[object]) -> None:
        answers = list(answers)
        errors = [answer for answer in answers if isinstance(answer, CloudError)]
        if errors and len(errors) == len(answers) and not any(isinstance(error, Unpaid | NotFound) for error in errors):
            raise errors[0]

    def _failed(
        self, store: StoreId, before: StoreReading, error: CloudError, now: datetime, *, first: timedelta
    ) -> StoreReading:
        if isinstance(error, Unpaid):
            if before.state is StoreState.UNPAID and before.retry_at is not None and before.retry_at > now:
                return before
            log.debug("store unpaid, it rests", extra={"user": self._user, "store": store, "code": error.code})
            return replace(before, state=StoreState.UNPAID, code=error.code, retry_at=now + self._patience.unpaid)
        if _told_to_wait(before, now):
            return before
        failures = before.failures + 1
        log.debug("store failed, it rests", extra={"user": self._user, "store": store, "code": error.code})
        return replace(
            before,
            state=StoreState.FAILED,
            code=error.code,
            failures=failures,
            retry_at=now + self._rest(failures, error, first),
        )

    def _rest(self, failures: int, error: CloudError, first: timedelta) -> timedelta:
        """At least as long as the cloud asks; spread a little, so that owners who failed together come back apart."""
        rest = backoff(failures, first=first, longest=self._patience.longest)
        told = error.wait if isinstance(error, Throttled) and error.wait is not None else timedelta()
        rest = max(rest, told)
        return rest + spread(self._user, rest / 4)

    def _missed(
        self, reading: StoreReading, product: ProductId, error: CloudError, before: StoreReading, now: datetime
    ) -> StoreReading:
        """To be read with the store's next delta; `before`: as the store was when this reading began."""
        reading = replace(reading, missed=reading.missed | {product})
        if reading.state is not StoreState.OK:
            return reading  # it is asked again at a time of its own
        failures = before.failures + 1
        rest = self._rest(failures, error, self._patience.part)
        if not isinstance(error, Throttled):  # it may be that product alone: the others are not kept waiting for it
            rest = min(rest, self._patience.whole)
        retry_at = now + rest
        return replace(
            reading, code=error.code, failures=failures, retry_at=max(retry_at, reading.retry_at or retry_at)
        )

    def _absent(
        self, missing: Iterable[StoreId], fresh: dict[StoreId, StoreReading], now: datetime
    ) -> tuple[StoreId, ...]:
        """Stores no longer named are believed gone only when a second list agrees."""
        gone = []
        for store in missing:
            before = fresh.get(store, StoreReading())
            if before.state is StoreState.HELD and before.held_digest == ABSENT and before.held_at is not None:
                if now - before.held_at >= self._patience.held:
                    gone.append(store)
                    del fresh[store]
            else:
                fresh[store] = replace(
                    before,
                    state=StoreState.HELD,
                    code=ABSENT,
                    held_digest=ABSENT,
                    held_at=now,
                    retry_at=now + self._patience.held,
                )
        return tuple(gone)

    async def _whole_till(
        self,
        listed: tuple[Store, ...],
        stored: Mapping[StoreId, Store],
        absent: tuple[StoreId, ...],
        whole: Mapping[StoreId, Listing],
        groups: tuple[Group, ...],
        fresh: Mapping[StoreId, StoreReading],
    ) -> Till:
        stores = {**stored, **{store.id: store for store in listed}}
        for store in absent:
            stores.pop(store, None)
        rest = stores.keys() - whole.keys()
        cached = await self._ledger.products(self._user, stores=rest) if rest else ()
        return Till(
            stores=tuple(stores.values()),
            groups=tuple(group for group in groups if group.store in rest)
            + tuple(group for listing in whole.values() for group in listing.groups),
            products=cached + tuple(product for listing in whole.values() for product in listing.products),
            unpaid=_unpaid(fresh),
        )

    async def _groups_for(self, products: Iterable[Product], groups: tuple[Group, ...]) -> tuple[Group, ...]:
        """A product in a group never seen: read the groups of its store again."""
        seen = {(group.store, group.id) for group in groups}
        stores = {
            product.store
            for product in products
            if product.group != ROOT and (product.store, product.group) not in seen
        }
        found: list[Group] = []
        for store in sorted(stores):
            known = {group.id: group for group in groups if group.store == store}
            found += changed_groups(await self._till.groups(store), known)
        return tuple(found)


def with_missed(
    readings: Mapping[StoreId, StoreReading], named: Iterable[tuple[StoreId, ProductId]]
) -> Mapping[StoreId, StoreReading]:
    """Products that were to be read and were not: the next delta of their stores asks for them (Evotor FACTS 1.2)."""
    fresh = dict(readings)
    for store, product in named:
        if store in fresh:
            fresh[store] = replace(fresh[store], missed=fresh[store].missed | {product})
    return fresh


def _told_to_wait(reading: StoreReading, now: datetime) -> bool:
    """The cloud itself said for how long: until then not even somebody who asks is a reason to ask it."""
    return reading.code == TOO_MANY and reading.retry_at is not None and reading.retry_at > now


def _read(reading: StoreReading, now: datetime) -> StoreReading:
    """After a delta that worked. Only a whole listing ends the count of failures: it may be that which fails."""
    if reading.state in {StoreState.OK, StoreState.FAILED}:
        reading = replace(reading, state=StoreState.OK, code="", retry_at=None)
    return replace(reading, delta_at=now, missed=frozenset())


def _unpaid(readings: Mapping[StoreId, StoreReading]) -> frozenset[StoreId]:
    return frozenset(store for store, reading in readings.items() if reading.state is StoreState.UNPAID)


def _merge_groups(old: tuple[Group, ...], new: tuple[Group, ...]) -> tuple[Group, ...]:
    merged: dict[tuple[StoreId, GroupId], Group] = {(group.store, group.id): group for group in (*old, *new)}
    return tuple(merged.values())


def _changes(listing: Listing, known: Mapping[ProductId, KnownProduct], groups: tuple[Group, ...]) -> TillChanges:
    before = {group.id: group for group in groups if group.store == listing.store}
    present = {group.id for group in listing.groups}
    return TillChanges(
        groups=changed_groups(listing.groups, before),
        groups_gone=tuple((listing.store, group) for group in before if group not in present),
        products=changed_products(listing.products, known),
        products_gone=tuple((listing.store, product) for product in gone_products(listing.products, known)),
    )


def _sum(parts: Iterable[TillChanges], *, stores: tuple[Store, ...], stores_gone: tuple[StoreId, ...]) -> TillChanges:
    parts = list(parts)
    return TillChanges(
        stores=stores,
        stores_gone=stores_gone,
        groups=tuple(group for part in parts for group in part.groups),
        groups_gone=tuple(gone for part in parts for gone in part.groups_gone),
        products=tuple(product for part in parts for product in part.products),
        products_gone=tuple(gone for part in parts for gone in part.products_gone),
    )
