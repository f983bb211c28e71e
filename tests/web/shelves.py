"""A till and a VK shop in the database, as readings would have left them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import update

from evosync.db import choices, connections, links, shop, tills
from evosync.db.tables import cached_products, mirrors
from evosync.domain.catalog import Album, Availability, Group, Item, Product, Store
from evosync.domain.ids import AlbumId, CommunityId, GroupId, ItemId, ProductId, StoreId, UserId
from evosync.domain.links import AlbumLink, Link, LinkState
from evosync.domain.mirror import TillChanges
from evosync.domain.policy import Choice
from evosync.domain.status import Standing, Status
from evosync.security.seal import Sealer
from tests.web.browser import NOW, World

STORE = StoreId("20240115-7A3C-40D1-80B2-5C0F1E2A9B31")
OTHER = StoreId("store/2 ?#%")
COFFEE, TEA, CAPSULES = GroupId("g-coffee"), GroupId("g-tea"), GroupId("g-capsules")
SIZES = GroupId("g-sizes")
COMMUNITY = CommunityId(123)

GROUPS = (
    Group(COFFEE, STORE, "Кофе"),
    Group(TEA, STORE, "Чай"),
    Group(CAPSULES, STORE, "Капсулы", parent=COFFEE),
    Group(SIZES, STORE, "Эспрессо, размеры", parent=COFFEE, holds_modifications=True),
    Group(COFFEE, OTHER, "Кофе другого магазина"),
)


def product(number: int, name: str, group: str = COFFEE, *, store: StoreId = STORE, **values: Any) -> Product:
    made = Product(
        ProductId(f"p{number}"), store, name, GroupId(group), kopecks=number * 100, code=str(1000 + number), digest=b"d"
    )
    return replace(made, **values)


PRODUCTS = (
    product(1, "Кофе Эспрессо", kopecks=54_999),
    product(2, "Ёлочный чай", TEA),
    product(3, "ЕЖЕВИЧНЫЙ чай 100%", TEA),
    product(4, "Капсулы <b>крепкие</b>", CAPSULES),
    product(5, "Эспрессо двойной", SIZES),
    product(6, "Салфетки", ""),
    product(7, "Пакет", "gone-group"),
    product(8, "Кофе в зёрнах", store=OTHER),
)


async def stock(world: World, user: UserId, products: Iterable[Product] = PRODUCTS) -> None:
    """Two stores with groups and products."""
    changes = TillChanges(
        stores=(Store(STORE, "Лавка на Садовой", "Тверь"), Store(OTHER, "Кофейня у парка")),
        groups=GROUPS,
        products=tuple(products),
    )
    await world.database.write(lambda connection: tills.save(connection, user, changes, at=NOW))


async def stand(world: World, user: UserId, statuses: Mapping[str, Status]) -> None:
    """What a run said of products."""
    given = {ProductId(product): status for product, status in statuses.items()}
    await world.database.write(lambda connection: tills.save_statuses(connection, user, given, run=1, at=NOW))


async def goes_from_till(
    world: World, user: UserId, ident: str, *, item: int | None, standing: Standing | None = Standing.HIDDEN_GONE
) -> None:
    values: dict[str, Any] = {"gone_at": NOW, "vk_product_id": item, "status": standing}
    c = cached_products.c
    await world.database.write(
        lambda connection: connection.execute(
            update(cached_products).where(c.user_id == user, c.product_id == ident).values(**values)
        )
    )


async def start(world: World, user: UserId) -> None:
    await world.database.write(lambda connection: choices.start_mirror(connection, user, at=NOW))


async def read(world: World, user: UserId, readings: Mapping[StoreId, Mapping[str, str | None]]) -> None:
    nothing = dict.fromkeys(("code", "full_at", "delta_at", "retry_at", "held_digest", "held_at"))
    values = {store: {"state": "ok"} | nothing | dict(reading) for store, reading in readings.items()}
    await world.database.write(
        lambda connection: connection.execute(
            update(mirrors).where(mirrors.c.user_id == user).values(readings=values, shop_read_at=NOW)
        )
    )


async def shows(world: World, user: UserId) -> Choice:
    return await world.database.read(lambda connection: choices.load_choice(connection, user))


async def wish(world: World, user: UserId) -> tuple[datetime | None, str | None, list[str]]:
    query = mirrors.select().where(mirrors.c.user_id == user)
    async with world.database.reading() as connection:
        row = (await connection.execute(query)).mappings().one()
    return row["wanted_at"], row["wanted_scope"], row["wanted_reasons"]


async def connect_vk(world: World, user: UserId, sealer: Sealer, community: CommunityId = COMMUNITY) -> None:
    await world.database.write(
        lambda connection: connections.save_vk(
            connection,
            user,
            f"vk-token-of-{user}-0123456789",
            community=community,
            name="Лавка на Садовой",
            vk_user_id=None,
            expires_at=None,
            sealer=sealer,
            at=NOW,
        )
    )


def item(number: int, title: str, albums: tuple[int, ...] | None, **values: Any) -> Item:
    made = Item(
        ItemId(number),
        title,
        kopecks=number * 100,
        stock=5,
        albums=None if albums is None else tuple(AlbumId(album) for album in albums),
        face=b"f",
        digest=b"d",
        photo_url=f"https://sun1.userapi.com/{number}.jpg",
    )
    return replace(made, **values)


ITEMS = (
    item(501, "Кофе Эспрессо", (11,)),
    item(502, "Торт на заказ &amp; свечи", (12,)),
    item(503, "Без подборки", ()),
    item(504, "Ещё без подборки", None, availability=Availability.UNAVAILABLE),
    item(505, "Ёлочный чай", (11, 12), stock=0),
    item(506, "Пропавший товар", (11,), rejection="Товар запрещён"),
)


async def fill_shop(world: World, user: UserId, items: Iterable[Item] = ITEMS) -> None:
    """Albums 11 (follows the group of coffee) and 12 (the owner's own) with their items."""
    albums = (Album(AlbumId(11), "Кофе", 3, b"d"), Album(AlbumId(12), "Торты", 2, b"d"))
    given = tuple(items)

    async def work(connection: Any) -> None:
        await shop.save(connection, user, COMMUNITY, albums=albums, albums_gone=(), items=given, items_gone=())
        made = [
            Link(ProductId(ident), f"evo-{ident}", LinkState.LIVE, ItemId(number))
            for ident, number in (("p1", 501), ("p2", 505), ("p-gone", 506))
        ]
        await links.save(connection, user, COMMUNITY, made)
        await links.save_albums(connection, user, COMMUNITY, [AlbumLink(STORE, COFFEE, AlbumId(11), "Кофе", "Кофе")])

    await world.database.write(work)
