"""Letters about the mirror: what broke, what is about to, and that all is well again. Each is written once."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from sqlalchemy import Select, distinct, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.accounts.letters import BROKEN, tell
from evosync.db.engine import Database
from evosync.db.glance import count_problems
from evosync.db.tables import cached_products, evotor_connections, mirrors, sync_configs, sync_runs, vk_connections
from evosync.db.tables.site import letters
from evosync.domain.connection import Health
from evosync.domain.errors import Side
from evosync.domain.guard import Finding
from evosync.domain.ids import UserId
from evosync.domain.mirror import Outcome
from evosync.domain.status import IN_VK, NEEDS_OWNER, WAITING, Standing
from evosync.words.letters import Kind

log = logging.getLogger(__name__)

EXPIRES_WITHIN: Final = timedelta(days=7)
"""How long before its end a VK key is written about."""

FAILS_FOR: Final = timedelta(days=1)
"""How long an owner is left in peace while we try by ourselves."""

_MAY_MEND: Final = timedelta(minutes=5)
"""How long a letter about a refused key waits: if more owners' are, it was the cloud, and no letter is sent."""

_AGAIN: Final = timedelta(hours=1)
"""How often the operator is told of the same fault."""

_GOOD: Final = (Outcome.OK.value, Outcome.PARTIAL.value)

_p = cached_products.c
_r = sync_runs.c
_v = vk_connections.c
_e = evotor_connections.c
_m = mirrors.c


class Letterbox(Protocol):
    """What `queue.Queue` does for the outbox."""

    async def send_letters(self) -> bool: ...


class Notices:
    """`sync.engine.Bell` on the outbox, and the letters that no run can write because they are about time."""

    def __init__(self, database: Database, letterbox: Letterbox, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._letterbox = letterbox
        self._clock = clock
        self._told: dict[str, datetime] = {}

    async def connection_broken(self, user: UserId, side: Side, code: str, finding: Finding | None = None, /) -> None:
        """The owner's key is refused. The ledger has seen to it that this is news."""
        log.warning("connection broken", extra={"user": user, "side": side.value, "reason": code})
        at = self._clock()

        async def write(connection: AsyncConnection) -> bool:
            values = await _broken(connection, user, side, at=at) | _found(finding)
            return await tell(connection, user, BROKEN[side], at=at, rest=_MAY_MEND, code=code, **values)

        await self._database.write(write)

    async def operator(self, code: str, detail: str) -> None:
        """Our own fault at a cloud, for the log (and so for Sentry and the alerts); not more than once an hour."""
        at = self._clock()
        last = self._told.get(code)
        if last is not None and at - last < _AGAIN:
            return
        self._told[code] = at
        log.error("our fault at a cloud", extra={"reason": code, "detail": detail})

    async def look_round(self) -> int:
        """Everything that has become due by the clock; how many letters were written."""
        at = self._clock()
        written = 0
        for due in (_expiring, _failing, _well_again):
            owners = await self._database.read(lambda connection, due=due: due(connection, at=at))  # type: ignore[misc]  # a loop variable bound at once
            for user, kind, values in owners:
                written += await self._database.write(
                    lambda connection, user=user, kind=kind, values=values: tell(  # type: ignore[misc]  # as above
                        connection, user, kind, at=at, **values
                    )
                )
        if written:
            await self._letterbox.send_letters()
        return written


Due = tuple[UserId, Kind, Mapping[str, Any]]


async def _broken(connection: AsyncConnection, user: UserId, side: Side, *, at: datetime) -> dict[str, Any]:
    """VK's letter says how much the shop is behind by now; the till cannot say it when it is the till that is mute."""
    if side is Side.EVOTOR:
        return {"since_at": at}
    since = await _last_good(connection, user) or at
    community = await connection.scalar(select(_v.community_name).where(_v.user_id == user))
    changed = select(func.count(distinct(_p.product_id))).where(_p.user_id == user, _p.updated_at >= since)
    return {"since_at": at, "community": community or "", "changed": int(await connection.scalar(changed) or 0)}


def _found(finding: Finding | None) -> dict[str, Any]:
    """What the sentences about a guard's finding need; `…_kopecks` are shown as prices."""
    if finding is None:
        return {}
    if finding.name:
        return {"currency": finding.name}
    return {"wanted_kopecks": finding.wanted, "got_kopecks": finding.got}


async def _last_good(connection: AsyncConnection, user: UserId) -> datetime | None:
    query = select(func.max(_r.finished_at)).where(_r.user_id == user, _r.outcome.in_(_GOOD))
    found: datetime | None = await connection.scalar(query)
    return found


def _last_letter(kind: Kind) -> Any:
    """When the owner of the outer row was last written to about this."""
    return (
        select(func.max(letters.c.created_at))
        .where(letters.c.user_id == _m.user_id, letters.c.kind == kind.value)
        .scalar_subquery()
    )


async def _expiring(connection: AsyncConnection, *, at: datetime) -> Sequence[Due]:
    """Keys that end within the week and were not written about since they were connected."""
    query = (
        select(_m.user_id, _v.community_name, _v.expires_at, _v.connected_at, _last_letter(Kind.KEY_EXPIRING))
        .select_from(vk_connections.join(mirrors, _m.user_id == _v.user_id))
        .where(_v.expires_at > at, _v.expires_at <= at + EXPIRES_WITHIN, _v.health == Health.OK.value)
    )
    return [
        (UserId(user), Kind.KEY_EXPIRING, {"community": community, "expires_at": expires_at})
        for user, community, expires_at, connected_at, told_at in (await connection.execute(query)).all()
        if told_at is None or (connected_at is not None and told_at < connected_at)
    ]


def _mirrored() -> Select[Any]:
    """Owners whose mirror should work by itself: started, not paused, both keys good."""
    last = sync_runs.alias("last_run")
    good = (
        select(func.max(_r.finished_at))
        .where(_r.user_id == _m.user_id, _r.outcome.in_(_GOOD))
        .correlate(mirrors)
        .scalar_subquery()
    )
    return (
        select(
            _m.user_id,
            sync_configs.c.started_at,
            last.c.outcome,
            last.c.code,
            good,
            _last_letter(Kind.FAILING),
            _last_letter(Kind.WELL_AGAIN),
        )
        .select_from(
            mirrors.join(sync_configs, sync_configs.c.user_id == _m.user_id)
            .join(evotor_connections, _e.user_id == _m.user_id)
            .join(vk_connections, _v.user_id == _m.user_id)
            .join(last, last.c.id == _m.last_run_id)
        )
        .where(
            sync_configs.c.started_at.is_not(None),
            sync_configs.c.paused_at.is_(None),
            _e.health == Health.OK.value,
            _v.health == Health.OK.value,
        )
    )


async def _failing(connection: AsyncConnection, *, at: datetime) -> Sequence[Due]:
    """Mirrors without a good run for a day, whose owners were not told since the last one."""
    query = _mirrored().where(_m.failures > 0)
    due: list[Due] = []
    for user, started_at, outcome, code, good_at, told_at, _ in (await connection.execute(query)).all():
        since = good_at or started_at
        if outcome != Outcome.FAILED.value or at - since < FAILS_FOR or (told_at is not None and told_at > since):
            continue
        counts = await _standings(connection, UserId(user))
        due.append((UserId(user), Kind.FAILING, {"since_at": since, "code": code, **counts}))
    return due


async def _well_again(connection: AsyncConnection, *, at: datetime) -> Sequence[Due]:
    """Owners who were told of a failure that is over."""
    del at
    due: list[Due] = []
    for user, _, outcome, _, good_at, failing_at, well_at in (
        await connection.execute(_mirrored().where(_last_letter(Kind.FAILING).is_not(None)))
    ).all():
        is_over = outcome in _GOOD and good_at is not None and good_at > failing_at
        if not is_over or (well_at is not None and well_at > failing_at):
            continue
        first, caught_up = await _since(connection, UserId(user), failing_at)
        problems = await count_problems(connection, UserId(user))
        values = {"since_at": first or good_at, "caught_up": caught_up, "problems": problems}
        due.append((UserId(user), Kind.WELL_AGAIN, values))
    return due


async def _standings(connection: AsyncConnection, user: UserId) -> dict[str, int]:
    """How many products are as at the till, how many are behind, and of how many that should be in VK."""
    query = (
        select(_p.status, func.count(distinct(_p.product_id)))
        .where(_p.user_id == user, _p.gone_at.is_(None), _p.status.is_not(None))
        .group_by(_p.status)
    )
    found = {Standing(status): int(count) for status, count in (await connection.execute(query)).all()}
    same = sum(count for standing, count in found.items() if standing in IN_VK)
    behind = sum(count for standing, count in found.items() if standing in WAITING)
    waiting = sum(count for standing, count in found.items() if standing in NEEDS_OWNER)
    return {"same": same, "behind": behind, "total": same + behind + waiting}


async def _since(connection: AsyncConnection, user: UserId, when: datetime) -> tuple[datetime | None, int]:
    """The first good run after a moment, and how many products the good ones have touched since."""
    query = (
        select(_r.finished_at, _r.counts)
        .where(_r.user_id == user, _r.finished_at > when, _r.outcome.in_(_GOOD))
        .order_by(_r.finished_at)
        .limit(500)
    )
    first: datetime | None = None
    touched = 0
    for finished_at, counts in (await connection.execute(query)).all():
        first = first or finished_at
        touched += sum(int(counts.get(name, 0)) for name in ("created", "updated", "hidden", "shown", "adopted"))
    return first, touched


__all__ = ["Notices"]
