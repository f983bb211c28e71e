import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import connections, till_accounts
from evosync.db.connections import Claimed
from evosync.db.engine import Database
from evosync.db.ledger import DbLedger
from evosync.db.tables import evotor_connections, vk_connections
from evosync.domain.catalog import Product, Store
from evosync.domain.errors import Side
from evosync.domain.ids import CommunityId, ItemId, ProductId, StoreId, UserId
from evosync.domain.links import Link, LinkState
from evosync.domain.mirror import TillChanges
from evosync.security.seal import Sealer
from tests.db.conftest import NOW
from tests.db.test_ledger_links import items_shown

SHOP, OTHER_SHOP = CommunityId(100), CommunityId(200)
LATER = NOW + timedelta(hours=1)


async def connect_evotor(
    database: Database, user: UserId, sealer: Sealer, token: str = "evotor-token-7890", till_user: str | None = "01-1"
) -> None:
    await database.write(
        lambda connection: connections.save_evotor(connection, user, token, till_user=till_user, sealer=sealer, at=NOW)
    )


async def connect_vk(database: Database, user: UserId, sealer: Sealer, community: CommunityId = SHOP) -> None:
    await database.write(
        lambda connection: connections.save_vk(
            connection,
            user,
            "vk1.a.secret-1234",
            community=community,
            name="Лавка",
            vk_user_id=None,
            expires_at=None,
            sealer=sealer,
            at=NOW,
        )
    )


async def test_a_token_is_stored_sealed(database: Database, olga: UserId, sealer: Sealer) -> None:
    await connect_evotor(database, olga, sealer)
    async with database.reading() as connection:
        row = (await connection.execute(select(evotor_connections))).mappings().one()
    assert b"evotor-token" not in row["sealed"]
    assert not any("evotor-token" in str(value) for value in row.values())
    assert (row["last4"], row["key_id"], row["fingerprint"]) == (
        "7890",
        sealer.key_id,
        sealer.fingerprint("evotor-token-7890"),
    )


async def test_a_till_belongs_to_one_owner(database: Database, olga: UserId, boris: UserId, sealer: Sealer) -> None:
    await connect_evotor(database, olga, sealer)
    with pytest.raises(Claimed) as claimed:
        await connect_evotor(database, boris, sealer)
    assert claimed.value.side is Side.EVOTOR


async def test_a_token_opens_one_owners_till_though_no_till_has_told_its_number(
    database: Database, olga: UserId, boris: UserId, sealer: Sealer
) -> None:
    await connect_evotor(database, olga, sealer, till_user=None)
    await connect_evotor(database, olga, sealer, till_user=None)
    with pytest.raises(Claimed):
        await connect_evotor(database, boris, sealer, till_user=None)
    await database.write(lambda connection: connections.disconnect_evotor(connection, olga))
    at_once = [connect_evotor(database, user, sealer, till_user=None) for user in (olga, boris)]
    done = await asyncio.gather(*at_once, return_exceptions=True)
    assert sorted(type(each).__name__ for each in done) == ["Claimed", "NoneType"]


async def test_a_till_whose_number_is_not_known_yet_is_told_by_its_stored_stores(
    database: Database, olga: UserId, sealer: Sealer, ledger: DbLedger
) -> None:
    await ledger.save_till(olga, TillChanges(stores=(Store(StoreId("s"), "Лавка", till_user="01-1"),)), at=NOW)
    await connect_evotor(database, olga, sealer, till_user=None)
    await ledger.save_till(olga, TillChanges(products=(Product(ProductId("p"), StoreId("s"), "Булка"),)), at=NOW)
    assert await till_user(database, olga) == "01-1"


async def test_what_a_till_reports_of_itself_is_noted_unless_another_owner_has_it(
    database: Database, olga: UserId, boris: UserId, sealer: Sealer, ledger: DbLedger
) -> None:
    store = TillChanges(stores=(Store(StoreId("s"), "Лавка", till_user="01-1"),))
    await connect_evotor(database, olga, sealer)
    await connect_evotor(database, boris, sealer, token="another-token-7890", till_user=None)
    await ledger.save_till(boris, store, at=NOW)
    assert await till_user(database, boris) is None
    await database.write(lambda connection: connections.disconnect_evotor(connection, olga))
    await ledger.save_till(boris, store, at=NOW)
    assert await till_user(database, boris) == "01-1"
    with pytest.raises(Claimed):
        await connect_evotor(database, olga, sealer)


async def test_what_was_read_through_a_former_connection_names_no_till_of_the_one_there_is(
    database: Database, olga: UserId, sealer: Sealer, ledger: DbLedger
) -> None:
    await connect_evotor(database, olga, sealer, till_user=None)
    before = await ledger.mirror(olga)
    assert before is not None
    assert before.evotor is not None
    connected_at = before.evotor.connected_at
    assert connected_at is not None
    store = TillChanges(stores=(Store(StoreId("s"), "Лавка", till_user="01-1"),))
    await ledger.save_till(olga, store, at=NOW, connected_at=connected_at - timedelta(seconds=1))
    assert await till_user(database, olga) is None
    await ledger.save_till(olga, store, at=NOW, connected_at=connected_at)
    assert await till_user(database, olga) == "01-1"


async def test_another_till_takes_back_what_the_cloud_was_given_for_the_former(
    database: Database, olga: UserId, sealer: Sealer, ledger: DbLedger
) -> None:
    await connect_evotor(database, olga, sealer)

    async def given(connection: AsyncConnection) -> str:
        return await till_accounts.user_token(connection, olga, sealer=sealer)

    async def whose(token: str) -> bool:
        async with database.reading() as connection:
            return await till_accounts.by_token(connection, token, sealer=sealer) is not None

    first = await database.write(given)
    await connect_evotor(database, olga, sealer)
    assert await whose(first), "the same till again"
    await connect_evotor(database, olga, sealer, till_user="01-2")
    assert not await whose(first)
    second = await database.write(given)
    await ledger.save_till(olga, TillChanges(stores=(Store(StoreId("s"), "Лавка", till_user="01-3"),)), at=NOW)
    assert (await till_user(database, olga), await whose(second)) == ("01-3", False)


async def till_user(database: Database, user: UserId) -> str | None:
    async with database.reading() as connection:
        return await connection.scalar(
            select(evotor_connections.c.till_user).where(evotor_connections.c.user_id == user)
        )


async def test_a_community_belongs_to_one_owner(
    database: Database, olga: UserId, boris: UserId, sealer: Sealer
) -> None:
    await connect_vk(database, olga, sealer)
    with pytest.raises(Claimed) as claimed:
        await connect_vk(database, boris, sealer)
    assert claimed.value.side is Side.VK
    await database.write(lambda connection: connections.disconnect_vk(connection, olga))
    await connect_vk(database, boris, sealer)


async def test_a_new_token_mends_and_keeps_the_till(database: Database, olga: UserId, sealer: Sealer) -> None:
    ledger = DbLedger(database, sealer=sealer)
    await connect_evotor(database, olga, sealer)
    await ledger.break_connection(olga, Side.EVOTOR, reason="Evotor 401", at=NOW)
    await connect_evotor(database, olga, sealer, token="newer", till_user=None)
    mirror = await ledger.mirror(olga)
    assert mirror is not None
    assert mirror.evotor is not None
    assert (mirror.evotor.token.secret, mirror.evotor.till_user, mirror.evotor.reason) == ("newer", "01-1", "")


async def test_disconnecting_erases_the_token(database: Database, olga: UserId, sealer: Sealer) -> None:
    await connect_evotor(database, olga, sealer)
    await connect_vk(database, olga, sealer)
    await database.write(lambda connection: connections.disconnect_evotor(connection, olga))
    await database.write(lambda connection: connections.disconnect_vk(connection, olga))
    mirror = await DbLedger(database, sealer=sealer).mirror(olga)
    assert mirror is not None
    assert (mirror.evotor, mirror.vk) == (None, None)
    async with database.reading() as connection:
        assert (await connection.execute(select(evotor_connections))).all() == []
        assert (await connection.execute(select(vk_connections))).all() == []


async def test_another_community_starts_with_none_and_the_old_one_finds_its_own(
    database: Database, ledger: DbLedger, olga: UserId, sealer: Sealer
) -> None:
    tea = ProductId("tea")
    await connect_vk(database, olga, sealer)
    await ledger.save_till(olga, TillChanges(products=(Product(tea, StoreId("s"), "Чай"),)), at=NOW)
    await ledger.save_links(olga, SHOP, [Link(tea, "evo-1", LinkState.LIVE, ItemId(5))])
    await connect_vk(database, olga, sealer, OTHER_SHOP)
    assert await ledger.links(olga, OTHER_SHOP) == {}
    assert await items_shown(database, olga) == {tea: None}
    await ledger.save_links(olga, SHOP, [Link(tea, "evo-1", LinkState.LIVE, ItemId(5))])  # by a run that ends just now
    assert await items_shown(database, olga) == {tea: None}
    await connect_vk(database, olga, sealer)
    assert set(await ledger.links(olga, SHOP)) == {tea}
    assert await items_shown(database, olga) == {tea: 5}


async def test_after_a_rotation_tokens_open_and_move_to_the_new_key(
    database: Database, olga: UserId, boris: UserId, sealer: Sealer
) -> None:
    await connect_evotor(database, olga, sealer)
    await connect_vk(database, olga, sealer)
    both = Sealer(["a newer key, also long enough", "a key for the tests, long enough"])
    mirror = await DbLedger(database, sealer=both).mirror(olga)
    assert mirror is not None
    assert mirror.evotor is not None
    assert mirror.evotor.token.secret == "evotor-token-7890"

    assert await database.write(lambda connection: connections.seal_anew(connection, both)) == 2
    assert await database.write(lambda connection: connections.seal_anew(connection, both)) == 0
    only_new = Sealer(["a newer key, also long enough"])
    mirror = await DbLedger(database, sealer=only_new).mirror(olga)
    assert mirror is not None
    assert mirror.evotor is not None
    assert mirror.evotor.token.secret == "evotor-token-7890"
    async with database.reading() as connection:
        stored = await connection.scalar(select(evotor_connections.c.fingerprint))
    assert stored == only_new.fingerprint("evotor-token-7890")


async def test_a_token_whose_key_is_gone_is_left_as_it_is(database: Database, olga: UserId, sealer: Sealer) -> None:
    await connect_evotor(database, olga, sealer)
    stranger = Sealer(["a newer key, also long enough"])
    assert await database.write(lambda connection: connections.seal_anew(connection, stranger)) == 0
    mirror = await DbLedger(database, sealer=sealer).mirror(olga)
    assert mirror is not None
    assert mirror.evotor is not None
    assert mirror.evotor.token.secret == "evotor-token-7890"
