"""The database as a run and the clock see it: the engine's ports `Ledger` and `Due`."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import connections, mirrors, runs, shop, tills
from evosync.db import links as ties
from evosync.db.engine import Database
from evosync.db.links import Placing
from evosync.db.mirrors import Defaults, Pending, Turn
from evosync.domain.catalog import Album, Group, Item, Product, Store
from evosync.domain.errors import Side
from evosync.domain.ids import AlbumId, CommunityId, ItemId, ProductId, RunId, StoreId, UserId
from evosync.domain.links import AlbumLink, Link
from evosync.domain.mirror import (
    Going,
    KnownProduct,
    Mirror,
    Outcome,
    Pause,
    ProductResult,
    Progress,
    Reason,
    RunRecord,
    Scope,
    StoreReading,
    Tally,
    TillChanges,
    is_behind,
)
from evosync.domain.status import Standing, Status
from evosync.security.seal import Sealer


def _now() -> datetime:
    return datetime.now(UTC)


class DbLedger:
    """`Ledger` and `Due` on a database; every method is one transaction, tried again after a deadlock."""

    def __init__(
        self,
        database: Database,
        *,
        sealer: Sealer,
        defaults: Defaults | None = None,
        clock: Callable[[], datetime] = _now,
        alive_for: timedelta = timedelta(),
    ) -> None:
        """`clock` stamps the heartbeat of a run's progress.

        `alive_for`: so long after its last heartbeat no other run of its owner is begun. A lease is as good as that
        until Redis is emptied.
        """
        self._database = database
        self._sealer = sealer
        self._defaults = defaults or Defaults()
        self._clock = clock
        self._alive_for = alive_for

    async def mirror(self, user: UserId) -> Mirror | None:
        return await self._database.read(lambda connection: self._load(connection, user))

    async def _load(self, connection: AsyncConnection, user: UserId) -> Mirror | None:
        return await mirrors.load(connection, user, sealer=self._sealer, defaults=self._defaults)

    async def known_products(
        self, user: UserId, store: StoreId, *, ids: Collection[ProductId] | None = None
    ) -> Mapping[ProductId, KnownProduct]:
        return await self._database.read(lambda connection: tills.known_products(connection, user, store, ids))

    async def stores(self, user: UserId) -> tuple[Store, ...]:
        return await self._database.read(lambda connection: tills.stores(connection, user))

    async def groups(self, user: UserId) -> tuple[Group, ...]:
        return await self._database.read(lambda connection: tills.groups(connection, user))

    async def products(
        self, user: UserId, *, stores: Collection[StoreId] | None = None, ids: Collection[ProductId] | None = None
    ) -> tuple[Product, ...]:
        return await self._database.read(lambda connection: tills.products(connection, user, of_stores=stores, ids=ids))

    async def save_till(
        self, user: UserId, changes: TillChanges, *, at: datetime, connected_at: datetime | None = None
    ) -> None:
        async def save(connection: AsyncConnection) -> None:
            await tills.save(connection, user, changes, at=at)
            reported = {store.till_user for store in changes.stores if store.till_user}
            if not reported and await connections.till_is_nameless(connection, user):
                reported = {store.till_user for store in await tills.stores(connection, user) if store.till_user}
            if len(reported) == 1:
                await connections.note_till_user(connection, user, reported.pop(), connected_at=connected_at)

        if changes:
            await self._database.write(save)

    async def known_shop(
        self, user: UserId, community: CommunityId
    ) -> tuple[Mapping[AlbumId, bytes], Mapping[ItemId, bytes]]:
        return await self._database.read(lambda connection: shop.known(connection, user, community))

    async def cached_albums(self, user: UserId, community: CommunityId) -> tuple[Album, ...]:
        return await self._database.read(lambda connection: shop.albums(connection, user, community))

    async def cached_items(self, user: UserId, community: CommunityId, *, titles: Collection[str]) -> tuple[Item, ...]:
        return await self._database.read(lambda connection: shop.items_titled(connection, user, community, titles))

    async def save_shop(
        self,
        user: UserId,
        community: CommunityId,
        *,
        albums: Iterable[Album],
        albums_gone: Iterable[AlbumId],
        items: Iterable[Item],
        items_gone: Iterable[ItemId],
    ) -> None:
        changed = [*albums], [*albums_gone], [*items], [*items_gone]
        if not any(changed):
            return
        await self._database.write(
            lambda connection: shop.save(
                connection,
                user,
                community,
                albums=changed[0],
                albums_gone=changed[1],
                items=changed[2],
                items_gone=changed[3],
            )
        )

    async def links(
        self, user: UserId, community: CommunityId, *, ids: Collection[ProductId] | None = None
    ) -> Mapping[ProductId, Link]:
        return await self._database.read(lambda connection: ties.links(connection, user, community, ids))

    async def link_details(
        self, user: UserId, community: CommunityId, ids: Collection[ProductId]
    ) -> Mapping[ProductId, Link]:
        return await self._database.read(lambda connection: ties.whole(connection, user, community, ids))

    async def album_links(self, user: UserId, community: CommunityId) -> tuple[AlbumLink, ...]:
        return await self._database.read(lambda connection: ties.albums(connection, user, community))

    async def intend(self, user: UserId, community: CommunityId, run: RunId, links: Sequence[Link]) -> bool:
        return not links or await self._while_open(run, lambda one: ties.intend(one, user, community, links))

    async def save_links(self, user: UserId, community: CommunityId, links: Sequence[Link]) -> None:
        if links:
            await self._database.write(lambda connection: ties.save(connection, user, community, links))

    async def keep_links(self, user: UserId, community: CommunityId, run: RunId, links: Sequence[Link]) -> bool:
        return not links or await self._while_open(run, lambda one: ties.save(one, user, community, links))

    async def drop_links(self, user: UserId, community: CommunityId, run: RunId, products: Sequence[ProductId]) -> None:
        if products:
            await self._while_open(run, lambda one: ties.drop(one, user, community, products))

    async def _while_open(self, run: RunId, work: Callable[[AsyncConnection], Awaitable[None]]) -> bool:
        """`work` in a transaction in which nobody can close the run; False if it is closed already."""

        async def fenced(connection: AsyncConnection) -> bool:
            is_open = await runs.stays_open(connection, run)
            if is_open:
                await work(connection)
            return is_open

        return await self._database.write(fenced)

    async def save_placed(self, user: UserId, community: CommunityId, placed: Sequence[Placing]) -> None:
        if placed:
            await self._database.write(lambda connection: ties.save_placed(connection, user, community, placed))

    async def save_album_links(self, user: UserId, community: CommunityId, links: Sequence[AlbumLink]) -> None:
        if links:
            await self._database.write(lambda connection: ties.save_albums(connection, user, community, links))

    async def drop_album_links(self, user: UserId, community: CommunityId, albums: Sequence[AlbumId]) -> None:
        if albums:
            await self._database.write(lambda connection: ties.drop_albums(connection, user, community, albums))

    async def adds_since(self, user: UserId, community: CommunityId, since: datetime) -> tuple[int, datetime | None]:
        return await self._database.read(lambda connection: ties.adds_since(connection, user, community, since))

    async def save_statuses(
        self,
        user: UserId,
        statuses: Mapping[ProductId, Status],
        *,
        run: RunId,
        at: datetime,
        instead_of: Collection[Standing] | None = None,
    ) -> None:
        if statuses:
            await self._while_open(
                run,
                lambda connection: tills.save_statuses(
                    connection, user, statuses, run=run, at=at, instead_of=instead_of
                ),
            )

    async def save_results(self, run: RunId, results: Sequence[ProductResult]) -> None:
        if results:
            await self._database.write(lambda connection: runs.save_results(connection, run, results))

    async def start_look(self, user: UserId, *, reasons: Sequence[str], at: datetime) -> RunId | None:
        async def begin(connection: AsyncConnection) -> RunId | None:
            if self._lives(await mirrors.lock(connection, user)):
                return None
            # Now and not at its end, which it may not live to see.
            await mirrors.compare_all(connection, user)
            beat = self._clock()
            return await runs.start(connection, user, scope=Scope.FULL, reasons=reasons, at=at, beat=beat, dry=True)

        return await self._database.write(begin)

    async def finish_look(
        self,
        user: UserId,
        run: RunId,
        *,
        outcome: Outcome,
        code: str,
        tally: Tally,
        notes: Mapping[str, tuple[str, ...]],
        readings: Mapping[StoreId, StoreReading],
        at: datetime,
    ) -> RunRecord:
        async def end(connection: AsyncConnection) -> RunRecord:
            await mirrors.looked(connection, user, readings)
            return await runs.finish(connection, run, outcome=outcome, code=code, tally=tally, notes=notes, at=at)

        return await self._database.write(end)

    async def start_run(
        self, user: UserId, *, scope: Scope, reasons: Sequence[str], at: datetime, loaded: Mirror | None = None
    ) -> RunId | None:
        begun: set[RunId] = set()

        async def begin(connection: AsyncConnection) -> RunId | None:
            standing = await mirrors.lock(connection, user)
            if standing.run in begun:  # the connection was lost after the commit
                return standing.run
            if self._lives(standing):
                return None
            with_ = await mirrors.run_with(connection, user)  # before: of what comes after it the run hears
            if loaded is not None:
                now = await self._load(connection, user)
                if now is None or now.is_changed(since=loaded):
                    return None
            run = await runs.start(connection, user, scope=scope, reasons=reasons, at=at, beat=self._clock())
            await mirrors.start(connection, user, standing, run=run, scope=scope, reasons=reasons, at=at, with_=with_)
            begun.add(run)
            return run

        return await self._database.write(begin)

    def _lives(self, standing: Pending) -> bool:
        beat = standing.heartbeat_at
        return beat is not None and abs(self._clock() - beat) < self._alive_for

    async def progress(self, user: UserId, run: RunId, progress: Progress, tally: Tally) -> Going:
        async def note(connection: AsyncConnection) -> Going:
            if not await runs.progress(connection, run, progress, tally, at=self._clock()):
                return Going.OVERTAKEN
            return Going.ON if await mirrors.still_wanted(connection, user) else Going.UNWANTED

        return await self._database.write(note)

    async def is_open(self, run: RunId) -> bool:
        return await self._database.read(lambda connection: runs.is_open(connection, run))

    async def finish_run(
        self,
        run: RunId,
        *,
        outcome: Outcome,
        code: str,
        tally: Tally,
        notes: Mapping[str, tuple[str, ...]],
        readings: Mapping[StoreId, StoreReading],
        pauses: Mapping[str, Pause],
        shop_read_at: datetime | None,
        next_at: datetime | None,
        failures: int,
        at: datetime,
    ) -> RunRecord:
        async def end(connection: AsyncConnection) -> RunRecord:
            scope, was_given_up = await runs.before_end(connection, run)
            await mirrors.finish(
                connection,
                run,
                readings=readings,
                pauses=pauses,
                shop_read_at=shop_read_at,
                next_at=next_at,
                failures=failures,
                behind=is_behind(scope, outcome, code, reads_again=shop_read_at is None),
            )
            record = await runs.finish(connection, run, outcome=outcome, code=code, tally=tally, notes=notes, at=at)
            if was_given_up:
                # What it wrote last may be older than what the run after it wrote, and came later.
                await mirrors.want(connection, record.user, scope=Scope.FULL, reason=Reason.RETRY, at=at)
            return record

        return await self._database.write(end)

    async def note_quiet_run(
        self,
        user: UserId,
        *,
        reasons: Sequence[str],
        outcome: Outcome,
        tally: Tally,
        readings: Mapping[StoreId, StoreReading],
        next_at: datetime | None,
        started_at: datetime,
        at: datetime,
    ) -> RunRecord:
        async def note(connection: AsyncConnection) -> RunRecord:
            record = await runs.note(
                connection, user, reasons=reasons, outcome=outcome, tally=tally, started_at=started_at, at=at
            )
            await mirrors.note(connection, user, record.id, readings=readings, next_at=next_at, started_at=started_at)
            return record

        return await self._database.write(note)

    async def take_hint(self, user: UserId) -> frozenset[str]:
        return await self._database.write(lambda connection: mirrors.take_hint(connection, user))

    async def break_connection(
        self, user: UserId, side: Side, *, reason: str, at: datetime, connected_at: datetime | None = None
    ) -> bool:
        return await self._database.write(
            lambda connection: connections.break_connection(
                connection, user, side, reason=reason, at=at, connected_at=connected_at
            )
        )

    async def mend_connection(self, user: UserId, side: Side, *, wish_at: datetime | None = None) -> None:
        async def mend(connection: AsyncConnection) -> None:
            await connections.mend_one(connection, user, side)
            if wish_at is not None:
                await mirrors.want(connection, user, scope=Scope.FULL, reason=Reason.MENDED, at=wish_at)

        await self._database.write(mend)

    async def mend_connections(self, side: Side, *, reason: str, since: datetime) -> int:
        return await self._database.write(
            lambda connection: connections.mend(connection, side, reason=reason, since=since)
        )

    async def due(self, now: datetime, limit: int) -> Sequence[UserId]:
        return await self._database.read(lambda connection: mirrors.due(connection, now, limit))

    async def coming(self, now: datetime, until: datetime, limit: int) -> Sequence[tuple[UserId, datetime]]:
        return await self._database.read(lambda connection: mirrors.coming(connection, now, until, limit))

    async def set_back(self, user: UserId, *, at: datetime) -> None:
        """His run crashed: he is due again after a back-off, and reads everything then."""
        await self._database.write(lambda connection: mirrors.set_back(connection, user, at=at))

    async def turns(self, users: Collection[UserId], now: datetime) -> Mapping[UserId, Turn]:
        """What is wanted of these users. Ask before `start_run`, and do that much."""
        return await self._database.read(lambda connection: mirrors.turns(connection, users, now))

    async def want(self, user: UserId, *, scope: Scope, reason: str, at: datetime) -> None:
        await self._database.write(lambda connection: mirrors.want(connection, user, scope=scope, reason=reason, at=at))
