"""What the head of every owner's page says of his mirror."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import RowMapping, bindparam, distinct, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db.mirrors import reading_of
from evosync.db.tables.choices import sync_configs, sync_filters
from evosync.db.tables.connections import evotor_connections, vk_connections
from evosync.db.tables.mirrors import mirrors
from evosync.db.tables.runs import sync_runs
from evosync.db.tables.till import cached_products
from evosync.db.tables.users import users
from evosync.domain.ids import UserId
from evosync.domain.mirror import StoreReading, StoreState
from evosync.domain.status import NEEDS_OWNER


@dataclass(frozen=True, slots=True)
class Glance:
    """What the head of every owner's page says of his mirror."""

    evotor: str | None = None
    """Health of the connection; None: not connected."""
    vk: str | None = None
    started_at: datetime | None = None
    paused_at: datetime | None = None
    is_running: bool = False
    done: int = 0
    total: int = 0
    last_outcome: str | None = None
    last_code: str = ""
    is_held_back: bool = False
    """VK stopped some writes for a while."""
    problems: int = 0
    unread: tuple[str, ...] = ()
    """Why stores that are switched on cannot be read, as codes."""


UNPAID: Final = "Evotor 402"
_IN_PEACE: Final = timedelta(minutes=30)
"""How long a store that fails is not spoken of: most faults of a cloud are over by then."""

_OFTEN: Final = 3
"""So many failures count as lasting, where the last good reading is old for another reason: after a pause, say."""

_PROBLEMS: Final = select(func.count(distinct(cached_products.c.product_id))).where(
    cached_products.c.status.in_(sorted(standing.value for standing in NEEDS_OWNER)),
    cached_products.c.gone_at.is_(None),
)
_COUNT: Final = _PROBLEMS.where(cached_products.c.user_id == bindparam("user"))
SHOWN_STORES: Final = (
    select(func.group_concat(sync_filters.c.entity_id))
    .where(
        sync_filters.c.user_id == users.c.id, sync_filters.c.entity_type == "store", sync_filters.c.enabled.is_(True)
    )
    .scalar_subquery()
    .label("shown_stores")
)
"""Stores that are switched on, separated by commas; beside a row of `users`."""
_running, _last = sync_runs.alias("running"), sync_runs.alias("last")
_GLANCE: Final = (
    select(
        evotor_connections.c.health.label("evotor"),
        evotor_connections.c.sealed.is_not(None).label("has_evotor"),
        vk_connections.c.health.label("vk"),
        vk_connections.c.sealed.is_not(None).label("has_vk"),
        sync_configs.c.started_at,
        sync_configs.c.paused_at,
        mirrors.c.pauses,
        mirrors.c.readings,
        SHOWN_STORES,
        _running.c.id.label("running"),
        _running.c.done,
        _running.c.total,
        _last.c.outcome,
        _last.c.code,
        _PROBLEMS.where(cached_products.c.user_id == users.c.id).scalar_subquery().label("problems"),
    )
    .select_from(
        users.outerjoin(evotor_connections, evotor_connections.c.user_id == users.c.id)
        .outerjoin(vk_connections, vk_connections.c.user_id == users.c.id)
        .outerjoin(sync_configs, sync_configs.c.user_id == users.c.id)
        .outerjoin(mirrors, mirrors.c.user_id == users.c.id)
        .outerjoin(_running, _running.c.id == mirrors.c.run_id)
        .outerjoin(_last, _last.c.id == mirrors.c.last_run_id)
    )
    .where(users.c.id == bindparam("user"))
)


def glance_of(row: RowMapping, problems: int, *, at: datetime) -> Glance:
    """`problems` count only once the mirror was started."""
    readings: Mapping[str, Mapping[str, Any]] = row["readings"] or {}
    shown = readings.keys() & set((row["shown_stores"] or "").split(","))
    none_is_paid = all(readings[store]["state"] == StoreState.UNPAID.value for store in shown)
    failed = [reading_of(readings[store]) for store in sorted(shown) if may_be_unread(readings[store]["state"])]
    return Glance(
        evotor=row["evotor"] if row["has_evotor"] else None,
        vk=row["vk"] if row["has_vk"] else None,
        started_at=row["started_at"],
        paused_at=row["paused_at"],
        is_running=row["running"] is not None,
        done=row["done"] or 0,
        total=row["total"] or 0,
        last_outcome=row["outcome"],
        last_code=row["code"] or "",
        is_held_back=_holds(row["pauses"], at),
        problems=problems if row["started_at"] is not None else 0,
        unread=tuple(why_unread(reading) for reading in failed if none_is_paid or is_unread(reading, at)),
    )


def may_be_unread(state: str) -> bool:
    return state in {StoreState.UNPAID.value, StoreState.FAILED.value}


def is_unread(reading: StoreReading, at: datetime) -> bool:
    """Whether its owner must know that the store cannot be read, though the runs end well without it.

    Of one that was never paid for, nothing in VK can be out of date: Problems names it, and the others are in step.
    """
    if reading.state is StoreState.UNPAID:
        return last_read(reading) is not None
    if reading.state is not StoreState.FAILED or reading.failures < _OFTEN:
        return False
    read_at = last_read(reading)
    return read_at is None or at - read_at >= _IN_PEACE


def last_read(reading: StoreReading) -> datetime | None:
    """The last that went well."""
    return max(filter(None, (reading.full_at, reading.delta_at)), default=None)


def why_unread(reading: StoreReading) -> str:
    return UNPAID if reading.state is StoreState.UNPAID else reading.code


async def glance(connection: AsyncConnection, user: UserId, *, at: datetime) -> Glance:
    row = (await connection.execute(_GLANCE, {"user": user})).mappings().first()
    if row is None:
        return Glance()
    return glance_of(row, row["problems"], at=at)


async def count_problems(connection: AsyncConnection, user: UserId) -> int:
    """Products that wait for their owner; one that several stores sell counts once."""
    found = await connection.scalar(_COUNT, {"user": user})
    return int(found or 0)


def _holds(pauses: Any, at: datetime) -> bool:
    """`pauses` as the mirror's row has them: method → {"until": ISO time, …}."""
    if not isinstance(pauses, dict):
        return False
    ends = [pause.get("until") for pause in pauses.values() if isinstance(pause, dict)]
    return any(isinstance(end, str) and datetime.fromisoformat(end) > at for end in ends)
