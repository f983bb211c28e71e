import asyncio
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, inspect, select, text, update

from evosync import logs
from evosync.cli.commands import obey
from evosync.db import accounts, migrate, tills
from evosync.db.engine import Database, make_engine
from evosync.db.tables import cached_products, permissions, roles
from evosync.domain.catalog import Product
from evosync.domain.ids import ProductId, StoreId
from evosync.domain.mirror import TillChanges
from tests.db.conftest import NOW

WANTED = {
    "users", "evotor_connections", "vk_connections", "sync_configs", "sync_filters", "cached_stores", "cached_groups",
    "cached_products", "vk_cached_albums", "vk_cached_products", "roles", "permissions", "role_permissions",
    "user_roles",
}  # fmt: skip


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


async def table_names(url: str) -> set[str]:
    engine = make_engine(url)
    async with engine.connect() as connection:
        names = await connection.run_sync(tables)
    await engine.dispose()
    return names


async def test_the_revisions_go_up_with_data_in_and_down_and_up_again(database_url: str) -> None:
    await migrate.upgrade(database_url)
    database = Database(make_engine(database_url))
    async with database.writing() as connection:
        await accounts.create_user(connection, email="a@example.org", role="admin", at=NOW)
    await database.close()
    assert await table_names(database_url) >= WANTED

    await migrate.downgrade(database_url, "base")
    assert await table_names(database_url) <= {"alembic_version"}

    await migrate.upgrade(database_url)
    assert await table_names(database_url) >= WANTED


async def test_the_tables_are_what_the_revisions_make(database_url: str) -> None:
    await migrate.upgrade(database_url)
    await migrate.check(database_url)


async def test_a_database_knows_whether_it_is_at_the_newest_revision(database_url: str) -> None:
    engine = make_engine(database_url)
    assert await migrate.current(engine) is None
    assert not await migrate.is_current(engine)
    await migrate.upgrade(database_url)
    assert await migrate.is_current(engine)
    await engine.dispose()


async def test_several_that_start_at_once_migrate_once(database_url: str) -> None:
    await asyncio.gather(*(migrate.upgrade(database_url) for _ in range(4)))
    engine = make_engine(database_url)
    assert await migrate.is_current(engine)
    await engine.dispose()


async def test_no_revision_after_the_first_keeps_others_from_reading_and_writing(mariadb_url: str) -> None:
    """MariaDB itself refuses what it cannot do in place without a lock."""
    await migrate.upgrade(mariadb_url, "0001")
    drop = re.compile(r"\s*DROP INDEX (\S+) ON (\S+)", re.IGNORECASE)
    changes = re.compile(r"\s*(ALTER TABLE|CREATE (?:UNIQUE )?INDEX)\b", re.IGNORECASE)
    seen = []

    def without_lock(
        _connection: object, _cursor: object, statement: str, parameters: Any, _context: object, _many: object
    ) -> tuple[str, Any]:
        statement = drop.sub(r"ALTER TABLE \2 DROP INDEX \1", statement)
        found = changes.match(statement)
        if found is None:
            return statement, parameters
        seen.append(statement)
        comma = "," if found[1].upper() == "ALTER TABLE" else ""
        return f"{statement}{comma} ALGORITHM=INPLACE{comma} LOCK=NONE", parameters

    event.listen(Engine, "before_cursor_execute", without_lock, retval=True)
    try:
        await migrate.upgrade(mariadb_url)
    finally:
        event.remove(Engine, "before_cursor_execute", without_lock)
    assert seen
    await migrate.check(mariadb_url)


@pytest.mark.parametrize("role", ["system", "admin", "user"])
async def test_the_built_in_roles_are_there(database: Database, role: str) -> None:
    async with database.reading() as connection:
        built_in = await connection.scalar(select(roles.c.built_in).where(roles.c.name == role))
        known = set((await connection.execute(select(permissions.c.name))).scalars())
    assert built_in
    assert {"users.read", "users.edit", "users.suspend", "users.delete", "users.invite", "roles.edit"} <= known
    assert {"queue.read", "queue.retry", "audit.read"} <= known


async def test_names_that_the_till_said_before_are_found_with_ye_for_yo_too(database_url: str) -> None:
    await migrate.upgrade(database_url)
    database = Database(make_engine(database_url))
    c = cached_products.c
    async with database.writing() as connection:
        owner = await accounts.create_user(connection, email="a@example.org", role="user", at=NOW)
        product = Product(ProductId("p1"), StoreId("s1"), "Ёж и ёлка", digest=b"d")
        await tills.save(connection, owner, TillChanges(products=(product,)), at=NOW)
        await connection.execute(update(cached_products).values(name_folded="ёж и ёлка"))
    await migrate.downgrade(database_url, "0005")
    await migrate.upgrade(database_url)
    async with database.reading() as connection:
        assert await connection.scalar(select(c.name_folded)) == "еж и елка"
    await database.close()


async def test_an_older_version_serves_on_the_tables_of_a_newer_one(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await migrate.upgrade(database_url)
    database = Database(make_engine(database_url))
    async with database.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await migrate.upgrade(database_url)
    assert "newer version" in caplog.text
    assert await migrate.is_current(database.engine)
    assert await migrate.current(database.engine) == "9999"
    await database.close()


def test_a_migration_that_another_process_holds_up_for_too_long_says_so_in_one_line(
    mariadb_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(migrate, "_WAIT_SECONDS", 0)
    monkeypatch.setattr(logs, "configure", lambda **_: None)  # the log of this process stays as it is
    begun, over = threading.Event(), threading.Event()

    async def migrates_for_long() -> None:
        async with migrate._alone(mariadb_url):
            begun.set()
            await asyncio.to_thread(over.wait)

    other = threading.Thread(target=asyncio.run, args=(migrates_for_long(),))
    other.start()
    try:
        assert begun.wait(20)
        assert obey(["migrate"], {"DATABASE_URL": mariadb_url, "EVOSYNC_DATA_DIR": str(tmp_path)}) == 2
    finally:
        over.set()
        other.join()
    assert capsys.readouterr().err.endswith("another process has been migrating this database for ten minutes\n")
