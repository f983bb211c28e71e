"""When a mirror is due, and what a run starts from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    LABEL_STYLE_TABLENAME_PLUS_COL,
    ColumnElement,
    FromClause,
    RowMapping,
    Select,
    and_,
    bindparam,
    func,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import choices, connections
from evosync.db.accounts import ACTIVE
from evosync.db.tables import evotor_connections, mirrors, sync_configs, sync_runs, users, vk_connections
from evosync.domain.connection import EvotorConnection, Health, Token, VkConnection
from evosync.domain.ids import CommunityId, ProductId, RunId, StoreId, UserId
from evosync.domain.mirror import AHEAD, FAR, Mirror, Pause, Scope, StoreReading, StoreState, is_time
from evosync.domain.policy import Policy
from evosync.domain.schedule import backoff
from evosync.security.seal import Sealed, Sealer

SILENCE = timedelta(seconds=15)
"""A run whose heart has not beaten for so long has lost its worker."""

MOST_REASONS = 100
"""Beyond these a wish no longer says what to look at, but to look at everything."""

_m = mirrors.c
_u = users.c
_s = sync_configs.c
_e = evotor_connections.c
_v = vk_connections.c


_EVERYTHING: Final = (
    users.join(sync_configs, _s.user_id == _u.id)
    .join(mirrors, _m.user_id == _u.id)
    .outerjoin(evotor_connections, _e.user_id == _u.id)
    .outerjoin(vk_connections, _v.user_id == _u.id)
)

# What each run asks is built once: SQLAlchemy takes longer to put a statement together than to send it.
_MINE: Final = _u.id == bindparam("user")
_LOAD: Final = (
    select(users.c.id, sync_configs, mirrors, evotor_connections, vk_connections)
    .set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)
    .select_from(_EVERYTHING)
    .where(_MINE, _u.status == ACTIVE)
)
_CONNECTIONS: Final = (_e.connected_at, _e.health, _v.connected_at, _v.health, _v.group_id)
_RUN_WITH: Final = select(*_CONNECTIONS).select_from(_EVERYTHING).where(_MINE)
_STILL_WANTED: Final = (
    select(_m.run_id, _m.run_with, *_CONNECTIONS)
    .select_from(_EVERYTHING)
    .where(_MINE, _u.status == ACTIVE, _s.paused_at.is_(None))
)
_TURNS: Final = (
    select(
        _u.id, _m.wanted_scope, _m.wanted_reasons, _m.next_at, _m.started_at, _s.paused_at, _e.health, _e.sealed,
        sync_runs.c.scope, sync_runs.c.reasons, sync_runs.c.heartbeat_at, _u.status,
    )
    .select_from(_EVERYTHING.outerjoin(sync_runs, sync_runs.c.id == _m.run_id))
    .where(_u.id.in_(bindparam("users", expanding=True)))
)  # fmt: skip
_LOCK: Final = (
    select(_m.wanted_at, _m.wanted_scope, _m.wanted_reasons, _m.run_id)
    .where(_m.user_id == bindparam("user"))
    .with_for_update()
)
_OF_USER: Final = update(mirrors).where(_m.user_id == bindparam("of_user"))
_OF_RUN: Final = update(mirrors).where(_m.run_id == bindparam("of_run"))
_BEGUN: Final = select(_m.user_id, _m.run_with).where(_m.run_id == bindparam("of_run")).with_for_update()
_ENDED: Final = {
    None: _OF_RUN,
    True: _OF_RUN.values(behind_since=func.coalesce(_m.behind_since, _m.started_at)),
    False: _OF_RUN.values(behind_since=null()),
}
"""By whether the mirror is behind."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the operator set for owners who set nothing."""

    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a mirror is wanted for; a run that was cut down with its worker is wished for again."""

    scope: Scope
    reasons: tuple[str, ...]

    def with_(self, scope: Scope, reasons: Sequence[str]) -> "Wish":
        """The wider scope, all reasons once, in order."""
        merged = tuple(dict.fromkeys((*self.reasons, *reasons)))
        wider = self.scope.with_(scope)
        if len(merged) > MOST_REASONS:  # sales are in no delta (Evotor FACTS 1.2)
            return Wish(Scope.FULL, merged[:MOST_REASONS])
        return Wish(wider, merged)

    def within(self, scope: Scope, reasons: Sequence[str]) -> bool:
        """Whether a run does all that is wished.

        All but a full one look only at what they were begun for: a routine one skips stores that are not due, and the
        products that a sale named.
        """
        return scope is Scope.FULL or (scope is scope.with_(self.scope) and set(self.reasons) <= set(reasons))


@dataclass(frozen=True, slots=True)
class Turn:
    """What is wanted of a user now.

    `wish`: what somebody asked for, or a worker that died left; not what a run does that goes on: else a hint that
    comes meanwhile would be as wide as that run, which could not do it in between. `is_due`: whether the clock alone,
    or a worker that died, makes him due.
    """

    wish: Wish | None
    is_due: bool


@dataclass(frozen=True, slots=True)
class Pending:
    """A wish and when it is to be met; `at` is None for what a dead run left, which is `run`."""

    at: datetime | None
    wish: Wish | None
    run: RunId | None = None
    heartbeat_at: datetime | None = None


async def load(connection: AsyncConnection, user: UserId, *, sealer: Sealer, defaults: Defaults) -> Mirror | None:
    row = (await connection.execute(_LOAD, {"user": user})).mappings().one_or_none()
    if row is None:
        return None
    return Mirror(
        user=user,
        evotor=_evotor(row, user, sealer),
        vk=_vk(row, user, sealer),
        choice=choices.read_choice(row, await choices.switches(connection, user)),
        policy=choices.read_policy(row, defaults.policy),
        started_at=row[_s.started_at],
        paused_at=row[_s.paused_at],
        readings={StoreId(store): reading_of(value) for store, value in row[_m.readings].items()},
        pauses={method: pause_of(value) for method, value in row[_m.pauses].items()},
        # A run that never ended may have stored what it read and not done it: the next one compares everything.
        shop_read_at=row[_m.shop_read_at] if row[_m.run_id] is None else None,
        failures=row[_m.failures],
        interval=timedelta(seconds=row[_s.interval_seconds]) if row[_s.interval_seconds] else None,
        is_wanted=row[_m.wanted_at] is not None or row[_m.run_id] is not None,
        next_at=row[_m.next_at],
        began_at=row[_m.started_at],
        behind_since=row[_m.behind_since],
    )


def _evotor(row: RowMapping, user: UserId, sealer: Sealer) -> EvotorConnection | None:
    if row[_e.sealed] is None:
        return None
    opened = connections.unseal(sealer, Sealed(row[_e.key_id], row[_e.sealed]), about=connections.about_evotor(user))
    till_user = row[_e.till_user] or ""
    if opened is None:
        return EvotorConnection(Token("", row[_e.fingerprint]), Health.BROKEN, connections.UNREADABLE, till_user)
    return EvotorConnection(opened, Health(row[_e.health]), row[_e.reason], till_user, row[_e.connected_at])


def _vk(row: RowMapping, user: UserId, sealer: Sealer) -> VkConnection | None:
    if row[_v.sealed] is None:
        return None
    opened = connections.unseal(sealer, Sealed(row[_v.key_id], row[_v.sealed]), about=connections.about_vk(user))
    return VkConnection(
        token=opened or Token("", row[_v.fingerprint]),
        community=CommunityId(row[_v.group_id]),
        health=Health(row[_v.health]) if opened else Health.BROKEN,
        reason=row[_v.reason] if opened else connections.UNREADABLE,
        name=row[_v.community_name],
        expires_at=row[_v.expires_at],
        connected_at=row[_v.connected_at],
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).isoformat()


def reading_of(value: Mapping[str, Any]) -> StoreReading:
    return StoreReading(
        state=StoreState(value["state"] or ""),
        code=value["code"] or "",
        full_at=_time(value["full_at"]),
        delta_at=_time(value["delta_at"]),
        retry_at=_time(value["retry_at"]),
        held_digest=value["held_digest"] or "",
        held_at=_time(value["held_at"]),
        failures=value.get("failures", 0),  # rows of earlier versions have neither
        missed=frozenset(ProductId(product) for product in value.get("missed", ())),
    )


def _reading_to_json(reading: StoreReading) -> dict[str, Any]:
    return {
        "state": reading.state.value,
        "code": reading.code,
        "full_at": _text(reading.full_at),
        "delta_at": _text(reading.delta_at),
        "retry_at": _text(reading.retry_at),
        "held_digest": reading.held_digest,
        "held_at": _text(reading.held_at),
        "failures": reading.failures,
        "missed": sorted(reading.missed),
    }


def pause_of(value: Mapping[str, Any]) -> Pause:
    return Pause(until=datetime.fromisoformat(value["until"]), code=value["code"], step=value["step"])


def _pause_to_json(pause: Pause) -> dict[str, str | int | None]:
    return {"until": _text(pause.until), "code": pause.code, "step": pause.step}


async def run_with(connection: AsyncConnection, user: UserId) -> str:
    """What a run depends on: which connections there are. A new token is a new connection, bad health is not."""
    row = (await connection.execute(_RUN_WITH, {"user": user})).one_or_none()
    return "" if row is None else _with(row)


def _community(with_: str) -> str:
    return with_.split()[2] if with_ else ""


def _with(row: Sequence[Any]) -> str:
    evotor_at, evotor_health, vk_at, vk_health, community = row
    parked = "".join("p" if health == Health.PARKED else "-" for health in (evotor_health, vk_health))
    return f"{_text(evotor_at)} {_text(vk_at)} {community} {parked}"


async def still_wanted(connection: AsyncConnection, user: UserId) -> bool:
    row = (await connection.execute(_STILL_WANTED, {"user": user})).one_or_none()
    if row is None:
        return False
    run, started_with, *now = row
    return run is None or started_with == _with(now)


def _has_till() -> ColumnElement[bool]:
    """One whose app was removed is not asked until it is installed again."""
    return and_(_e.sealed.is_not(None), _e.health != Health.PARKED.value)


def waiting() -> FromClause:
    """Where `waits` is asked."""
    return (
        mirrors.join(users, _u.id == _m.user_id)
        .join(sync_configs, _s.user_id == _m.user_id)
        .join(evotor_connections, _e.user_id == _m.user_id)
        .outerjoin(sync_runs, sync_runs.c.id == _m.run_id)
    )


def waits(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Whose turn has come and who is not at it: what `due` would find, as the metrics and the queue's page count it."""
    is_time = and_(_m.run_id.is_(None), or_(_m.wanted_at <= now, _m.next_at <= now, _was_set_back(now)))
    return _u.status == ACTIVE, _s.paused_at.is_(None), _has_till(), or_(is_time, _is_silent(now))


async def backlog(connection: AsyncConnection, now: datetime) -> tuple[int, datetime | None]:
    """How many wait, and since when the one that waits longest."""
    query = select(func.count(), func.min(_m.wanted_at), func.min(_m.next_at), func.min(sync_runs.c.heartbeat_at))
    count, *since = (await connection.execute(query.select_from(waiting()).where(*waits(now)))).one()
    return int(count), min((at for at in since if at is not None and at <= now), default=None)


async def ahead(connection: AsyncConnection, wanted_at: datetime, now: datetime) -> int:
    """How many were wished for earlier and wait like this one."""
    query = select(func.count()).select_from(waiting()).where(*waits(now), _m.wanted_at < wanted_at)
    return int((await connection.execute(query)).scalar_one())


async def due(connection: AsyncConnection, now: datetime, limit: int) -> list[UserId]:
    """Wished for, then left by a worker that died, then by the clock; the longest overdue first.

    A mirror last run in the future is due: the clock was set back.
    """
    base, allowed = _runnable(_m.user_id)
    kinds = (
        base.where(_m.wanted_at <= now, *allowed).order_by(_m.wanted_at),
        base.join(sync_runs, sync_runs.c.id == _m.run_id)
        .where(_is_silent(now), *allowed)
        .order_by(sync_runs.c.heartbeat_at),
        base.where(_m.next_at <= now, *allowed).order_by(_m.next_at),
        base.where(_was_set_back(now), *allowed).order_by(_m.next_at),
    )
    found: dict[UserId, None] = {}
    for kind in kinds:
        if len(found) < limit:
            found.update(dict.fromkeys((await connection.execute(kind.limit(limit))).scalars()))
    return list(found)[:limit]


async def coming(
    connection: AsyncConnection, now: datetime, until: datetime, limit: int
) -> list[tuple[UserId, datetime]]:
    """Whose turn by the clock comes after `now` and not after `until`, and when; the soonest first."""
    base, allowed = _runnable(_m.user_id, _m.next_at)
    query = base.where(_m.next_at > now, _m.next_at <= until, *allowed).order_by(_m.next_at).limit(limit)
    return [(user, at) for user, at in (await connection.execute(query)).all()]


def _runnable(*columns: ColumnElement[Any]) -> tuple[Select[Any], tuple[ColumnElement[bool], ...]]:
    """A question about mirrors, and what must hold for one to be run."""
    asked = (
        select(*columns)
        .join(users, _u.id == _m.user_id)
        .join(sync_configs, _s.user_id == _m.user_id)
        .join(evotor_connections, _e.user_id == _m.user_id)
    )
    return asked, (_u.status == ACTIVE, _s.paused_at.is_(None), _has_till())


def _was_set_back(now: datetime) -> ColumnElement[bool]:
    """The clock, since the mirror's turn was noted: of `is_time` what is not simply past."""
    return and_(_m.next_at > now + FAR, _m.started_at > now + AHEAD)


def _is_silent(now: datetime) -> ColumnElement[bool]:
    heartbeat_at = sync_runs.c.heartbeat_at
    return or_(heartbeat_at <= now - SILENCE, heartbeat_at > now + AHEAD)


async def turns(connection: AsyncConnection, users: Iterable[UserId], now: datetime) -> dict[UserId, Turn]:
    """Of those that there are."""
    found = (await connection.execute(_TURNS, {"users": list(users)})).all()
    return {user: _turn(row, now) for user, *row in found}


def _turn(row: Sequence[Any], now: datetime) -> Turn:
    scope, reasons, next_at, started_at, paused_at, health, till, run_scope, run_reasons, heartbeat_at, status = row
    wished = Wish(Scope(scope), tuple(reasons)) if scope else None
    is_dead = heartbeat_at is not None and (heartbeat_at <= now - SILENCE or heartbeat_at > now + AHEAD)
    if is_dead:
        wished = (wished or Wish(Scope(run_scope), ())).with_(Scope(run_scope), run_reasons)
    if status != ACTIVE or paused_at is not None or till is None or health == Health.PARKED:
        return Turn(wished, is_due=False)
    if is_dead:
        return Turn(wished, is_due=True)
    return Turn(wished, is_due=is_time(next_at, started_at, now))


async def set_back(connection: AsyncConnection, user: UserId, *, at: datetime) -> None:
    """After a crash: wish and run are given up, and the next turn waits longer each time."""
    failures = await connection.scalar(select(_m.failures).where(_m.user_id == user).with_for_update())
    failures = (failures or 0) + 1
    await connection.execute(
        update(mirrors)
        .where(_m.user_id == user)
        .values(
            failures=failures,
            next_at=at + backoff(failures),
            wanted_at=None,
            wanted_scope=None,
            wanted_reasons=[],
            run_id=None,
            shop_read_at=None,
        )
    )


async def lock(connection: AsyncConnection, user: UserId) -> Pending:
    """What a run that starts now finds. Raises `NoResultFound` if there is no such user."""
    at, scope, reasons, run = (await connection.execute(_LOCK, {"user": user})).one()
    wished = Wish(Scope(scope), tuple(reasons)) if scope else None
    if run is None:
        return Pending(at, wished)
    c = sync_runs.c  # its worker died, or lives where Redis forgot whose turn it is
    left = (await connection.execute(select(c.scope, c.reasons, c.heartbeat_at).where(c.id == run))).one_or_none()
    if left is None:
        return Pending(at, wished, run)
    old_scope, old_reasons, heartbeat_at = left
    wished = (wished or Wish(Scope(old_scope), ())).with_(Scope(old_scope), old_reasons)
    return Pending(at, wished, run, heartbeat_at)


async def want(connection: AsyncConnection, user: UserId, *, scope: Scope, reason: str, at: datetime) -> None:
    """Raises `NoResultFound` if there is no such user."""
    query = select(_m.wanted_at, _m.wanted_scope, _m.wanted_reasons, _m.started_at).where(_m.user_id == user)
    wanted_at, wanted_scope, reasons, started_at = (await connection.execute(query.with_for_update())).one()
    wished = Wish(Scope(wanted_scope or scope), tuple(reasons)).with_(scope, [reason])
    if started_at is not None and at <= started_at:
        # The change was made before that run started, and was committed after it: the run may not have seen it.
        at = started_at + timedelta(microseconds=1)
    await connection.execute(
        update(mirrors)
        .where(_m.user_id == user)
        .values(
            wanted_at=min(wanted_at, at) if wanted_at is not None else at,
            wanted_scope=wished.scope.value,
            wanted_reasons=list(wished.reasons),
        )
    )


async def take_hint(connection: AsyncConnection, user: UserId) -> frozenset[str]:
    query = select(_m.wanted_reasons).where(_m.user_id == user, _m.wanted_scope == Scope.HINT.value)
    reasons = (await connection.execute(query.with_for_update())).scalar_one_or_none()
    if reasons is None:
        return frozenset()
    await connection.execute(
        update(mirrors).where(_m.user_id == user).values(wanted_at=None, wanted_scope=None, wanted_reasons=[])
    )
    return frozenset(reasons)


async def start(
    connection: AsyncConnection,
    user: UserId,
    standing: Pending,
    *,
    run: RunId,
    scope: Scope,
    reasons: Sequence[str],
    at: datetime,
    with_: str = "",
) -> None:
    """The run takes over what is wished for, as far as it does it. Until it ends, or dies, it is not due again.

    `with_`: the connections that it uses, see `run_with`.
    """
    wished, newer = standing.wish, standing.at is not None and standing.at > at
    if wished is not None and (newer or not wished.within(scope, reasons)):
        left: dict[str, Any] = {
            "wanted_at": standing.at or at,
            "wanted_scope": wished.scope.value,
            "wanted_reasons": list(wished.reasons),
        }
    else:
        left = {"wanted_at": None, "wanted_scope": None, "wanted_reasons": []}
    now: dict[str, Any] = {"started_at": at, "next_at": None, "run_id": run, "run_with": with_}
    await connection.execute(_OF_USER, {"of_user": user, **now, **left})


async def compare_all(connection: AsyncConnection, user: UserId) -> None:
    """By the next run: what the till says is being stored by one that does not act on it."""
    await connection.execute(update(mirrors).where(_m.user_id == user).values(shop_read_at=None))


async def looked(connection: AsyncConnection, user: UserId, readings: Mapping[StoreId, StoreReading]) -> None:
    """A run that only looked leaves word what it read, so that the next one compares all; its time stays as it was."""
    held = {store: _reading_to_json(reading) for store, reading in readings.items()}
    await connection.execute(update(mirrors).where(_m.user_id == user).values(readings=held, shop_read_at=None))


async def note(
    connection: AsyncConnection,
    user: UserId,
    run: RunId,
    *,
    readings: Mapping[StoreId, StoreReading],
    next_at: datetime | None,
    started_at: datetime,
) -> None:
    """After a run that is over already: wishes stay, and so does all that it was not about."""
    held = {store: _reading_to_json(reading) for store, reading in readings.items()}
    now: dict[str, Any] = {"last_run_id": run, "next_at": next_at, "started_at": started_at, "failures": 0}
    await connection.execute(_OF_USER.where(_m.run_id.is_(None)), {"of_user": user, "readings": held, **now})


async def finish(
    connection: AsyncConnection,
    run: RunId,
    *,
    readings: Mapping[StoreId, StoreReading],
    pauses: Mapping[str, Pause],
    shop_read_at: datetime | None,
    next_at: datetime | None,
    failures: int,
    behind: bool | None,
) -> None:
    """Leaves alone the mirror of a run that was given up for dead and followed by another.

    `behind`: see `is_behind`. A mirror is so since the start of the first run that left it so. What the run found of a
    community that is not his any more is not true of the one that is.
    """
    begun = (await connection.execute(_BEGUN, {"of_run": run})).one_or_none()
    if begun is not None and _community(begun.run_with) != _community(await run_with(connection, begun.user_id)):
        pauses, shop_read_at, behind = {}, None, None
    await connection.execute(
        _ENDED[behind],
        {
            "of_run": run,
            "run_id": None,
            "last_run_id": run,
            "next_at": next_at,
            "readings": {store: _reading_to_json(reading) for store, reading in readings.items()},
            "pauses": {method: _pause_to_json(pause) for method, pause in pauses.items()},
            "shop_read_at": shop_read_at,
            "failures": failures,
        },
    )
