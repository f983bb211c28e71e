"""From a stored hint to a wish: many at once in few transactions, and a burst about one owner as one or two wishes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from redis.exceptions import RedisError
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import deliveries, mirrors, till_accounts
from evosync.db.deliveries import Delivery
from evosync.db.engine import Database
from evosync.domain.connection import Health
from evosync.domain.ids import ProductId, StoreId, UserId
from evosync.domain.mirror import Reason, Scope
from evosync.sync.mailbox import HINT, product_reason
from evosync.web.services import Clock
from evosync.web.webhooks.bodies import named_of

log = logging.getLogger(__name__)

_MOST: Final = mirrors.MOST_REASONS
_REST: Final = 0.3
"""Seconds without a further hint after which the next one is done at once again."""
_QUIET: Final = 0.4
"""In a burst: the pause after which it is over."""
_LONGEST: Final = 8.0
"""How long a burst may keep its hints waiting."""
_AGAIN: Final = 1.0


class Nudges(Protocol):
    """What `queue.Queue` does."""

    async def nudge(self, user: UserId, /) -> object: ...


@dataclass(slots=True)
class _Wants:
    """What the hints of one owner come to."""

    stores: set[StoreId] = field(default_factory=set)
    products: set[tuple[StoreId, ProductId]] = field(default_factory=set)
    delta: bool = False
    full: bool = False

    def add(self, delivery: Delivery, known: dict[str, StoreId]) -> None:
        named = named_of(delivery.facts)
        stores = {known.get(store.casefold()) for store in named.stores}
        # A store never heard of, or something that is said to be gone: only a whole listing shows that.
        self.full |= None in stores or named.gone
        self.delta |= named.everywhere
        touched = {(known[store.casefold()], product) for store, product in named.products if store.casefold() in known}
        self.products |= touched
        self.stores |= {store for store in stores if store is not None} - {store for store, _ in touched}

    def wishes(self) -> list[tuple[Scope, str]]:
        if self.full or len(self.products) > _MOST:
            return [(Scope.FULL, Reason.HOOK)]
        reasons = [HINT + store for store in sorted(self.stores)]
        reasons += [product_reason(store, product) for store, product in sorted(self.products)]
        if self.delta or len(reasons) > _MOST:
            return [(Scope.DELTA, Reason.HOOK)]
        return [(Scope.HINT, reason) for reason in reasons]


class Hearing:
    """Stores hints before they are answered, then makes wishes of them; runs while the application does.

    The first hint of an owner is wished for at once; those that follow closely wait until the burst is over. What
    was stored and not wished for when a process died is found at the next start.
    """

    def __init__(self, database: Database, queue: Nudges, clock: Clock) -> None:
        self._database = database
        self._queue = queue
        self._clock = clock
        self._arrived: list[tuple[Delivery, asyncio.Future[None]]] = []
        self._some = asyncio.Event()
        self._over = asyncio.Event()
        self._owners: dict[UserId, tuple[asyncio.Event, asyncio.Task[None]]] = {}

    async def keep(self, delivery: Delivery) -> None:
        """Returns once it is stored. Raises `SQLAlchemyError` or `OSError` if it is not."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._arrived.append((delivery, stored))
        self._some.set()
        await stored

    def heard(self, user: UserId) -> None:
        """Something was stored for this owner."""
        if user in self._owners:
            self._owners[user][0].set()
        elif not self._over.is_set():
            more = asyncio.Event()
            self._owners[user] = more, asyncio.create_task(self._listen(user, more), name=f"hints-{user}")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        writer = asyncio.create_task(self._write(), name="deliveries")
        try:
            for user in await self._left():
                self.heard(user)
            yield
        finally:
            self._over.set()
            self._some.set()
            for more, _ in self._owners.values():
                more.set()
            await asyncio.gather(writer, *(task for _, task in self._owners.values()))

    async def _left(self) -> Sequence[UserId]:
        return await self._database.read(deliveries.users_waiting)

    async def _write(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            batch, self._arrived = self._arrived, []
            if batch:
                await self._store(batch)
            elif self._over.is_set():
                return

    async def _store(self, batch: Sequence[tuple[Delivery, "asyncio.Future[None]"]]) -> None:
        found = [delivery for delivery, _ in batch]
        try:
            await self._database.write(lambda connection: deliveries.add_all(connection, found))
        except IntegrityError as error:
            if len(batch) == 1:
                _fail(batch, error)
                return
            for each in batch:  # the account of one of them is just being deleted: it must not cost the others
                await self._store([each])
        except (SQLAlchemyError, OSError) as error:
            _fail(batch, error)
        except BaseException as error:
            _fail(batch, RuntimeError(type(error).__name__))
            raise
        else:
            for _, stored in batch:
                if not stored.done():
                    stored.set_result(None)

    async def _listen(self, user: UserId, more: asyncio.Event) -> None:
        """From the first hint to the end of the burst that it may be the first of."""
        try:
            await self._wish(user)
            while await _within(more, _REST) and not self._over.is_set():
                await self._until_quiet(more)
                await self._wish(user)
        finally:
            # Nothing is awaited since nobody was heard: what comes now begins anew.
            del self._owners[user]

    async def _until_quiet(self, more: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + _LONGEST
        while not self._over.is_set() and loop.time() < until:
            if not await _within(more, _QUIET):
                return

    async def _wish(self, user: UserId) -> None:
        """Makes a wish of all that is stored; tries again while the database is away."""
        while True:
            try:
                is_due = await self._database.write(lambda connection: self._turn(connection, user))
            except (SQLAlchemyError, OSError) as error:
                log.warning("hints wait", extra={"user": user, "error": type(error).__name__})
                if await _within(self._over, _AGAIN, keep=True):
                    return  # the next start finds them
                continue
            break
        if is_due:
            try:
                await self._queue.nudge(user)
            except (RedisError, OSError) as error:  # the tick finds him
                log.warning("nudge lost", extra={"user": user, "error": type(error).__name__})

    async def _turn(self, connection: AsyncConnection, user: UserId) -> bool:
        at: datetime = self._clock()
        found = await deliveries.waiting(connection, user)
        if not found:
            return False
        account = await till_accounts.by_user(connection, user)
        known = {store.casefold(): store for store in await till_accounts.stores_of(connection, user)}
        wants = _Wants()
        for delivery in found:
            wants.add(delivery, known)
        await deliveries.finish(connection, [delivery.id for delivery in found], at=at)
        if account is None or not account.is_connected or account.health is Health.PARKED:
            return False
        wishes = wants.wishes()
        for scope, reason in wishes:
            await mirrors.want(connection, user, scope=scope, reason=reason, at=at)
        return bool(wishes)


async def _within(event: asyncio.Event, seconds: float, *, keep: bool = False) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    if not keep:
        event.clear()
    return True


def _fail(batch: Sequence[tuple[Delivery, "asyncio.Future[None]"]], error: Exception) -> None:
    for _, stored in batch:
        if not stored.done():
            stored.set_exception(error)
