"""What the head of every page says of a mirror, where it takes more than one table to know."""

import pytest
from sqlalchemy import insert, update

from evosync.db.engine import Database
from evosync.db.glance import glance
from evosync.db.tables import mirrors, sync_filters
from evosync.domain.ids import UserId
from tests.db.conftest import NOW

READINGS = {"lavka": {"state": "unpaid"}, "kiosk": {"state": "ok"}}


@pytest.mark.parametrize(
    ("on", "is_unpaid"), [({"lavka"}, True), ({"kiosk"}, False), ({"lavka", "kiosk"}, False), (set(), False)]
)
async def test_a_shop_is_unpaid_where_every_store_that_is_switched_on_is(
    database: Database, olga: UserId, on: set[str], *, is_unpaid: bool
) -> None:
    async with database.writing() as connection:
        await connection.execute(update(mirrors).where(mirrors.c.user_id == olga).values(readings=READINGS))
        rows = [
            {
                "user_id": olga,
                "entity_type": "store",
                "parent_entity_id": "",
                "entity_id": store,
                "enabled": store in on,
            }
            for store in READINGS
        ]
        await connection.execute(insert(sync_filters), rows)
    seen = await database.read(lambda connection: glance(connection, olga, at=NOW))
    assert seen.is_unpaid is is_unpaid
