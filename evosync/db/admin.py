"""What the admin's pages ask: people with the health of their mirrors, the work, the roles, the audit trail."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    FromClause,
    RowMapping,
    Select,
    and_,
    delete,
    distinct,
    exists,
    false,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import mirrors as due
from evosync.db import runs as history
from evosync.db.mirrors import SILENCE
from evosync.db.site import Glance, LetterState, UserStatus
from evosync.db.tables.choices import sync_configs
from evosync.db.tables.connections import evotor_connections, vk_connections
from evosync.db.tables.mirrors import mirrors
from evosync.db.tables.runs import sync_runs
from evosync.db.tables.site import audit, letters, links
from evosync.db.tables.till import cached_products, cached_stores
from evosync.db.tables.users import permissions, role_permissions, roles, user_roles, users
from evosync.domain.connection import Health
from evosync.domain.ids import RunId, UserId
from evosync.domain.mirror import Outcome, RunRecord, StoreState
from evosync.domain.status import NEEDS_OWNER, Standing

PAGE: Final = 50
STALE: Final = timedelta(days=1)
"""A mirror that nothing has been carried over by for so long deserves a look."""
SOON: Final = timedelta(hours=1)
_LATELY: Final = timedelta(days=30)
_ERRORS: Final = 10
_SHOWN: Final = 50

_u = users.c
_e = evotor_connections.c
_v = vk_connections.c
_s = sync_configs.c
_m = mirrors.c
_last = sync_runs.alias("last")
_running = sync_runs.alias("running")
_actor = users.alias("actor")

_CARRIED: Final = (Outcome.OK.value, Outcome.PARTIAL.value, Outcome.READ_ONLY.value)
_STOPPED: Final = (Outcome.FAILED.value, Outcome.HELD.value)


class State(StrEnum):
    """What the list of people is narrowed to."""

    ALL = ""
    NEEDS = "needs"
    STALE = "stale"
    PENDING = "pending"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Wanted:
    """`text` is looked for in address, name, phone and community; `role` is a role's name, or empty."""

    text: str = ""
    role: str = ""
    state: State = State.ALL


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One line of the list. `products` are those at the till, as the last run counted them."""

    id: UserId
    name: str
    email: str | None
    phone: str | None
    status: UserStatus
    created_at: datetime
    glance: Glance
    stores: int = 0
    unpaid: int = 0
    community: str = ""
    products: int | None = None
    last_at: datetime | None = None

    @property
    def called(self) -> str:
        return self.name or self.email or self.phone or f"№ {self.id}"


def _around() -> FromClause:
    return (
        users.outerjoin(evotor_connections, _e.user_id == _u.id)
        .outerjoin(vk_connections, _v.user_id == _u.id)
        .outerjoin(sync_configs, _s.user_id == _u.id)
        .outerjoin(mirrors, _m.user_id == _u.id)
        .outerjoin(_last, _last.c.id == _m.last_run_id)
    )


def _is_broken() -> ColumnElement[bool]:
    evotor = and_(_e.sealed.is_not(None), _e.health == Health.BROKEN.value)
    vk = and_(_v.sealed.is_not(None), _v.health == Health.BROKEN.value)
    return or_(evotor, vk, func.coalesce(_last.c.outcome, "") == Outcome.HELD.value)


def _is_in(state: State, at: datetime) -> list[ColumnElement[bool]]:
    active = _u.status == UserStatus.ACTIVE.value
    if state is State.NEEDS:
        return [active, _is_broken()]
    if state is State.STALE:
        carried = exists().where(
            sync_runs.c.user_id == _u.id, sync_runs.c.finished_at > at - STALE, sync_runs.c.outcome.in_(_CARRIED)
        )
        return [active, _s.started_at <= at - STALE, _s.paused_at.is_(None), ~carried]
    if state in {State.PENDING, State.SUSPENDED}:
        return [_u.status == state.value]
    return []


def _like(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _matches(text: str) -> ColumnElement[bool]:
    # SQLite folds ASCII alone, so the usual spellings of a Russian name are tried one by one.
    spellings = {text, text.lower(), text.upper(), text.capitalize(), text.title()}
    found: list[ColumnElement[bool]] = [_u.email.like(_like(text.casefold()), escape="\\")]
    for column in (_u.name, _v.community_name):
        found.append(func.lower(column).like(_like(text.lower()), escape="\\"))
        found += [column.like(_like(spelling), escape="\\") for spelling in sorted(spellings)]
    digits = "".join(char for char in text if char.isdecimal() and char.isascii())
    if len(digits) >= 4 and not any(char.isalpha() for char in text):
        local = digits[1:] if len(digits) == 11 and digits[0] in "78" else digits
        found += [_u.phone.like(_like(local)), _v.group_id == int(digits[:18])]
    if digits and digits == text.removeprefix("club"):
        found.append(_v.group_id == int(digits[:18]))
    return or_(*found)


def _narrowed(query: Select[Any], wanted: Wanted, at: datetime) -> Select[Any]:
    query = query.where(*_is_in(wanted.state, at))
    if wanted.text:
        query = query.where(_matches(wanted.text))
    if wanted.role:
        held = (
            select(user_roles.c.user_id)
            .join(roles, roles.c.id == user_roles.c.role_id)
            .where(roles.c.name == wanted.role)
        )
        query = query.where(_u.id.in_(held))
    return query


async def count_people(connection: AsyncConnection, wanted: Wanted, *, at: datetime) -> Mapping[State, int]:
    """How many there are in each state, by the same text and role."""
    found = {}
    for state in State:
        asked = Wanted(wanted.text, wanted.role, state)
        query = _narrowed(select(func.count(_u.id)).select_from(_around()), asked, at)
        found[state] = int(await connection.scalar(query) or 0)
    return found


async def list_people(connection: AsyncConnection, wanted: Wanted, *, page: int, at: datetime) -> Sequence[PersonRow]:
    """The newest accounts first; pages count from 1."""
    query = _narrowed(_person_query(), wanted, at).order_by(_u.created_at.desc(), _u.id.desc())
    rows = (await connection.execute(query.limit(PAGE).offset((page - 1) * PAGE))).mappings().all()
    return await _people(connection, rows, at)


async def find_person(connection: AsyncConnection, user: UserId, *, at: datetime) -> PersonRow | None:
    rows = (await connection.execute(_person_query().where(_u.id == user))).mappings().all()
    found = await _people(connection, rows, at)
    return found[0] if found else None


def _person_query() -> Select[Any]:
    return select(
        *(_u.id, _u.name, _u.email, _u.phone, _u.status, _u.created_at),
        *(_s.started_at, _s.paused_at, _m.pauses, _m.readings),
        _e.health.label("evotor"),
        _e.sealed.is_not(None).label("has_evotor"),
        _v.health.label("vk"),
        _v.sealed.is_not(None).label("has_vk"),
        *(_v.community_name, _v.group_id),
        _running.c.id.label("running"),
        *(_running.c.done, _running.c.total),
        *(_last.c.outcome, _last.c.code, _last.c.counts, _last.c.finished_at),
    ).select_from(_around().outerjoin(_running, _running.c.id == _m.run_id))


async def _people(connection: AsyncConnection, rows: Sequence[RowMapping], at: datetime) -> Sequence[PersonRow]:
    numbers = [row["id"] for row in rows]
    stores = await _counted(connection, cached_stores.c.user_id, numbers, func.count())
    waiting = await _counted(
        connection,
        cached_products.c.user_id,
        numbers,
        func.count(distinct(cached_products.c.product_id)),
        cached_products.c.status.in_(_NEEDING),
        cached_products.c.gone_at.is_(None),
    )
    return [_person_row(row, stores.get(row["id"], 0), waiting.get(row["id"], 0), at) for row in rows]


_NEEDING: Final = sorted(standing.value for standing in NEEDS_OWNER)


async def _counted(
    connection: AsyncConnection,
    by: ColumnElement[Any],
    numbers: Collection[int],
    what: ColumnElement[int],
    *conditions: ColumnElement[bool],
) -> Mapping[int, int]:
    if not numbers:
        return {}
    query = select(by, what).where(by.in_(numbers), *conditions).group_by(by)
    return {user: int(count) for user, count in await connection.execute(query)}


def _person_row(row: RowMapping, stores: int, waiting: int, at: datetime) -> PersonRow:
    readings: Mapping[str, Mapping[str, Any]] = row["readings"] or {}
    counts: Mapping[str, Any] = row["counts"] or {}
    return PersonRow(
        id=UserId(row["id"]),
        name=row["name"],
        email=row["email"],
        phone=row["phone"],
        status=UserStatus(row["status"]),
        created_at=row["created_at"],
        glance=Glance(
            evotor=row["evotor"] if row["has_evotor"] else None,
            vk=row["vk"] if row["has_vk"] else None,
            started_at=row["started_at"],
            paused_at=row["paused_at"],
            is_running=row["running"] is not None,
            done=row["done"] or 0,
            total=row["total"] or 0,
            last_outcome=row["outcome"],
            last_code=row["code"] or "",
            is_held_back=any(datetime.fromisoformat(pause["until"]) > at for pause in (row["pauses"] or {}).values()),
            problems=waiting if row["started_at"] is not None else 0,
        ),
        stores=stores,
        unpaid=sum(reading.get("state") == StoreState.UNPAID.value for reading in readings.values()),
        community=(row["community_name"] or f"club{row['group_id']}") if row["has_vk"] else "",
        products=counts.get("products"),
        last_at=row["finished_at"],
    )


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


_IN_STEP: Final = sorted(one.value for one in Standing if one.value.startswith("in_step") or one is Standing.SOLD_OUT)


async def details(connection: AsyncConnection, user: UserId, *, runs: int, at: datetime) -> Details:
    evotor = (await connection.execute(select(evotor_connections).where(_e.user_id == user))).mappings().first()
    vk = (await connection.execute(select(vk_connections).where(_v.user_id == user))).mappings().first()
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
        in_step=sum(by_status.get(status, 0) for status in _IN_STEP),
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


@dataclass(frozen=True, slots=True)
class Role:
    """A role with what it allows and how many people hold it."""

    id: int
    name: str
    built_in: bool
    permissions: frozenset[str]
    people: int = 0


async def list_roles(connection: AsyncConnection) -> Sequence[Role]:
    rows = await connection.execute(select(roles.c.id, roles.c.name, roles.c.built_in).order_by(roles.c.id))
    allowed: dict[int, set[str]] = {}
    given = await connection.execute(
        select(role_permissions.c.role_id, permissions.c.name).join(
            permissions, permissions.c.id == role_permissions.c.permission_id
        )
    )
    for role, permission in given:
        allowed.setdefault(role, set()).add(permission)
    held = await connection.execute(select(user_roles.c.role_id, func.count()).group_by(user_roles.c.role_id))
    people = {role: int(count) for role, count in held}
    return [
        Role(number, name, bool(built_in), frozenset(allowed.get(number, ())), people.get(number, 0))
        for number, name, built_in in rows
    ]


async def list_permissions(connection: AsyncConnection) -> Sequence[str]:
    """In the order in which they were made."""
    return list((await connection.execute(select(permissions.c.name).order_by(permissions.c.id))).scalars())


async def set_permissions(connection: AsyncConnection, role: int, names: Iterable[str]) -> None:
    await connection.execute(delete(role_permissions).where(role_permissions.c.role_id == role))
    wanted = set(names)
    rows = await connection.execute(select(permissions.c.id).where(permissions.c.name.in_(wanted)))
    values = [{"role_id": role, "permission_id": number} for number in rows.scalars()]
    if values:
        await connection.execute(insert(role_permissions), values)


async def set_roles(connection: AsyncConnection, user: UserId, names: Iterable[str]) -> None:
    wanted = set(names)
    await connection.execute(delete(user_roles).where(user_roles.c.user_id == user))
    rows = await connection.execute(select(roles.c.id).where(roles.c.name.in_(wanted)))
    values = [{"user_id": user, "role_id": number} for number in rows.scalars()]
    if values:
        await connection.execute(insert(user_roles), values)


async def lock_roles(connection: AsyncConnection) -> None:
    """Until the transaction ends nobody else changes who holds what: two people must not demote each other."""
    await connection.execute(select(roles.c.id).order_by(roles.c.id).with_for_update())


@dataclass(frozen=True, slots=True)
class WorkRow:
    """A run that goes on, one that waits, or one that failed. `code` names the error."""

    user: UserId
    called: str
    at: datetime | None = None
    run: RunId | None = None
    step: str = ""
    done: int = 0
    total: int = 0
    code: str = ""
    failures: int = 0
    next_at: datetime | None = None
    reasons: Sequence[str] = ()
    is_lost: bool = False
    """Its worker has said nothing for a while: another one takes it over."""
    waits_for_owner: bool = False


@dataclass(frozen=True, slots=True)
class LetterProblem:
    """A letter that did not go out at its first try. `given_up`: nobody tries it any more."""

    id: int
    user: UserId
    address: str
    kind: str
    error: str
    tries: int
    next_at: datetime
    given_up: bool


@dataclass(frozen=True, slots=True)
class Work:
    """All that is to be done, is being done and did not get done. The counts are whole, the lists are cut."""

    running: Sequence[WorkRow] = ()
    queued: Sequence[WorkRow] = ()
    failed: Sequence[WorkRow] = ()
    letters: Sequence[LetterProblem] = ()
    errors: Sequence[WorkRow] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    """`running`, `queued`, `soon` (due within the hour), `failed`, `letters`, `done` and `broken` (runs of an hour)."""


def _called(row: RowMapping) -> str:
    return str(row["email"] or row["name"] or row["phone"] or f"№ {row['user']}")


_WHO: Final = (_u.id.label("user"), _u.email, _u.name, _u.phone)
_AT_WORK: Final = (_u.status == UserStatus.ACTIVE.value, _s.paused_at.is_(None))


async def work(connection: AsyncConnection, *, at: datetime) -> Work:
    owners = due.waiting()
    running, running_count = await _running_work(connection, at)
    is_queued = due.waits(at)
    queued_count, _ = await due.backlog(connection, at)
    soon = (*_AT_WORK, _m.run_id.is_(None), _m.next_at > at, _m.next_at <= at + SOON)
    failed, failed_count = await _failed_work(connection)
    bad_letters, letter_count = await _bad_letters(connection, at)
    ended = await connection.execute(
        select(sync_runs.c.outcome, func.count())
        .where(sync_runs.c.started_at > at - STALE, sync_runs.c.finished_at > at - SOON)
        .group_by(sync_runs.c.outcome)
    )
    by_outcome = {outcome: int(count) for outcome, count in ended}
    return Work(
        running=running,
        queued=await _queued_work(connection, owners, is_queued),
        failed=failed,
        letters=bad_letters,
        errors=await _last_errors(connection, at),
        counts={
            "running": running_count,
            "queued": queued_count,
            "soon": await _count(connection, owners, *soon),
            "failed": failed_count,
            "letters": letter_count,
            "done": sum(by_outcome.values()),
            "broken": sum(by_outcome.get(outcome, 0) for outcome in _STOPPED),
        },
    )


async def _count(connection: AsyncConnection, source: FromClause, *conditions: ColumnElement[bool]) -> int:
    return int(await connection.scalar(select(func.count()).select_from(source).where(*conditions)) or 0)


async def _running_work(connection: AsyncConnection, at: datetime) -> tuple[Sequence[WorkRow], int]:
    r = sync_runs.c
    source = mirrors.join(sync_runs, and_(r.id == _m.run_id, r.finished_at.is_(None))).join(users, _u.id == _m.user_id)
    query = (
        select(*_WHO, r.id.label("run"), r.started_at, r.step, r.done, r.total, r.heartbeat_at, r.reasons)
        .select_from(source)
        .order_by(r.started_at)
        .limit(_SHOWN)
    )
    found = [
        WorkRow(
            user=UserId(row["user"]),
            called=_called(row),
            at=row["started_at"],
            run=RunId(row["run"]),
            step=row["step"] or "",
            done=row["done"],
            total=row["total"],
            reasons=row["reasons"],
            is_lost=row["heartbeat_at"] <= at - SILENCE,
        )
        for row in (await connection.execute(query)).mappings()
    ]
    return found, len(found) if len(found) < _SHOWN else await _count(connection, source)


async def _queued_work(
    connection: AsyncConnection, owners: FromClause, is_queued: Iterable[ColumnElement[bool]]
) -> Sequence[WorkRow]:
    since = func.coalesce(_m.wanted_at, _m.next_at)
    query = (
        select(*_WHO, _m.wanted_at, _m.next_at, _m.wanted_reasons, _m.failures)
        .select_from(owners)
        .where(*is_queued)
        .order_by(since)
        .limit(20)
    )
    return [
        WorkRow(
            user=UserId(row["user"]),
            called=_called(row),
            at=min((time for time in (row["wanted_at"], row["next_at"]) if time is not None), default=None),
            reasons=row["wanted_reasons"],
            failures=row["failures"],
        )
        for row in (await connection.execute(query)).mappings()
    ]


async def _failed_work(connection: AsyncConnection) -> tuple[Sequence[WorkRow], int]:
    """Mirrors whose last run failed, or that crash before they have one."""
    source = _around()
    did_fail = (
        _u.status == UserStatus.ACTIVE.value,
        _m.run_id.is_(None),
        or_(func.coalesce(_last.c.outcome, "").in_(_STOPPED), _m.failures > 0),
    )
    query = (
        select(
            *_WHO,
            *(_m.failures, _m.next_at, _m.wanted_at, _s.paused_at, _e.reason.label("evotor"), _v.reason.label("vk")),
            *(_last.c.finished_at, _last.c.code, _last.c.outcome),
            func.coalesce(_is_broken(), false()).label("waits"),
        )
        .select_from(source)
        .where(*did_fail)
        .order_by(_last.c.finished_at.desc(), _u.id)
        .limit(_SHOWN)
    )
    found = [
        WorkRow(
            user=UserId(row["user"]),
            called=_called(row),
            at=row["finished_at"],
            code=(row["code"] if row["outcome"] in _STOPPED else "") or "",
            failures=row["failures"],
            next_at=None if row["paused_at"] is not None else row["wanted_at"] or row["next_at"],
            waits_for_owner=bool(row["waits"]),
        )
        for row in (await connection.execute(query)).mappings()
    ]
    return found, len(found) if len(found) < _SHOWN else await _count(connection, source, *did_fail)


async def _bad_letters(connection: AsyncConnection, at: datetime) -> tuple[Sequence[LetterProblem], int]:
    c = letters.c
    is_bad = (
        c.created_at > at - _LATELY,
        or_(c.state == LetterState.FAILED.value, and_(c.state == LetterState.WAITING.value, c.error != "")),
    )
    query = select(letters).where(*is_bad).order_by(c.id.desc()).limit(_SHOWN)
    found = [
        LetterProblem(
            id=row["id"],
            user=UserId(row["user_id"]),
            address=row["address"],
            kind=row["kind"],
            error=row["error"],
            tries=row["tries"],
            next_at=row["next_at"],
            given_up=row["state"] == LetterState.FAILED.value,
        )
        for row in (await connection.execute(query)).mappings()
    ]
    return found, len(found) if len(found) < _SHOWN else await _count(connection, letters, *is_bad)


async def _last_errors(connection: AsyncConnection, at: datetime) -> Sequence[WorkRow]:
    r = sync_runs.c
    query = (
        select(*_WHO, r.id.label("run"), r.finished_at, r.code)
        .select_from(sync_runs.join(users, _u.id == r.user_id))
        .where(r.started_at > at - 7 * STALE, r.finished_at.is_not(None), r.code != "")
        .order_by(r.started_at.desc(), r.id.desc())
        .limit(_ERRORS)
    )
    return [
        WorkRow(
            user=UserId(row["user"]),
            called=_called(row),
            at=row["finished_at"],
            run=RunId(row["run"]),
            code=row["code"],
        )
        for row in (await connection.execute(query)).mappings()
    ]


class Revived(StrEnum):
    """What became of a letter that was to be tried again."""

    WAITING = "waiting"
    SENT = "sent"
    TOO_OLD = "too_old"
    """The link in it is used up or out of date."""


async def revive_letter(connection: AsyncConnection, number: int, *, at: datetime) -> tuple[Revived, UserId] | None:
    """Makes a letter due at once, with all its tries; None if there is none of that number."""
    c = letters.c
    query = (
        select(c.user_id, c.state, c.link_id, links.c.used_at, links.c.expires_at)
        .select_from(letters.outerjoin(links, links.c.id == c.link_id))
        .where(c.id == number)
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    user, state, link, used_at, expires_at = row
    if state == LetterState.SENT.value:
        return Revived.SENT, UserId(user)
    if link is not None and (used_at is not None or expires_at <= at):
        return Revived.TOO_OLD, UserId(user)
    await connection.execute(
        update(letters).where(c.id == number).values(state=LetterState.WAITING.value, tries=0, error="", next_at=at)
    )
    return Revived.WAITING, UserId(user)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """`text` is an address, a part of a name or an account's number, of whoever did it or had it done to him."""

    action: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An entry with the names of both people. A person is None once his account is deleted."""

    at: datetime
    action: str
    actor: UserId | None
    actor_called: str
    user: UserId | None
    user_called: str
    address: str
    details: Mapping[str, Any]


def _audit_where(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.action:
        found.append(audit.c.action == wanted.action)
    if wanted.text:
        either: list[ColumnElement[bool]] = []
        for side in (users, _actor):
            either.append(side.c.email.like(_like(wanted.text.casefold()), escape="\\"))
            either += [
                side.c.name.like(_like(spelling), escape="\\")
                for spelling in sorted({wanted.text, wanted.text.lower(), wanted.text.capitalize()})
            ]
        if wanted.text.isdecimal() and wanted.text.isascii() and len(wanted.text) <= 18:
            either += [audit.c.user_id == int(wanted.text), audit.c.actor_id == int(wanted.text)]
        found.append(or_(*either))
    return found


_AUDIT: Final = audit.outerjoin(users, _u.id == audit.c.user_id).outerjoin(_actor, _actor.c.id == audit.c.actor_id)


async def count_audit(connection: AsyncConnection, wanted: AuditFilter) -> int:
    source = _AUDIT if wanted.text else audit
    return await _count(connection, source, *_audit_where(wanted))


async def list_audit(
    connection: AsyncConnection, wanted: AuditFilter, *, page: int = 1, limit: int = PAGE, about: UserId | None = None
) -> Sequence[AuditRow]:
    """The newest first. `about` narrows to what concerns one person."""
    conditions = _audit_where(wanted)
    if about is not None:
        conditions.append(audit.c.user_id == about)
    query = (
        select(
            *(audit.c.at, audit.c.action, audit.c.actor_id, audit.c.user_id, audit.c.address, audit.c.details),
            *(_u.name, _u.email, _u.phone),
            _actor.c.name.label("actor_name"),
            _actor.c.email.label("actor_email"),
            _actor.c.phone.label("actor_phone"),
        )
        .select_from(_AUDIT)
        .where(*conditions)
        .order_by(audit.c.at.desc(), audit.c.id.desc())
        .limit(limit)
        .offset((page - 1) * limit)
    )
    return [
        AuditRow(
            at=row["at"],
            action=row["action"],
            actor=UserId(row["actor_id"]) if row["actor_id"] is not None else None,
            actor_called=_named(row["actor_name"], row["actor_email"], row["actor_phone"], row["actor_id"]),
            user=UserId(row["user_id"]) if row["user_id"] is not None else None,
            user_called=_named(row["name"], row["email"], row["phone"], row["user_id"]),
            address=row["address"],
            details=row["details"] or {},
        )
        for row in (await connection.execute(query)).mappings()
    ]


def _named(name: str | None, email: str | None, phone: str | None, number: int | None) -> str:
    return name or email or phone or (f"№ {number}" if number is not None else "")


async def known_actions(connection: AsyncConnection) -> Sequence[str]:
    """Those that the trail has."""
    return sorted((await connection.execute(select(audit.c.action).distinct())).scalars())
