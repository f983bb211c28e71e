"""The list of products on both databases."""

from typing import Final

import pytest

from evosync.db import browse, tills
from evosync.db.browse import PAGE, Bucket, Find
from evosync.db.engine import Database
from evosync.domain.catalog import Group, Product, Store
from evosync.domain.ids import GroupId, ProductId, StoreId, UserId
from evosync.domain.mirror import TillChanges
from evosync.domain.status import Standing, Status
from tests.db.conftest import NOW

STORE: Final = StoreId("20240115-7A3C-40D1-80B2-5C0F1E2A9B31")
SWEETS: Final = GroupId("sweets")
MANY: Final = 730
"""More than a search fetches in one go."""


def product(number: int, name: str, group: str = "") -> Product:
    return Product(ProductId(f"p{number:04}"), STORE, name, GroupId(group), kopecks=100, digest=b"d")


async def stock(database: Database, user: UserId, *products: Product) -> None:
    changes = TillChanges((Store(STORE, "Лавка"),), (), (Group(SWEETS, STORE, "Сладкое"),), (), products)
    await database.write(lambda connection: tills.save(connection, user, changes, at=NOW))


async def found(database: Database, user: UserId, find: Find) -> browse.ProductPage:
    async with database.reading() as connection:
        shelves = await browse.shelves_of(connection, user, STORE)
        return await browse.products(connection, user, STORE, shelves, find)


@pytest.mark.parametrize("text", ["ёж", "еж", "ЕЖ", " Ёж ", "ЁЖ шоколадный", "шоколадный  еж"])
async def test_a_search_knows_neither_case_nor_yo_nor_spaces(database: Database, olga: UserId, text: str) -> None:
    await stock(database, olga, product(1, "Ёж шоколадный"), product(2, "Ежик"), product(3, "Ложка"))
    page = await found(database, olga, Find(text=text))
    assert "Ёж шоколадный" in [one.name for one in page.products]
    assert "Ложка" not in [one.name for one in page.products]


async def test_a_name_with_yo_stands_beside_those_with_ye(database: Database, olga: UserId) -> None:
    await stock(database, olga, product(1, "Яблоко"), product(2, "Ёлка"), product(3, "Ель"), product(4, "Единорог"))
    page = await found(database, olga, Find())
    assert [one.name for one in page.products] == ["Единорог", "Ёлка", "Ель", "Яблоко"]


@pytest.mark.parametrize("find", [Find(), Find(text="товар"), Find(group=SWEETS), Find(group=SWEETS, text="товар")])
async def test_pages_show_each_product_once_and_in_order(database: Database, olga: UserId, find: Find) -> None:
    await stock(database, olga, *(product(number, f"Товар {number % 90}", SWEETS) for number in range(MANY)))
    shown = []
    for number in range(1, -(-MANY // PAGE) + 1):
        page = await found(database, olga, Find(find.group, find.text, find.bucket, number))
        assert (page.total, page.number) == (MANY, number)
        shown += [one.id for one in page.products]
    assert shown == [
        one.id
        for one in sorted(
            (product(number, f"Товар {number % 90}") for number in range(MANY)),
            key=lambda one: (one.name.casefold(), one.id),
        )
    ]


@pytest.mark.parametrize("text", ["", "товар", "1"])
async def test_products_are_counted_by_where_they_stand(database: Database, olga: UserId, text: str) -> None:
    """Few or many, with a search or without: the same figures, and what is gone counts apart."""
    await stock(database, olga, *(product(number, f"Товар 1 {number}", SWEETS) for number in range(MANY)))
    standings = [Standing.IN_STEP, Standing.ZERO_PRICE, Standing.WAIT_CREATE, Standing.HIDDEN_GONE, Standing.OFF_GROUP]
    statuses = {ProductId(f"p{number:04}"): Status(standings[number % 5]) for number in range(MANY)}
    await database.write(lambda connection: tills.save_statuses(connection, olga, statuses, run=1, at=NOW))
    gone = TillChanges(products_gone=tuple((STORE, ProductId(f"p{number:04}")) for number in range(3, MANY, 5)))
    await database.write(lambda connection: tills.save(connection, olga, gone, at=NOW))
    page = await found(database, olga, Find(text=text))
    each = MANY // 5
    assert {bucket: count for bucket, count in page.counts.items() if count} == dict.fromkeys(Bucket, each)
    assert (page.total, page.matches) == (4 * each, 4 * each)
