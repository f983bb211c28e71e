"""What a change of the owner's settings would do, as it is counted beforehand."""

from sqlalchemy import update

from evosync.db import rules
from evosync.db.engine import Database
from evosync.db.ledger import DbLedger
from evosync.db.tables import cached_products
from evosync.domain.catalog import Product
from evosync.domain.ids import ProductId, StoreId, UserId
from evosync.domain.mirror import TillChanges
from evosync.domain.policy import Policy
from tests.db.conftest import NOW

BY_THE_GRAM = ["г", "Гр.", "\u00a0ГРАММ ", "г.."]
OTHERS = ["шт", "кг", "100 г", ""]


async def test_goods_by_the_gram_are_counted_as_a_run_knows_them_however_the_till_spells_the_unit(
    ledger: DbLedger, database: Database, olga: UserId
) -> None:
    products = tuple(
        Product(ProductId(f"p{number}"), StoreId("s"), "Чай", unit=unit, digest=b"d")
        for number, unit in enumerate((*BY_THE_GRAM, *OTHERS))
    )
    await ledger.save_till(olga, TillChanges(products=products), at=NOW)
    async with database.writing() as connection:
        unlisted = await rules.effects(connection, olga, ["weight"], Policy())
        await connection.execute(update(cached_products).values(vk_product_id=1))
        effects = await rules.effects(connection, olga, ["weight"], Policy())
    assert unlisted.weighed == 0
    assert (effects.weighed, effects.listed) == (len(BY_THE_GRAM), len(products))
