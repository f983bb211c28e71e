"""A migrated database, an owner in it, and the ledger over it."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete

from evosync.db import accounts, connections, migrate
from evosync.db.engine import Database, make_engine
from evosync.db.ledger import DbLedger
from evosync.db.tables import users
from evosync.domain.ids import RunId, UserId
from evosync.domain.mirror import Scope
from evosync.security.seal import Sealer
from tests.services import MariaDB

NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)


async def begun(
    ledger: DbLedger, user: UserId, *, scope: Scope = Scope.FULL, reasons: Sequence[str] = (), at: datetime = NOW
) -> RunId:
    """A run that nobody kept from beginning."""
    run = await ledger.start_run(user, scope=scope, reasons=reasons, at=at)
    assert run is not None
    return run


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database at the newest revision, to be copied."""
    file = tmp_path_factory.mktemp("template") / "evosync.sqlite3"
    asyncio.run(migrate.upgrade(f"sqlite+aiosqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def migrated_mariadb(mariadb: MariaDB) -> Iterator[str]:
    """One for all tests, which leave it empty."""
    with mariadb.database() as url:
        asyncio.run(migrate.upgrade(url))
        yield url


@pytest.fixture(params=["sqlite", "mariadb"])
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database at the newest revision, without rows but for the built-in roles; once on each kind."""
    if request.param == "mariadb":
        return str(request.getfixturevalue("migrated_mariadb"))
    copy = tmp_path / "copy.sqlite3"
    shutil.copy(request.getfixturevalue("migrated_file"), copy)
    return f"sqlite+aiosqlite:///{copy}"


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Database]:
    database = Database(make_engine(migrated_url))
    yield database
    async with database.writing() as connection:
        await connection.execute(delete(users))
    await database.close()


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(["a key for the tests, long enough"])


@pytest.fixture
async def olga(database: Database) -> UserId:
    """An active owner."""
    return await new_owner(database, "olga@example.org")


@pytest.fixture
async def boris(database: Database) -> UserId:
    """Another one."""
    return await new_owner(database, "boris@example.org")


@pytest.fixture
def ledger(database: Database, sealer: Sealer) -> DbLedger:
    return DbLedger(database, sealer=sealer, clock=lambda: NOW)


async def new_owner(database: Database, email: str) -> UserId:
    async with database.writing() as connection:
        return await accounts.create_user(
            connection, email=email, role="user", status=accounts.UserStatus.ACTIVE, at=NOW
        )


async def connect_till(database: Database, sealer: Sealer, user: UserId) -> None:
    """Without one nobody's turn comes."""
    async with database.writing() as connection:
        await connections.save_evotor(connection, user, f"token of {user}", till_user=None, sealer=sealer, at=NOW)
