"""A migrated database, an owner in it, and the ledger over it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from evosync.db import accounts, migrate
from evosync.db.engine import Database, make_engine
from evosync.db.ledger import DbLedger
from evosync.domain.ids import UserId
from evosync.security.seal import Sealer

NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await migrate.upgrade(database_url)
    database = Database(make_engine(database_url))
    yield database
    await database.close()


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(["a key for the tests, long enough"])


@pytest.fixture
async def olga(database: Database) -> UserId:
    """An active owner."""
    return await new_owner(database, "olga@example.org")


@pytest.fixture
def ledger(database: Database, sealer: Sealer) -> DbLedger:
    return DbLedger(database, sealer=sealer, clock=lambda: NOW)


async def new_owner(database: Database, email: str) -> UserId:
    async with database.writing() as connection:
        return await accounts.create_user(
            connection, email=email, role="user", status=accounts.UserStatus.ACTIVE, at=NOW
        )
