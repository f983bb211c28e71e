"""What the admin's queries share: everything around an account, and ways to look for a text."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    FromClause,
    ScalarSelect,
    and_,
    false,
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
_CARRIED: Final = (Outcome.OK.value, Outcome.PARTIAL.value, Outcome.READ_ONLY.value)

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


def carried(user: ColumnElement[int]) -> tuple[ColumnElement[bool], ...]:
    """Of a run: it is this user's, and VK was brought as far as it could be. One that only looked brought nothing."""
    c = sync_runs.c
    return c.user_id == user, c.dry == false(), c.outcome.in_(_CARRIED)


def last_carried(user: ColumnElement[int], since: ColumnElement[Any]) -> ScalarSelect[datetime | None]:
    """When such a run last ended, if one did since. Read backwards along an index: of who is well, one row of it."""
    c = sync_runs.c
    found = select(c.finished_at).where(*carried(user), c.finished_at >= since)
    return found.order_by(c.started_at.desc()).limit(1).scalar_subquery()


def like(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


async def count(connection: AsyncConnection, source: FromClause, *conditions: ColumnElement[bool]) -> int:
    return int(await connection.scalar(select(func.count()).select_from(source).where(*conditions)) or 0)
