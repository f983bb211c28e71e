from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import event, select

from evosync.db import rows
from evosync.db.engine import Database
from evosync.db.ledger import DbLedger
from evosync.db.tables import cached_products
from evosync.domain.catalog import Album, Availability, Group, Item, Product, Store
from evosync.domain.ids import AlbumId, CommunityId, GroupId, ItemId, ProductId, StoreId, UserId
from evosync.domain.mirror import KnownProduct, Scope, TillChanges
from evosync.domain.status import Standing, Status
from tests.db.conftest import NOW, begun

NORTH, SOUTH = StoreId("20180820-7052-4047-807D-E82C50000000"), StoreId("south")
SHOP, OTHER_SHOP = CommunityId(100), CommunityId(200)

TEA = Product(
    ProductId("11111111-aaaa-4047-807d-e82c50000000"),
    NORTH,
    "Чай «Ёлочка» 🍵",
    group=GroupId("drinks"),
    kopecks=12_345,
    quantity=Decimal("1.500"),
    unit="шт",
    kind="NORMAL",
    sellable=True,
    description="Строка\nи 🫖",
    code="0042",
    article="A-1",
    updated_at=NOW - timedelta(days=1),
    digest=b"tea-tea-tea1",
)
BARE = Product(ProductId("7"), NORTH, "Без всего", sellable=False, digest=b"bare")
ITEM = Item(
    ItemId(5),
    "Чай &quot;Ёлочка&quot;",
    "Описание",
    12_345,
    643,
    "evo-x",
    1000,
    Availability.UNAVAILABLE,
    (AlbumId(1), AlbumId(2)),
    40932,
    "https://example.org/a.jpg",
    "refused",
    b"face",
    b"digest",
)


def statements(database: Database) -> list[str]:
    """Of all that follows, those that write."""
    seen: list[str] = []

    @event.listens_for(database.engine.sync_engine, "before_cursor_execute")
    def note(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE", "REPLACE")):
            seen.append(statement)

    return seen


async def test_a_product_comes_back_as_it_was_saved(ledger: DbLedger, olga: UserId) -> None:
    await ledger.save_till(olga, TillChanges(products=(TEA, BARE)), at=NOW)
    assert set(await ledger.products(olga)) == {TEA, BARE}


async def test_products_are_found_by_store_and_by_id_in_all_stores(ledger: DbLedger, olga: UserId) -> None:
    twin = replace(TEA, store=SOUTH)
    await ledger.save_till(olga, TillChanges(products=(TEA, BARE, twin)), at=NOW)
    assert set(await ledger.products(olga, stores=[SOUTH])) == {twin}
    assert set(await ledger.products(olga, ids=[TEA.id])) == {TEA, twin}
    assert await ledger.products(olga, stores=[], ids=None) == ()


async def test_nobody_sees_the_products_of_another(ledger: DbLedger, olga: UserId, boris: UserId) -> None:
    await ledger.save_till(olga, TillChanges(products=(TEA,)), at=NOW)
    assert await ledger.products(boris) == ()
    assert await ledger.known_products(boris, NORTH) == {}


async def test_a_changed_product_keeps_its_status_and_item(ledger: DbLedger, olga: UserId, database: Database) -> None:
    await ledger.save_till(olga, TillChanges(products=(TEA,)), at=NOW)
    status = Status(Standing.ZERO_PRICE, {"name": "Чай"})
    await ledger.save_statuses(
        olga, {TEA.id: status}, run=await begun(ledger, olga, scope=Scope.FULL, reasons=[], at=NOW), at=NOW
    )
    dearer = replace(TEA, kopecks=99, digest=b"dearer")
    await ledger.save_till(olga, TillChanges(products=(dearer,)), at=NOW)
    assert await ledger.products(olga) == (dearer,)
    assert await ledger.known_products(olga, NORTH) == {TEA.id: KnownProduct(b"dearer", status.digest)}
    async with database.reading() as connection:
        c = cached_products.c
        stored = (await connection.execute(select(c.status, c.status_values, c.status_at))).one()
    assert tuple(stored) == ("zero_price", {"name": "Чай"}, NOW)


async def test_a_status_holds_in_all_stores_of_the_owner_only(ledger: DbLedger, olga: UserId, boris: UserId) -> None:
    for user in (olga, boris):
        await ledger.save_till(user, TillChanges(products=(TEA, replace(TEA, store=SOUTH))), at=NOW)
    status = Status(Standing.IN_STEP)
    await ledger.save_statuses(
        olga, {TEA.id: status}, run=await begun(ledger, olga, scope=Scope.FULL, reasons=[], at=NOW), at=NOW
    )
    for store in (NORTH, SOUTH):
        assert (await ledger.known_products(olga, store))[TEA.id].status == status.digest
        assert (await ledger.known_products(boris, store))[TEA.id].status == b""


async def test_a_status_of_a_run_that_a_later_one_closed_is_not_stored(ledger: DbLedger, olga: UserId) -> None:
    await ledger.save_till(olga, TillChanges(products=(TEA,)), at=NOW)
    old = await begun(ledger, olga, scope=Scope.FULL, reasons=[], at=NOW)
    new = await begun(ledger, olga, scope=Scope.FULL, reasons=[], at=NOW)
    right, late = Status(Standing.SOLD_OUT), Status(Standing.IN_STEP)
    await ledger.save_statuses(olga, {TEA.id: right}, run=new, at=NOW)
    await ledger.save_statuses(olga, {TEA.id: late}, run=old, at=NOW)
    assert (await ledger.known_products(olga, NORTH))[TEA.id].status == right.digest


async def test_a_status_may_take_the_place_of_some_alone(ledger: DbLedger, olga: UserId) -> None:
    await ledger.save_till(olga, TillChanges(products=(TEA, BARE)), at=NOW)
    run = await begun(ledger, olga, scope=Scope.FULL, reasons=[], at=NOW)
    plain, other, new = (Status(one) for one in (Standing.IN_STEP, Standing.SOLD_OUT, Standing.IN_STEP_NO_ALBUM))
    await ledger.save_statuses(olga, {TEA.id: plain, BARE.id: other}, run=run, at=NOW)
    both = {TEA.id: new, BARE.id: new}
    await ledger.save_statuses(olga, both, run=run, at=NOW, instead_of={Standing.IN_STEP})
    known = await ledger.known_products(olga, NORTH)
    assert (known[TEA.id].status, known[BARE.id].status) == (new.digest, other.digest)


@pytest.mark.parametrize("ids", [None, [TEA.id, BARE.id]])
async def test_it_is_known_which_products_are_at_rest(
    ledger: DbLedger, olga: UserId, ids: list[ProductId] | None
) -> None:
    late = replace(BARE, id=ProductId("8"))
    await ledger.save_till(olga, TillChanges(products=(TEA, BARE, late)), at=NOW)
    run = await begun(ledger, olga, scope=Scope.FULL, reasons=[], at=NOW)
    rests, waits = Status(Standing.SOLD_OUT), Status(Standing.WAIT_CHANGE)
    await ledger.save_statuses(olga, {TEA.id: rests, BARE.id: waits}, run=run, at=NOW)
    known = {
        TEA.id: KnownProduct(TEA.digest, rests.digest, at_rest=True),
        BARE.id: KnownProduct(BARE.digest, waits.digest),
    }
    others = {} if ids else {late.id: KnownProduct(late.digest, b"")}
    assert await ledger.known_products(olga, NORTH, ids=ids) == known | others


async def test_with_a_store_goes_all_that_was_sold_there(ledger: DbLedger, olga: UserId) -> None:
    north, south = Store(NORTH, "Север"), Store(SOUTH, "Юг")
    await ledger.save_till(olga, TillChanges(stores=(north, south), products=(TEA, replace(TEA, store=SOUTH))), at=NOW)
    await ledger.save_till(olga, TillChanges(stores_gone=(SOUTH,)), at=NOW)
    assert await ledger.products(olga) == (TEA,)
    assert (await ledger.known_products(olga, SOUTH))[TEA.id].gone


async def test_a_gone_product_is_known_but_not_listed_until_it_comes_back(ledger: DbLedger, olga: UserId) -> None:
    await ledger.save_till(olga, TillChanges(products=(TEA, BARE)), at=NOW)
    await ledger.save_till(olga, TillChanges(products_gone=((NORTH, TEA.id),)), at=NOW)
    assert await ledger.products(olga) == (BARE,)
    assert (await ledger.known_products(olga, NORTH))[TEA.id].gone
    await ledger.save_till(olga, TillChanges(products=(TEA,)), at=NOW)
    assert set(await ledger.products(olga)) == {TEA, BARE}
    assert not (await ledger.known_products(olga, NORTH))[TEA.id].gone


async def test_ids_are_told_apart_by_case_and_by_every_letter(ledger: DbLedger, olga: UserId) -> None:
    names = ["еж", "Еж", "ёж", "Ёж", "ab", "AB", "ab "]
    alike = tuple(replace(BARE, id=ProductId(name), digest=name.encode()[:12]) for name in names)
    await ledger.save_till(olga, TillChanges(products=alike), at=NOW)
    assert set(await ledger.known_products(olga, NORTH)) == set(names)
    await ledger.save_till(olga, TillChanges(products_gone=((NORTH, ProductId("Ёж")),)), at=NOW)
    assert {product.id for product in await ledger.products(olga)} == set(names) - {"Ёж"}


async def test_a_broken_surrogate_does_not_stop_a_catalog(ledger: DbLedger, olga: UserId) -> None:
    broken = replace(TEA, name="Чай \ud83d", description="\udcff", unit="\ud800")
    await ledger.save_till(olga, TillChanges(products=(broken,)), at=NOW)
    (product,) = await ledger.products(olga)
    assert (product.name, product.description) == ("Чай ?", "?")
    await ledger.save_statuses(
        olga,
        {TEA.id: Status(Standing.SHORT_NAME, {"name": "\ud83d"})},
        run=await begun(ledger, olga, scope=Scope.FULL, reasons=[], at=NOW),
        at=NOW,
    )


async def test_stores_stand_in_the_order_in_which_they_came(ledger: DbLedger, olga: UserId) -> None:
    third, first, second = Store(StoreId("c"), "В"), Store(StoreId("a"), "А", "ул. Ёлочная"), Store(StoreId("b"), "Б")
    await ledger.save_till(olga, TillChanges(stores=(third, first)), at=NOW)
    await ledger.save_till(olga, TillChanges(stores=(second,)), at=NOW)
    renamed = replace(third, name="Новый", till_user="01-000000000000001")
    await ledger.save_till(olga, TillChanges(stores=(renamed,)), at=NOW)
    assert await ledger.stores(olga) == (renamed, first, second)
    await ledger.save_till(olga, TillChanges(stores_gone=(first.id,)), at=NOW)
    assert await ledger.stores(olga) == (renamed, second)


async def test_groups_are_saved_changed_and_gone(ledger: DbLedger, olga: UserId) -> None:
    drinks = Group(GroupId("drinks"), NORTH, "Напитки", GroupId("all"), holds_modifications=True)
    snacks = Group(GroupId("snacks"), SOUTH, "Снеки")
    await ledger.save_till(olga, TillChanges(groups=(drinks, snacks)), at=NOW)
    assert set(await ledger.groups(olga)) == {drinks, snacks}
    renamed = replace(drinks, name="Питьё")
    changes = TillChanges(groups=(renamed,), groups_gone=((SOUTH, snacks.id), (NORTH, snacks.id)))
    await ledger.save_till(olga, changes, at=NOW)
    assert await ledger.groups(olga) == (renamed,)


async def test_an_item_comes_back_as_it_was_saved(ledger: DbLedger, olga: UserId) -> None:
    unnamed = Item(ItemId(6), "Другой", albums=None)
    nowhere = Item(ItemId(7), "Третий", albums=())
    await ledger.save_shop(olga, SHOP, albums=[], albums_gone=[], items=[ITEM, unnamed, nowhere], items_gone=[])
    found = await ledger.cached_items(olga, SHOP, titles=['чай "ёлочка"', "другой", "третий", "нет такого"])
    assert set(found) == {ITEM, unnamed, nowhere}
    assert await ledger.cached_items(olga, OTHER_SHOP, titles=["другой"]) == ()


async def test_a_shop_is_known_by_its_digests(ledger: DbLedger, olga: UserId) -> None:
    album = Album(AlbumId(1), "Напитки", 3, b"album")
    await ledger.save_shop(olga, SHOP, albums=[album], albums_gone=[], items=[ITEM], items_gone=[])
    assert await ledger.known_shop(olga, SHOP) == ({AlbumId(1): b"album"}, {ItemId(5): b"digest"})
    assert await ledger.cached_albums(olga, SHOP) == (album,)
    changed = replace(album, title="Питьё", digest=b"other")
    await ledger.save_shop(olga, SHOP, albums=[changed], albums_gone=[], items=[], items_gone=[ITEM.id])
    assert await ledger.known_shop(olga, SHOP) == ({AlbumId(1): b"other"}, {})
    await ledger.save_shop(olga, SHOP, albums=[], albums_gone=[AlbumId(1)], items=[], items_gone=[])
    assert await ledger.cached_albums(olga, SHOP) == ()


async def test_where_nothing_changed_nothing_is_written(ledger: DbLedger, olga: UserId, database: Database) -> None:
    await ledger.save_till(olga, TillChanges(products=(TEA,)), at=NOW)
    run = await begun(ledger, olga, scope=Scope.FULL, reasons=[], at=NOW)
    written = statements(database)
    await ledger.save_till(olga, TillChanges(), at=NOW)
    await ledger.save_shop(olga, SHOP, albums=[], albums_gone=[], items=[], items_gone=[])
    await ledger.save_statuses(olga, {}, run=run, at=NOW)
    await ledger.save_results(run, [])
    await ledger.intend(olga, SHOP, run, [])
    await ledger.save_links(olga, SHOP, [])
    await ledger.drop_links(olga, SHOP, run, [])
    await ledger.keep_links(olga, SHOP, run, [])
    await ledger.save_placed(olga, SHOP, [])
    await ledger.save_album_links(olga, SHOP, [])
    await ledger.drop_album_links(olga, SHOP, [])
    await ledger.known_products(olga, NORTH)
    await ledger.products(olga)
    assert written == []


async def test_more_rows_than_fit_one_document_all_arrive(
    ledger: DbLedger, olga: UserId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "AT_ONCE", 3)
    for count in (3, 4, 10):
        many = tuple(replace(BARE, id=ProductId(f"p{n}"), digest=bytes([n])) for n in range(count))
        await ledger.save_till(olga, TillChanges(products=many), at=NOW)
        known = await ledger.known_products(olga, NORTH)
        assert known == {product.id: KnownProduct(product.digest, b"") for product in many}
        items = [replace(ITEM, id=ItemId(n), digest=bytes([n])) for n in range(count)]
        await ledger.save_shop(olga, SHOP, albums=[], albums_gone=[], items=items, items_gone=[])
        assert (await ledger.known_shop(olga, SHOP))[1] == {item.id: item.digest for item in items}
