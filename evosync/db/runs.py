"""The record of runs: started, moving, ended."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import RowMapping, bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db.tables import run_items, sync_runs
from evosync.domain.ids import RunId, UserId
from evosync.domain.mirror import Outcome, ProductResult, Progress, RunRecord, Scope, Tally

_r = sync_runs.c

LOST = "lost"
"""Code of a run that ended with its worker."""

# Built once, for each run asks them.
_INSERT: Final = insert(sync_runs).returning(_r.id)
_SELECT: Final = select(sync_runs).where(_r.id == bindparam("of_run"))
_OF_RUN: Final = update(sync_runs).where(_r.id == bindparam("of_run"))
_UNFINISHED: Final = _OF_RUN.where(_r.finished_at.is_(None))
_UNFINISHED_OF_USER: Final = update(sync_runs).where(_r.user_id == bindparam("of_user"), _r.finished_at.is_(None))
_UNFINISHED_LOOKS: Final = _UNFINISHED_OF_USER.where(_r.dry)
_IS_OPEN: Final = select(_r.id).where(_r.id == bindparam("of_run"), _r.finished_at.is_(None))
_BEFORE_END: Final = select(_r.scope, _r.code, _r.finished_at).where(_r.id == bindparam("of_run"))
_STAYS_OPEN: Final = _IS_OPEN.with_for_update(read=True)


async def start(
    connection: AsyncConnection,
    user: UserId,
    *,
    scope: Scope,
    reasons: Sequence[str],
    at: datetime,
    beat: datetime | None = None,
    dry: bool = False,
) -> RunId:
    """Runs of this user that never ended are closed: their worker died. One that only looks closes only its like.

    `beat`: its first heartbeat, where it began to work at `at` already.
    """
    lost: dict[str, Any] = {"finished_at": at, "outcome": Outcome.CUT.value, "code": LOST}
    await connection.execute(_UNFINISHED_LOOKS if dry else _UNFINISHED_OF_USER, {"of_user": user, **lost})
    row = _row(user, scope, reasons, Tally(), started_at=at, heartbeat_at=beat or at)
    made = await connection.execute(_INSERT, row | {"dry": dry})
    return RunId(made.scalar_one())


async def note(
    connection: AsyncConnection,
    user: UserId,
    *,
    reasons: Sequence[str],
    outcome: Outcome,
    tally: Tally,
    started_at: datetime,
    at: datetime,
) -> RunRecord:
    """A delta that is over already, and had nothing to do."""
    row = _row(user, Scope.DELTA, reasons, tally, started_at=started_at, heartbeat_at=at)
    run = (await connection.execute(_INSERT, row | {"finished_at": at, "outcome": outcome.value})).scalar_one()
    return RunRecord(RunId(run), user, tuple(reasons), Scope.DELTA, started_at, at, outcome, "", tally, {})


def _row(
    user: UserId, scope: Scope, reasons: Sequence[str], tally: Tally, *, started_at: datetime, heartbeat_at: datetime
) -> dict[str, Any]:
    return {
        "user_id": user,
        "scope": scope.value,
        "reasons": list(reasons),
        "started_at": started_at,
        "code": "",
        "done": 0,
        "total": 0,
        "counts": asdict(tally),
        "notes": {},
        "heartbeat_at": heartbeat_at,
        "dry": False,
    }


async def progress(connection: AsyncConnection, run: RunId, progress: Progress, tally: Tally, *, at: datetime) -> bool:
    """False if the run was closed."""
    now: dict[str, Any] = {"step": progress.step.value, "done": progress.done, "total": progress.total}
    done = await connection.execute(_UNFINISHED, {"of_run": run, **now, "counts": asdict(tally), "heartbeat_at": at})
    return bool(done.rowcount)


async def is_open(connection: AsyncConnection, run: RunId) -> bool:
    """Whether nobody gave the run up and began another."""
    return (await connection.execute(_IS_OPEN, {"of_run": run})).scalar() is not None


async def before_end(connection: AsyncConnection, run: RunId) -> tuple[Scope, bool]:
    """What the run was to look at, and whether a later one closed it, as it will then find out."""
    scope, code, finished_at = (await connection.execute(_BEFORE_END, {"of_run": run})).one()
    return Scope(scope), finished_at is not None and code == LOST


async def stays_open(connection: AsyncConnection, run: RunId) -> bool:
    """`is_open`, and until this transaction ends nobody can close it."""
    return (await connection.execute(_STAYS_OPEN, {"of_run": run})).scalar() is not None


async def finish(
    connection: AsyncConnection,
    run: RunId,
    *,
    outcome: Outcome,
    code: str,
    tally: Tally,
    notes: Mapping[str, Sequence[str]],
    at: datetime,
) -> RunRecord:
    await connection.execute(
        _OF_RUN,
        {
            "of_run": run,
            "outcome": outcome.value,
            "code": code,
            "counts": asdict(tally),
            "notes": {name: list(values) for name, values in notes.items()},
            "finished_at": at,
            "heartbeat_at": at,
        },
    )
    return record((await connection.execute(_SELECT, {"of_run": run})).mappings().one())


def record(row: RowMapping) -> RunRecord:
    return RunRecord(
        id=RunId(row[_r.id]),
        user=UserId(row[_r.user_id]),
        reasons=tuple(row[_r.reasons]),
        scope=Scope(row[_r.scope]),
        started_at=row[_r.started_at],
        finished_at=row[_r.finished_at],
        outcome=None if row[_r.outcome] is None else Outcome(row[_r.outcome]),
        code=row[_r.code],
        tally=Tally(**row[_r.counts]),
        notes={name: tuple(values) for name, values in row[_r.notes].items()},
    )


async def latest(connection: AsyncConnection, user: UserId, limit: int) -> list[RunRecord]:
    """Newest first, without those that only looked."""
    query = (
        select(sync_runs)
        .where(_r.user_id == user, _r.dry.is_(False))
        .order_by(_r.started_at.desc(), _r.id.desc())
        .limit(limit)
    )
    return [record(row) for row in (await connection.execute(query)).mappings()]


async def save_results(connection: AsyncConnection, run: RunId, results: Sequence[ProductResult]) -> None:
    if not results:
        return
    rows: list[dict[str, Any]] = [
        {
            "run_id": run,
            "product_id": one.product,
            "result": one.result.value,
            "why": one.why,
            "code": one.code,
            "fields": {name: list(pair) for name, pair in one.fields.items()},
        }
        for one in results
    ]
    await connection.execute(insert(run_items), rows)
