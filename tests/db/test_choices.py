import pytest

from evosync.db import choices
from evosync.db.engine import Database
from evosync.db.ledger import DbLedger
from evosync.domain.catalog import Group, Store
from evosync.domain.ids import ROOT, GroupId, StoreId, UserId
from evosync.domain.mirror import TillChanges
from evosync.domain.policy import Choice
from tests.db.conftest import NOW

NORTH, SOUTH = StoreId("Север"), StoreId("south")
TEA, JAM, SIZES = GroupId("tea"), GroupId("jam"), GroupId("sizes")


@pytest.fixture
async def till(ledger: DbLedger, olga: UserId, boris: UserId) -> None:
    groups = (
        Group(TEA, NORTH, "Чай"),
        Group(JAM, SOUTH, "Варенье"),
        Group(SIZES, SOUTH, "Размеры", holds_modifications=True),
    )
    for user in (olga, boris):
        changes = TillChanges(stores=(Store(NORTH, "Север"), Store(SOUTH, "Юг")), groups=groups)
        await ledger.save_till(user, changes, at=NOW)


async def choose(
    database: Database, user: UserId, *, on: bool, store: StoreId | None = None, group: GroupId | None = None
) -> Choice:
    async with database.writing() as connection:
        await choices.set_choice(connection, user, on=on, store=store, group=group)
    async with database.reading() as connection:
        return await choices.load_choice(connection, user)


async def test_naming_nothing_means_every_known_store_group_and_root(
    database: Database, olga: UserId, boris: UserId, till: None
) -> None:
    groups = [(NORTH, TEA), (SOUTH, JAM), (NORTH, ROOT), (SOUTH, ROOT)]
    assert await choose(database, olga, on=True) == Choice(
        stores={NORTH: True, SOUTH: True}, groups=dict.fromkeys(groups, True)
    )
    assert await choose(database, olga, on=False) == Choice(
        stores={NORTH: False, SOUTH: False}, groups=dict.fromkeys(groups, False)
    )
    async with database.reading() as connection:
        assert await choices.load_choice(connection, boris) == Choice()


async def test_stores_and_groups_are_switched_alone(database: Database, olga: UserId, till: None) -> None:
    assert await choose(database, olga, on=True, store=NORTH) == Choice(stores={NORTH: True})
    chosen = await choose(database, olga, on=True, store=SOUTH, group=JAM)
    assert chosen == Choice(stores={NORTH: True}, groups={(SOUTH, JAM): True})
    chosen = await choose(database, olga, on=True, store=SOUTH, group=ROOT)
    assert chosen.groups == {(SOUTH, JAM): True, (SOUTH, ROOT): True}
    assert (await choose(database, olga, on=False, store=NORTH)).stores == {NORTH: False}


async def test_what_the_till_does_not_have_cannot_be_switched(database: Database, olga: UserId, till: None) -> None:
    for store, group in ((StoreId("?"), None), (NORTH, JAM), (SOUTH, SIZES)):
        with pytest.raises(choices.Unknown):
            await choose(database, olga, on=True, store=store, group=group)
    with pytest.raises(ValueError, match="store"):
        await choose(database, olga, on=True, group=TEA)


async def test_the_choice_reaches_the_mirror(database: Database, ledger: DbLedger, olga: UserId, till: None) -> None:
    chosen = await choose(database, olga, on=True, store=SOUTH)
    mirror = await ledger.mirror(olga)
    assert mirror is not None
    assert mirror.choice == chosen


async def test_new_groups_may_start_switched_on_per_store(database: Database, olga: UserId, till: None) -> None:
    for store, on in ((NORTH, True), (SOUTH, True), (SOUTH, True), (NORTH, False)):
        async with database.writing() as connection:
            await choices.set_new_groups(connection, olga, store, on=on)
    async with database.reading() as connection:
        assert (await choices.load_choice(connection, olga)).new_groups_on == {SOUTH}


async def test_a_mirror_starts_once_and_pauses_and_goes_on(
    database: Database, ledger: DbLedger, olga: UserId, boris: UserId
) -> None:
    async with database.writing() as connection:
        assert await choices.start_mirror(connection, olga, at=NOW)
        assert not await choices.start_mirror(connection, olga, at=NOW)
        assert not await choices.resume_mirror(connection, olga)
        assert await choices.pause_mirror(connection, olga, at=NOW)
        assert not await choices.pause_mirror(connection, olga, at=NOW)
        assert await choices.resume_mirror(connection, olga)
    mirror, other = await ledger.mirror(olga), await ledger.mirror(boris)
    assert mirror is not None
    assert other is not None
    assert (mirror.started_at, mirror.paused_at, other.started_at) == (NOW, None, None)
