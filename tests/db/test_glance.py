"""What the head of every page says of a mirror, where it takes more than one table to know."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from evosync.db.engine import Database
from evosync.db.glance import glance
from evosync.db.tables import mirrors, sync_filters
from evosync.domain.ids import UserId
from evosync.domain.mirror import StoreReading, StoreState
from tests.db.conftest import NOW

OLD, YOUNG = (NOW - timedelta(minutes=minutes) for minutes in (30, 29))
READINGS = {
    "lavka": StoreReading(StoreState.UNPAID, "Evotor 402", full_at=NOW),
    "kiosk": StoreReading(full_at=OLD),
    "gone": StoreReading(StoreState.FAILED, "Evotor 404", full_at=OLD - timedelta(hours=1), delta_at=OLD, failures=3),
    "mute": StoreReading(StoreState.FAILED, "Evotor 500", full_at=OLD, failures=9),
    "never": StoreReading(StoreState.FAILED, "Evotor 500", failures=3),
    "short": StoreReading(StoreState.FAILED, "Evotor 404", full_at=OLD, delta_at=YOUNG, failures=9),
    "once": StoreReading(StoreState.FAILED, "Evotor 500", full_at=OLD, failures=2),
    "held": StoreReading(StoreState.HELD, "incomplete", full_at=OLD, failures=9),
}


@pytest.mark.parametrize(
    ("on", "unread"),
    [
        ({"lavka"}, {"Evotor 402"}),
        ({"lavka", "kiosk"}, {"Evotor 402"}),
        ({"lavka", "mute", "gone"}, {"Evotor 402", "Evotor 404", "Evotor 500"}),
        ({"gone", "kiosk"}, {"Evotor 404"}),
        ({"mute", "kiosk"}, {"Evotor 500"}),
        ({"never", "kiosk"}, {"Evotor 500"}),
        ({"kiosk"}, set()),
        ({"short", "once", "held"}, set()),
        (set(), set()),
    ],
)
async def test_a_store_that_is_switched_on_and_cannot_be_read_is_seen_at_a_glance(
    database: Database, olga: UserId, on: set[str], unread: set[str]
) -> None:
    readings = {store: said(reading) for store, reading in READINGS.items()}
    async with database.writing() as connection:
        await connection.execute(update(mirrors).where(mirrors.c.user_id == olga).values(readings=readings))
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
    assert set(seen.unread) == unread


def said(reading: StoreReading) -> dict[str, Any]:
    """As the mirror's row has it."""
    times = {name: getattr(reading, name) for name in ("full_at", "delta_at", "retry_at", "held_at")}
    return {
        "state": reading.state.value,
        "code": reading.code,
        "held_digest": "",
        "failures": reading.failures,
        **{name: at.isoformat() if at is not None else None for name, at in times.items()},
    }
