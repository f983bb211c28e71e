"""What the admin's queries share: everything around an account, and ways to look for a text."""

from datetime import timedelta
from typing import Final

from sqlalchemy import (
    ColumnElement,
    FromClause,
    and_,
    func,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db.tables.choices import sync_configs
from evosync.db.tables.connections import evotor_connections, vk_connections
from evosync.db.tables.mirrors import mirrors
from evosync.db.tables.runs import sync_runs
from evosync.db.tables.users import users
from evosync.domain.connection import Health
from evosync.domain.mirror import Outcome

PAGE: Final = 50
STALE: Final = timedelta(days=1)
"""A mirror that nothing has been carried over by for so long deserves a look."""
SOON: Final = timedelta(hours=1)
STOPPED: Final = (Outcome.FAILED.value, Outcome.HELD.value)

U = users.c
E = evotor_connections.c
V = vk_connections.c
S = sync_configs.c
M = mirrors.c
LAST = sync_runs.alias("last")


def around() -> FromClause:
    return (
        users.outerjoin(evotor_connections, E.user_id == U.id)
        .outerjoin(vk_connections, V.user_id == U.id)
        .outerjoin(sync_configs, S.user_id == U.id)
        .outerjoin(mirrors, M.user_id == U.id)
        .outerjoin(LAST, LAST.c.id == M.last_run_id)
    )


def is_broken() -> ColumnElement[bool]:
    evotor = and_(E.sealed.is_not(None), E.health == Health.BROKEN.value)
    vk = and_(V.sealed.is_not(None), V.health == Health.BROKEN.value)
    return or_(evotor, vk, func.coalesce(LAST.c.outcome, "") == Outcome.HELD.value)


def like(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


async def count(connection: AsyncConnection, source: FromClause, *conditions: ColumnElement[bool]) -> int:
    return int(await connection.scalar(select(func.count()).select_from(source).where(*conditions)) or 0)
