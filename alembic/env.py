"""Runs revisions on the connection that `evosync.db.migrate` hands over, or on `-x url=...`."""

import asyncio

from alembic import context
from sqlalchemy import Connection

from evosync.db.engine import Database, make_engine
from evosync.db.tables import metadata


def run(connection: Connection) -> None:
    # SQLite cannot alter a table: batches make a new one and copy.
    context.configure(connection=connection, target_metadata=metadata, compare_type=True, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


async def run_by_url(url: str) -> None:
    database = Database(make_engine(url, foreign_keys=False))
    try:
        async with database.writing() as connection:
            await connection.run_sync(run)
    finally:
        await database.close()


def main() -> None:
    given: Connection | None = context.config.attributes.get("connection")
    if given is not None:
        run(given)
        return
    url = context.get_x_argument(as_dictionary=True).get("url")
    if not isinstance(url, str):
        raise SystemExit("name the database: alembic -x url=sqlite+aiosqlite:///FILE ...")
    asyncio.run(run_by_url(url))


main()
