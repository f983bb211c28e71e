"""One owner's mirror as an admin sees it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import (
    RowMapping,
    distinct,
    func,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import runs as history
from evosync.db.admin.around import STALE, E, V
from evosync.db.tables.connections import evotor_connections, vk_connections
from evosync.db.tables.runs import sync_runs
from evosync.db.tables.till import cached_products, cached_stores
from evosync.domain.ids import UserId
from evosync.domain.mirror import RunRecord
from evosync.domain.status import IN_VK, NEEDS_OWNER, Standing


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection without its token. `reason` is the code of what broke it; `name` is the community's."""

    last4: str
    health: str
    reason: str
    reason_at: datetime | None
    connected_at: datetime | None
    name: str = ""
    number: int | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Details:
    """What an admin sees of one owner's mirror. `problems`: how many products wait with each standing."""

    evotor: Connected | None
    vk: Connected | None
    stores: Sequence[str]
    runs: Sequence[RunRecord]
    run_count: int
    problems: Mapping[Standing, int]
    products: int
    in_step: int
    vk_requests: int
    """Of one day."""


_IN_VK: Final = sorted(standing.value for standing in IN_VK)


async def details(connection: AsyncConnection, user: UserId, *, runs: int, at: datetime) -> Details:
    evotor = (await connection.execute(select(evotor_connections).where(E.user_id == user))).mappings().first()
    vk = (await connection.execute(select(vk_connections).where(V.user_id == user))).mappings().first()
    p, s = cached_products.c, cached_stores.c
    mine = (p.user_id == user, p.gone_at.is_(None))
    standing = await connection.execute(
        select(p.status, func.count(distinct(p.product_id))).where(*mine, p.status.is_not(None)).group_by(p.status)
    )
    by_status = {status: int(count) for status, count in standing}
    products = await connection.scalar(select(func.count(distinct(p.product_id))).where(*mine))
    stores = await connection.execute(select(s.name).where(s.user_id == user).order_by(s.position, s.store_id))
    counted = await connection.scalar(select(func.count()).where(sync_runs.c.user_id == user))
    lately = await connection.execute(
        select(sync_runs.c.counts).where(sync_runs.c.user_id == user, sync_runs.c.started_at > at - STALE)
    )
    return Details(
        evotor=_connected(evotor),
        vk=_connected(vk),
        stores=list(stores.scalars()),
        runs=await history.latest(connection, user, runs),
        run_count=int(counted or 0),
        problems={one: by_status[one.value] for one in Standing if one in NEEDS_OWNER and one.value in by_status},
        products=int(products or 0),
        in_step=sum(by_status.get(status, 0) for status in _IN_VK),
        vk_requests=sum(int(counts.get("vk_requests", 0)) for counts in lately.scalars()),
    )


def _connected(row: RowMapping | None) -> Connected | None:
    if row is None or row["sealed"] is None:
        return None
    return Connected(
        last4=row["last4"],
        health=row["health"],
        reason=row["reason"],
        reason_at=row["reason_at"],
        connected_at=row["connected_at"],
        name=row.get("community_name", ""),
        number=row.get("group_id"),
        expires_at=row.get("expires_at"),
    )
