import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import accounts, people
from evosync.db.accounts import UserStatus
from evosync.db.engine import Database
from evosync.domain.ids import UserId
from tests.db.conftest import NOW, new_owner


async def test_an_account_is_found_by_its_address_in_any_spelling(database: Database) -> None:
    user = await new_owner(database, " Olga@Example.ORG ")
    async with database.reading() as connection:
        found = await people.person_by_email(connection, accounts.fold_email("OLGA@example.org"))
        assert found == await people.person(connection, user)
        assert await people.person_by_email(connection, "other@example.org") is None
        assert await people.person(connection, UserId(user + 1)) is None
    assert found is not None
    assert (found.email, found.status, found.created_at) == ("olga@example.org", UserStatus.ACTIVE, NOW)


async def test_an_address_is_taken_once(database: Database, olga: UserId) -> None:
    with pytest.raises(accounts.Taken):
        await new_owner(database, "Olga@example.org")


async def test_accounts_without_an_address_do_not_clash(database: Database) -> None:
    async with database.writing() as connection:
        made = [
            await accounts.create_user(connection, email=None, phone=phone, role="user", at=NOW)
            for phone in ("+79990000001", "+79990000002")
        ]
    assert len(set(made)) == 2


async def test_an_account_has_its_role_and_what_that_allows(database: Database, olga: UserId) -> None:
    async with database.writing() as connection:
        admin = await accounts.create_user(connection, email="a@example.org", role="admin", at=NOW)
        system = await accounts.create_user(connection, email="s@example.org", role="system", at=NOW)
        assert await accounts.roles_of(connection, admin) == {"admin"}
        assert await allowed(connection, olga) == frozenset()
        may = await allowed(connection, admin)
        assert {"users.read", "queue.retry", "audit.read"} <= may
        assert await allowed(connection, system) - may == {"roles.edit"}


async def allowed(connection: AsyncConnection, user: UserId) -> frozenset[str]:
    viewer = await people.viewer(connection, user)
    assert viewer is not None
    return viewer.permissions


async def test_a_password_changes_and_is_never_printed(database: Database, olga: UserId) -> None:
    async with database.writing() as connection:
        await accounts.set_password(connection, olga, "$2b$12$hash")
        person = await people.person(connection, olga)
    assert person is not None
    assert person.password_hash == "$2b$12$hash"
    assert "hash" not in repr(person)
