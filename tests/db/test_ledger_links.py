from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select

from evosync.db.engine import Database
from evosync.db.ledger import DbLedger
from evosync.db.tables import cached_products
from evosync.domain.catalog import Product
from evosync.domain.ids import AlbumId, CommunityId, GroupId, ItemId, ProductId, StoreId, UserId
from evosync.domain.links import AlbumLink, Link, LinkState, ReadBack, Written
from evosync.domain.mirror import TillChanges
from evosync.sync.ports import Placed
from tests.db.conftest import NOW, begun

STORE = StoreId("store")
SHOP, OTHER_SHOP = CommunityId(100), CommunityId(200)
TEA, JAM = ProductId("чай"), ProductId("варенье")

LIVE = Link(
    TEA,
    "evo-tea",
    LinkState.LIVE,
    ItemId(5),
    keeps_text=True,
    hidden_by_us=True,
    album=AlbumId(9),
    source=b"source\x00",
    face=b"",
    written=Written("Чай 🍵", "Текст", 100, None, hidden=True, per_grams=10),
    read_back=ReadBack("Чай &#127861;", "Текст", 100, 7, 2),
    photo_source="default",
    refused=b"\xff\x00",
    refusal="VK 1400 name",
    intent_at=NOW - timedelta(hours=1),
    looked_at=NOW - timedelta(minutes=1),
    created_at=NOW,
)
INTENT = Link(JAM, "evo-jam", LinkState.INTENT, source=b"s", intent_at=NOW)
BARE = replace(LIVE, written=None, read_back=None)


async def items_shown(database: Database, user: UserId) -> dict[ProductId, int | None]:
    c = cached_products.c
    async with database.reading() as connection:
        rows = (await connection.execute(select(c.product_id, c.vk_product_id).where(c.user_id == user))).all()
    return {product: item for product, item in rows}  # noqa: C416 - a row is no pair to mypy


async def test_a_link_comes_back_whole_where_it_is_asked_for(ledger: DbLedger, olga: UserId) -> None:
    await ledger.save_links(olga, SHOP, [LIVE, INTENT])
    assert await ledger.link_details(olga, SHOP, [TEA, JAM, ProductId("нет")]) == {TEA: LIVE, JAM: INTENT}


async def test_links_come_lean_all_or_some(ledger: DbLedger, olga: UserId) -> None:
    await ledger.save_links(olga, SHOP, [LIVE, INTENT])
    assert await ledger.links(olga, SHOP) == {TEA: BARE, JAM: INTENT}
    assert await ledger.links(olga, SHOP, ids=[TEA]) == {TEA: BARE}
    assert await ledger.links(olga, SHOP, ids=[]) == {}


async def test_an_intent_takes_the_place_of_a_former_link_and_is_fulfilled(ledger: DbLedger, olga: UserId) -> None:
    await ledger.save_links(olga, SHOP, [replace(LIVE, product=JAM, state=LinkState.REMOVED)])
    assert await ledger.intend(olga, SHOP, await begun(ledger, olga), [INTENT])
    assert await ledger.link_details(olga, SHOP, [JAM]) == {JAM: INTENT}
    done = replace(LIVE, product=JAM, album=None)
    await ledger.save_links(olga, SHOP, [done])
    assert await ledger.link_details(olga, SHOP, [JAM]) == {JAM: done}


async def test_a_run_that_was_overtaken_stores_no_intent(ledger: DbLedger, olga: UserId) -> None:
    older, newer = await begun(ledger, olga), await begun(ledger, olga)
    assert not await ledger.is_open(older)
    assert not await ledger.intend(olga, SHOP, older, [INTENT])
    assert await ledger.links(olga, SHOP) == {}
    assert await ledger.is_open(newer)
    assert await ledger.intend(olga, SHOP, newer, [INTENT])
    assert (await ledger.links(olga, SHOP)).keys() == {JAM}


async def test_a_run_that_was_overtaken_neither_drops_nor_keeps_links(ledger: DbLedger, olga: UserId) -> None:
    older, newer = await begun(ledger, olga), await begun(ledger, olga)
    await ledger.intend(olga, SHOP, newer, [INTENT])
    await ledger.drop_links(olga, SHOP, older, [JAM])
    assert not await ledger.keep_links(olga, SHOP, older, [replace(INTENT, state=LinkState.REMOVED)])
    assert await ledger.link_details(olga, SHOP, [JAM]) == {JAM: INTENT}
    assert await ledger.keep_links(olga, SHOP, newer, [replace(INTENT, state=LinkState.REMOVED)])
    await ledger.drop_links(olga, SHOP, newer, [JAM])
    assert (await ledger.links(olga, SHOP)).keys() == {JAM}, "it is no intent any more"


async def test_a_run_that_only_looks_overtakes_none(ledger: DbLedger, olga: UserId) -> None:
    run = await begun(ledger, olga)
    await ledger.start_look(olga, reasons=[], at=NOW)
    assert await ledger.is_open(run)


async def test_links_belong_to_a_community(ledger: DbLedger, olga: UserId, boris: UserId) -> None:
    await ledger.save_links(olga, SHOP, [LIVE])
    assert await ledger.links(olga, OTHER_SHOP) == {}
    assert await ledger.links(boris, SHOP) == {}
    await ledger.save_links(olga, OTHER_SHOP, [replace(LIVE, item=ItemId(6))])
    assert (await ledger.links(olga, SHOP))[TEA].item == 5


async def test_a_cached_product_knows_its_live_item(ledger: DbLedger, olga: UserId, database: Database) -> None:
    products = tuple(Product(one, STORE, "Имя") for one in (TEA, JAM))
    await ledger.save_till(olga, TillChanges(products=products), at=NOW)
    await ledger.save_links(olga, SHOP, [LIVE, INTENT])
    assert await items_shown(database, olga) == {TEA: 5, JAM: None}
    await ledger.save_links(olga, SHOP, [replace(LIVE, product=JAM, item=ItemId(6))])
    assert await items_shown(database, olga) == {TEA: 5, JAM: 6}
    await ledger.save_links(olga, SHOP, [replace(LIVE, state=LinkState.REMOVED)])
    assert await items_shown(database, olga) == {TEA: None, JAM: 6}


async def test_only_an_intent_is_dropped_never_the_link_that_another_run_made_of_it(
    ledger: DbLedger, olga: UserId
) -> None:
    await ledger.save_links(olga, SHOP, [LIVE, INTENT])
    await ledger.drop_links(olga, SHOP, await begun(ledger, olga), [TEA, JAM])
    assert set(await ledger.links(olga, SHOP)) == {TEA}
    assert set(await ledger.links(olga, SHOP)) == {TEA}


async def test_only_the_album_changes_where_an_item_was_placed(ledger: DbLedger, olga: UserId) -> None:
    await ledger.save_links(olga, SHOP, [LIVE, INTENT])
    await ledger.save_placed(olga, SHOP, [Placed(TEA, None), Placed(JAM, AlbumId(4))])
    placed = {TEA: replace(LIVE, album=None), JAM: replace(INTENT, album=AlbumId(4))}
    assert await ledger.link_details(olga, SHOP, [TEA, JAM]) == placed


async def test_group_and_album_are_kept_by_group(ledger: DbLedger, olga: UserId) -> None:
    drinks = AlbumLink(STORE, GroupId("drinks"), AlbumId(1), "Напитки", "Напитки", adopted=True)
    root = AlbumLink(STORE, GroupId(""), AlbumId(2), "Прочее", "Прочее")
    await ledger.save_album_links(olga, SHOP, [drinks, root])
    assert set(await ledger.album_links(olga, SHOP)) == {drinks, root}
    moved = replace(drinks, album=AlbumId(2), title="Питьё")
    await ledger.save_album_links(olga, SHOP, [moved])
    assert set(await ledger.album_links(olga, SHOP)) == {moved, root}
    assert await ledger.album_links(olga, OTHER_SHOP) == ()
    await ledger.drop_album_links(olga, SHOP, [AlbumId(2)])
    assert await ledger.album_links(olga, SHOP) == ()


async def test_creates_are_counted_from_a_moment_on(ledger: DbLedger, olga: UserId) -> None:
    def made(product: str, at: datetime | None) -> Link:
        return replace(LIVE, product=ProductId(product), created_at=at)

    await ledger.save_links(
        olga,
        SHOP,
        [made("a", NOW), made("b", NOW - timedelta(hours=2)), made("c", NOW + timedelta(1)), made("d", None)],
    )
    assert await ledger.adds_since(olga, SHOP, NOW) == (2, NOW)
    assert await ledger.adds_since(olga, OTHER_SHOP, NOW) == (0, None)


async def test_an_edit_recorded_late_does_not_undo_a_move(ledger: DbLedger, olga: UserId) -> None:
    await ledger.save_links(olga, SHOP, [LIVE])
    await ledger.save_placed(olga, SHOP, [Placed(TEA, AlbumId(77))])
    await ledger.save_links(olga, SHOP, [replace(LIVE, source=b"newer")])
    assert await ledger.links(olga, SHOP) == {TEA: replace(BARE, source=b"newer", album=AlbumId(77))}
