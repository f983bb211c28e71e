"""The driver's connection, which gives the write lock back also when whoever used it was cancelled."""

import contextlib
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite


class Connection(aiosqlite.Connection):
    """Rolls back before it closes.

    A statement goes on in the driver's thread when its caller is cancelled: `BEGIN` may get the lock after that. SQLite
    then keeps it beyond the closing for as long as anybody, such as the traceback of that very cancellation, still
    holds the cursor.
    """

    async def close(self) -> None:
        self._roll_back()
        await super().close()

    def stop(self) -> Any:
        self._roll_back()
        return super().stop()

    def _roll_back(self) -> None:
        """Once the thread has done what it was told before."""
        if self._connection is not None:
            self._tx.put_nowait((None, partial(_roll_back, self._connection)))


def _roll_back(connection: sqlite3.Connection) -> None:
    with contextlib.suppress(sqlite3.Error):
        connection.rollback()


async def connect(database: str | Path, **options: Any) -> aiosqlite.Connection:
    connection = Connection(lambda: sqlite3.connect(database, **options), 64)
    connection._thread.daemon = True  # noqa: SLF001 - what SQLAlchemy does with a connection of the driver's own
    return await connection
