"""The connection to the database, and the ways to use it: read, write, write and try again."""

import asyncio
import contextlib
import math
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, event
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from evosync.db import mariadb
from evosync.db import sqlite as driver

T = TypeVar("T")

CHUNK = 500
"""Values of one IN list."""

_TRIES = 6
_FIRST_WAIT = 0.02
_LOCK_WAIT_SECONDS = 5.0
_DEADLOCK, _LOCK_TIMEOUT = 1213, 1205
_WRITING = "evosync_writing"
_USED_AT = "evosync_used_at"
_FRESH_SECONDS = 1.0
"""A connection that was used so lately is alive; should the server have gone since, `read` and `write` try again."""
_SESSION = (
    "SET time_zone = '+00:00', sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', "
    "group_concat_max_len = 16777216, "  # for `rows`
    "idle_transaction_timeout = 10"  # a process that was frozen in the middle of one must not keep all others out
)


def make_engine(
    url: str, *, pool_size: int = 10, foreign_keys: bool = True, lock_wait: float = _LOCK_WAIT_SECONDS
) -> AsyncEngine:
    """An engine for `mysql+aiomysql://`, `mariadb+aiomysql://` or `sqlite+aiosqlite:///PATH`.

    Twice `pool_size` connections at most. `foreign_keys` and `lock_wait` (seconds) are SQLite's, and migrations
    change both.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(url, pool_size=pool_size, foreign_keys=foreign_keys, lock_wait=lock_wait)
    return _mariadb(parsed, pool_size=pool_size)


def _mariadb(url: URL, *, pool_size: int) -> AsyncEngine:
    if url.get_driver_name() == "pymysql":
        url = url.set(drivername=f"{url.get_backend_name()}+aiomysql")
    engine = create_async_engine(
        url,
        pool_size=2 * pool_size,  # as many as are ever needed are kept: making one takes the server longer than a run
        max_overflow=0,
        pool_use_lifo=True,
        pool_recycle=1800,
        isolation_level="READ COMMITTED",
        connect_args={
            "charset": "utf8mb4",
            "connect_timeout": 10,
            "init_command": _SESSION,
            "conv": mariadb.conversions(),
            "async_creator_fn": mariadb.connect,
        },
    )
    _begins_writing(engine, "BEGIN")

    @event.listens_for(engine.sync_engine, "connect")
    def begin_nothing(connection: DBAPIConnection, _record: object) -> None:
        """A transaction begins where a writer says so. SQLAlchemy, having set the isolation, switches this off."""
        connection.autocommit(True)  # noqa: FBT003 - the driver's signature

    @event.listens_for(engine.sync_engine, "checkin")
    def note(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info[_USED_AT] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def ask(connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
        """As SQLAlchemy's own ping before each use, which on a busy service would be every third round trip."""
        if time.monotonic() - record.info.get(_USED_AT, math.inf) < _FRESH_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error

    return engine


def _begins_writing(engine: AsyncEngine, statement: str) -> None:
    """Only a writer opens a transaction.

    A reader needs none: each of its statements sees what is committed then, as it would within a transaction that is
    READ COMMITTED, and a word to begin or end one costs as much as a small SELECT.
    """

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get(_WRITING, False):
            connection.exec_driver_sql(statement)


def _sqlite(url: str, *, pool_size: int, foreign_keys: bool, lock_wait: float) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        connect_args={"timeout": lock_wait, "isolation_level": None, "async_creator_fn": driver.connect},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        # Kept in the file; while others use it the mode cannot change, and then they have seen to it.
        with contextlib.suppress(sqlite3.OperationalError):
            cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        cursor.close()

    # A read-modify-write without the lock would lose updates, and one that upgrades may not get it: taken at once.
    _begins_writing(engine, "BEGIN IMMEDIATE")
    return engine


class Database:
    """The engine with the three ways to use it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._turn = asyncio.Lock() if engine.dialect.name == "sqlite" else None
        """SQLite has one write lock, and whoever waits for it asks again and again, in no order: of two hundred some
        would starve. Writers of this process take turns instead; those of others are few."""

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection that changes nothing; on SQLite it neither waits for writers nor holds them up."""
        async with self.engine.connect() as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that commits at the end of the block. Prefer `write`, which survives deadlocks."""
        async with self._turn or contextlib.nullcontext(), self.engine.connect() as plain:
            connection = await plain.execution_options(**{_WRITING: True})
            async with connection.begin():
                yield connection

    async def read(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """`work` on a connection that changes nothing; once more on another where the first was lost."""
        try:
            async with self.reading() as connection:
                return await work(connection)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        async with self.reading() as connection:
            return await work(connection)

    async def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """`work` in a transaction, begun anew after a deadlock, a lock time-out or a lost connection.

        After a connection lost during the commit, `work` may be done twice.
        """
        for attempt in range(_TRIES):
            try:
                async with self.writing() as connection:
                    return await work(connection)
            except DBAPIError as error:
                if attempt == _TRIES - 1 or not _worth_retrying(error):
                    raise
            await asyncio.sleep(_FIRST_WAIT * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, no secret
        raise AssertionError("unreachable")

    async def close(self) -> None:
        await self.engine.dispose()


def _worth_retrying(error: DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    arguments: tuple[Any, ...] = getattr(error.orig, "args", ())
    return bool(arguments) and (arguments[0] in {_DEADLOCK, _LOCK_TIMEOUT} or "database is locked" in str(arguments[0]))


async def upsert(
    connection: AsyncConnection, table: Table, rows: Iterable[Mapping[str, Any]], *, keep: Iterable[str] = ()
) -> None:
    """Insert or update by primary key; all rows name the same columns, those in `keep` only inserts set.

    Sorted by key, for upserts in random order deadlock each other on MariaDB.
    """
    key = [column.name for column in table.primary_key]
    ordered = sorted(rows, key=lambda row: tuple(row[name] for name in key))
    if not ordered:
        return
    changed = [name for name in ordered[0] if name not in key and name not in set(keep)]
    statement: Any
    if connection.dialect.name == "sqlite":
        insert = sqlite.insert(table)
        statement = insert.on_conflict_do_update(
            index_elements=key, set_={name: insert.excluded[name] for name in changed}
        )
    else:
        into = mysql.insert(table)
        statement = into.on_duplicate_key_update({name: into.inserted[name] for name in changed})
    # Always a list of rows: `.values([...])` would be compiled anew each time, row by row.
    await connection.execute(statement, [dict(row) for row in ordered])


def chunked(values: Iterable[T], size: int = CHUNK) -> Iterable[Sequence[T]]:
    """`values` without repetitions, in pieces that fit one IN list."""
    unique = list(dict.fromkeys(values))
    for start in range(0, len(unique), size):
        yield unique[start : start + size]
