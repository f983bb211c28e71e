import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import delete, event, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db.engine import Database, make_engine
from evosync.db.tables import mirrors, roles, users
from evosync.domain.ids import UserId
from tests.db.conftest import NOW, new_owner


@pytest.fixture
async def mariadb_only(migrated_mariadb: str) -> AsyncIterator[Database]:
    """For what SQLite, with one writer at a time, cannot run into."""
    database = Database(make_engine(migrated_mariadb))
    yield database
    async with database.writing() as connection:
        await connection.execute(delete(users))
    await database.close()


async def failures(database: Database, user: UserId) -> int:
    async with database.reading() as connection:
        return int(await connection.scalar(select(mirrors.c.failures).where(mirrors.c.user_id == user)) or 0)


async def test_no_update_is_lost_when_many_read_and_write_back(database: Database, olga: UserId) -> None:
    async def one_more(connection: AsyncConnection) -> None:
        query = select(mirrors.c.failures).where(mirrors.c.user_id == olga).with_for_update()
        seen = (await connection.execute(query)).scalar_one()
        await connection.execute(update(mirrors).where(mirrors.c.user_id == olga).values(failures=seen + 1))

    async def ten_more() -> None:
        for _ in range(10):
            await database.write(one_more)

    await asyncio.gather(*(ten_more() for _ in range(6)))
    assert await failures(database, olga) == 60


async def test_two_that_lock_each_other_out_both_succeed_in_the_end(mariadb_only: Database) -> None:
    olga, boris = [await new_owner(mariadb_only, name) for name in ("olga@example.org", "boris@example.org")]
    both_hold_one = asyncio.Barrier(2)
    tries: list[UserId] = []

    async def add_to(first: UserId, second: UserId) -> None:
        async def work(connection: AsyncConnection) -> None:
            tries.append(first)
            for user in (first, second):
                await connection.execute(
                    update(mirrors).where(mirrors.c.user_id == user).values(failures=mirrors.c.failures + 1)
                )
                if user == first and len(tries) <= 2:
                    await both_hold_one.wait()

        await mariadb_only.write(work)

    await asyncio.gather(add_to(olga, boris), add_to(boris, olga))
    assert len(tries) == 3, "one of them was the deadlock's victim and began anew"
    assert await failures(mariadb_only, olga) == await failures(mariadb_only, boris) == 2


async def test_a_locked_sqlite_is_tried_again(migrated_file: Path) -> None:
    impatient = Database(make_engine(f"sqlite+aiosqlite:///{migrated_file}", lock_wait=0.01))
    refused = asyncio.Event()

    @event.listens_for(impatient.engine.sync_engine, "handle_error")
    def note(_context: object) -> None:
        refused.set()

    async def change(connection: AsyncConnection) -> int:
        await connection.execute(update(roles).values(name=roles.c.name))
        return 7

    stranger = Database(make_engine(f"sqlite+aiosqlite:///{migrated_file}"))
    async with stranger.writing():
        waiting = asyncio.create_task(impatient.write(change))
        await refused.wait()
    assert await waiting == 7
    await impatient.close()
    await stranger.close()


async def test_writers_of_one_process_take_turns_so_that_none_starves(migrated_file: Path) -> None:
    impatient = Database(make_engine(f"sqlite+aiosqlite:///{migrated_file}", lock_wait=0.001))
    served: list[int] = []

    async def change(connection: AsyncConnection, number: int) -> None:
        await connection.execute(update(roles).values(name=roles.c.name))
        served.append(number)

    await asyncio.gather(*(impatient.write(partial(change, number=number)) for number in range(100)))
    assert served == list(range(100))
    await impatient.close()


SLOW = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT max(i) FROM n"


async def test_a_writer_cancelled_in_the_middle_of_a_question_does_not_keep_sqlites_lock(migrated_file: Path) -> None:
    database = Database(make_engine(f"sqlite+aiosqlite:///{migrated_file}"))
    asking = asyncio.Event()
    kept: list[BaseException] = []

    async def write() -> None:
        try:
            async with database.writing() as connection:
                await connection.execute(update(roles).values(name=roles.c.name))
                asking.set()
                await connection.execute(text(SLOW))
        except asyncio.CancelledError as cancelled:
            kept.append(cancelled)  # as a task that was cancelled, and is still spoken of, keeps it

    writer = asyncio.create_task(write())
    await asking.wait()
    await asyncio.sleep(0.02)
    writer.cancel()
    await asyncio.wait([writer])
    assert kept
    with contextlib.closing(sqlite3.connect(migrated_file, isolation_level=None, timeout=5)) as other:
        other.execute("BEGIN IMMEDIATE")
    await database.close()


async def test_reading_goes_on_while_somebody_writes(database: Database, olga: UserId) -> None:
    async with database.writing() as connection:
        await connection.execute(update(mirrors).where(mirrors.c.user_id == olga).values(failures=9))
        assert await failures(database, olga) == 0, "and sees what was committed last"
    assert await failures(database, olga) == 9


async def test_an_error_that_is_no_lock_is_not_tried_again(database: Database, olga: UserId) -> None:
    tries = 0

    async def wrong(connection: AsyncConnection) -> None:
        nonlocal tries
        tries += 1
        await connection.execute(insert(roles).values(name="user", built_in=False))

    with pytest.raises(IntegrityError):
        await database.write(wrong)
    assert tries == 1


async def test_a_failed_write_leaves_nothing_behind(database: Database, olga: UserId) -> None:
    async def half(connection: AsyncConnection) -> None:
        await connection.execute(update(mirrors).where(mirrors.c.user_id == olga).values(failures=5))
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(half)
    assert await failures(database, olga) == 0


async def test_a_row_needs_the_row_that_it_refers_to(database: Database) -> None:
    async def orphan(connection: AsyncConnection) -> None:
        values = {"wanted_reasons": [], "run_with": "", "readings": {}, "pauses": {}, "failures": 0}
        await connection.execute(insert(mirrors).values(user_id=987654321, **values))

    with pytest.raises(IntegrityError):
        await database.write(orphan)


async def test_times_keep_their_microseconds_and_come_back_as_utc(database: Database, olga: UserId) -> None:
    moscow = datetime(2026, 3, 4, 8, 6, 7, 123456, tzinfo=timezone(timedelta(hours=3)))
    async with database.writing() as connection:
        await connection.execute(update(users).where(users.c.id == olga).values(consent_at=moscow))
    async with database.reading() as connection:
        stored = await connection.scalar(select(users.c.consent_at).where(users.c.id == olga))
        found = await connection.scalar(select(users.c.id).where(users.c.consent_at <= moscow))
    assert stored == moscow
    assert stored is not None
    assert stored.tzinfo is UTC
    assert found == olga


async def test_a_time_without_a_zone_is_refused(database: Database, olga: UserId) -> None:
    with pytest.raises(StatementError, match="without a zone"):
        async with database.writing() as connection:
            await connection.execute(update(users).values(consent_at=NOW.replace(tzinfo=None)))


async def test_a_reading_leaves_no_transaction_open_that_would_keep_others_from_changing_a_table(
    mariadb_only: Database,
) -> None:
    async with mariadb_only.reading() as connection:
        await connection.execute(select(users.c.id))
        assert (await connection.execute(text("SELECT @@autocommit, @@in_transaction, @@tx_isolation"))).one() == (
            1, 0, "READ-COMMITTED",
        )  # fmt: skip
    async with mariadb_only.writing() as connection:
        assert await connection.scalar(text("SELECT @@in_transaction")) == 1
    async with mariadb_only.reading() as connection:
        assert await connection.scalar(text("SELECT @@in_transaction")) == 0


async def test_a_lost_connection_is_replaced(mariadb_only: Database) -> None:
    olga = await new_owner(mariadb_only, "olga@example.org")
    killed = False

    async def work(connection: AsyncConnection) -> int:
        nonlocal killed
        if not killed:
            killed = True
            mine = await connection.scalar(select(func.connection_id()))
            async with mariadb_only.engine.connect() as other:
                await other.exec_driver_sql(f"KILL {mine}")
        await connection.execute(update(mirrors).where(mirrors.c.user_id == olga).values(failures=3))
        return 1

    assert await mariadb_only.write(work) == 1
    assert await failures(mariadb_only, olga) == 3


async def test_a_reading_whose_connection_was_cut_just_now_reads_once_more(mariadb_only: Database) -> None:
    async with mariadb_only.reading() as connection:
        cut = await connection.scalar(select(func.connection_id()))
    elsewhere = Database(make_engine(mariadb_only.engine.url.render_as_string(hide_password=False)))
    async with elsewhere.reading() as connection:
        await connection.exec_driver_sql(f"KILL {cut}")
    await elsewhere.close()
    assert await mariadb_only.read(lambda connection: connection.scalar(select(func.connection_id()))) != cut
