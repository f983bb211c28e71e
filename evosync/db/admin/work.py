"""The work: what is due, what goes on, what failed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import (
    ColumnElement,
    FromClause,
    RowMapping,
    and_,
    false,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import mirrors as due
from evosync.db.accounts import UserStatus
from evosync.db.admin.around import LAST, SOON, STALE, STOPPED, E, M, S, U, V, around, count, is_broken
from evosync.db.mirrors import SILENCE
from evosync.db.outbox import LetterState
from evosync.db.tables.mirrors import mirrors
from evosync.db.tables.runs import sync_runs
from evosync.db.tables.site import letters, links
from evosync.db.tables.users import users
from evosync.domain.ids import RunId, UserId
from evosync.domain.mirror import AHEAD

_LATELY: Final = timedelta(days=30)
_ERRORS: Final = 10
_SHOWN: Final = 50


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


_WHO: Final = (U.id.label("user"), U.email, U.name, U.phone)
_AT_WORK: Final = (U.status == UserStatus.ACTIVE.value, S.paused_at.is_(None))


async def work(connection: AsyncConnection, *, at: datetime) -> Work:
    owners = due.waiting()
    running, running_count = await _running_work(connection, at)
    is_queued = due.waits(at)
    queued_count, _ = await due.backlog(connection, at)
    soon = (*_AT_WORK, M.run_id.is_(None), M.next_at > at, M.next_at <= at + SOON)
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
            "soon": await count(connection, owners, *soon),
            "failed": failed_count,
            "letters": letter_count,
            "done": sum(by_outcome.values()),
            "broken": sum(by_outcome.get(outcome, 0) for outcome in STOPPED),
        },
    )


async def _running_work(connection: AsyncConnection, at: datetime) -> tuple[Sequence[WorkRow], int]:
    r = sync_runs.c
    source = mirrors.join(sync_runs, and_(r.id == M.run_id, r.finished_at.is_(None))).join(users, U.id == M.user_id)
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
            is_lost=not at - SILENCE < row["heartbeat_at"] <= at + AHEAD,
        )
        for row in (await connection.execute(query)).mappings()
    ]
    return found, len(found) if len(found) < _SHOWN else await count(connection, source)


async def _queued_work(
    connection: AsyncConnection, owners: FromClause, is_queued: Iterable[ColumnElement[bool]]
) -> Sequence[WorkRow]:
    since = func.coalesce(M.wanted_at, M.next_at)
    query = (
        select(*_WHO, M.wanted_at, M.next_at, M.wanted_reasons, M.failures)
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
    source = around()
    did_fail = (
        U.status == UserStatus.ACTIVE.value,
        M.run_id.is_(None),
        or_(func.coalesce(LAST.c.outcome, "").in_(STOPPED), M.failures > 0),
    )
    query = (
        select(
            *_WHO,
            *(M.failures, M.next_at, M.wanted_at, S.paused_at, E.reason.label("evotor"), V.reason.label("vk")),
            *(LAST.c.finished_at, LAST.c.code, LAST.c.outcome),
            func.coalesce(is_broken(), false()).label("waits"),
        )
        .select_from(source)
        .where(*did_fail)
        .order_by(LAST.c.finished_at.desc(), U.id)
        .limit(_SHOWN)
    )
    found = [
        WorkRow(
            user=UserId(row["user"]),
            called=_called(row),
            at=row["finished_at"],
            code=(row["code"] if row["outcome"] in STOPPED else "") or "",
            failures=row["failures"],
            next_at=None if row["paused_at"] is not None else row["wanted_at"] or row["next_at"],
            waits_for_owner=bool(row["waits"]),
        )
        for row in (await connection.execute(query)).mappings()
    ]
    return found, len(found) if len(found) < _SHOWN else await count(connection, source, *did_fail)


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
    return found, len(found) if len(found) < _SHOWN else await count(connection, letters, *is_bad)


async def _last_errors(connection: AsyncConnection, at: datetime) -> Sequence[WorkRow]:
    r = sync_runs.c
    query = (
        select(*_WHO, r.id.label("run"), r.finished_at, r.code)
        .select_from(sync_runs.join(users, U.id == r.user_id))
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
