"""Takes away what is too old to be of use, in small pieces, so that nobody waits for it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db.deliveries import Kind, State
from evosync.db.engine import Database
from evosync.db.outbox import LetterState
from evosync.db.tables import deliveries, mirrors, pending_tokens, run_items, sync_runs
from evosync.db.tables.site import audit, letters, links
from evosync.domain.mirror import Outcome

PIECE: Final = 500
"""Rows of one transaction."""

PIECES: Final = 4_000
"""Transactions of one kind in one sweep; the next one goes on. A hundred thousand owners leave 1,200,000 runs in an
hour, and fewer taken away than come would let the table grow for ever."""

_r = sync_runs.c


_BY_START: Final = "FORCE INDEX (ix_sync_runs_started_at)"
_BY_OWNER: Final = "FORCE INDEX (ix_sync_runs_user_finished)"
_BY_RUN: Final = "FORCE INDEX (ix_run_items_run_id)"
"""MariaDB, asked for rows in an order and a few of them, likes to read a table from its first row on."""


async def runs(database: Database, *, before: datetime, keep: int) -> int:
    """Ended runs from before then, and of each owner all but the newest `keep`. A mirror's last run stays."""
    old = and_(_r.started_at < before, _r.finished_at < before)
    gone = await _thin_runs(database, old, (_r.started_at, _r.id), _BY_START)
    crowded = select(_r.user_id).group_by(_r.user_id).having(func.count() > keep)
    for owner in await database.read(lambda connection: _scalars(connection, crowded)):
        newest = select(_r.finished_at).where(_r.user_id == owner, _r.finished_at.is_not(None))
        last_kept = newest.order_by(_r.finished_at.desc()).offset(keep - 1).limit(1)
        query = _hinted(last_kept, sync_runs, _BY_OWNER)
        edge = await database.read(lambda connection, query=query: connection.scalar(query))  # type: ignore[misc]  # bound at once
        if edge is not None:
            older = and_(_r.user_id == owner, _r.finished_at < edge)
            gone += await _thin_runs(database, older, (_r.finished_at, _r.id), _BY_OWNER)
    return gone


async def idle_runs(database: Database, *, before: datetime, since: datetime) -> int:
    """Runs that ended well between the two moments and found nothing to do.

    `since` is where results are no longer kept: beyond it all runs look as if they had done nothing.
    """
    late = and_(_r.started_at >= since, _r.finished_at >= since, _r.started_at < before, _r.finished_at < before)
    return await _thin_runs(
        database, and_(late, _r.outcome == Outcome.OK.value), (_r.started_at, _r.id), _BY_START, idle=True
    )


async def _thin_runs(
    database: Database, which: ColumnElement[bool], walk: Sequence[ColumnElement[Any]], hint: str, *, idle: bool = False
) -> int:
    """No mirror's last run; with `idle` none that did something to a product.

    Both are looked up for each run. In the search they are joined, since MariaDB would make a list of all mirrors and
    all results first, for each piece anew.
    """
    m, i = mirrors.c, run_items.c
    is_last = and_(m.user_id == _r.user_id, m.last_run_id == _r.id)
    source = sync_runs.outerjoin(mirrors, is_last)
    alone: ColumnElement[bool] = m.user_id.is_(None)
    still = and_(which, ~select(m.user_id).where(is_last).exists())
    if idle:
        source, alone = source.outerjoin(run_items, i.run_id == _r.id), and_(alone, i.id.is_(None))
        still = and_(still, ~select(i.id).where(i.run_id == _r.id).exists())
    search = _hinted(select(*walk).select_from(source).where(which, alone), sync_runs, hint)
    return await _thin(database, sync_runs, still, walk=walk, search=search)


async def results(database: Database, *, before: datetime) -> int:
    """What runs from before then did to each product; their counts stay with the run."""
    begun = select(_r.id).where(_r.started_at < before).order_by(_r.started_at.desc()).limit(1)
    youngest = await database.read(lambda connection: connection.scalar(begun))
    if youngest is None:
        return 0
    i = run_items.c
    walk = (i.run_id, i.id)
    ended = select(*walk).join_from(run_items, sync_runs, i.run_id == _r.id).where(_r.finished_at < before)
    search = _hinted(ended.where(i.run_id <= youngest), run_items, _BY_RUN)
    old = i.run_id.in_(select(_r.id).where(_r.finished_at < before))
    return await _thin(database, run_items, old, walk=walk, search=search)


async def trail(database: Database, *, before: datetime) -> int:
    """Entries of the audit trail."""
    return await _thin(database, audit, audit.c.at < before)


async def outbox(database: Database, *, before: datetime) -> int:
    """Letters that were sent or given up."""
    return await _thin(
        database, letters, and_(letters.c.created_at < before, letters.c.state != LetterState.WAITING.value)
    )


async def used_links(database: Database, *, before: datetime) -> int:
    """Single-use links that were used or ran out, before then."""
    return await _thin(database, links, or_(links.c.used_at < before, links.c.expires_at < before))


async def calls(database: Database, *, before: datetime, events_before: datetime) -> int:
    """Webhook calls that are done with. Events of installations and subscriptions say what is paid for: they stay."""
    d = deliveries.c
    is_event = d.kind.in_((Kind.INSTALLATION.value, Kind.SUBSCRIPTION.value))
    old = or_(and_(~is_event, d.received_at < before), d.received_at < events_before)
    return await _thin(database, deliveries, and_(old, d.state != State.WAITING.value))


async def waiting_tokens(database: Database, *, before: datetime) -> int:
    """Cloud tokens of tills that no account has asked for since."""
    p = pending_tokens.c
    return await _thin(database, pending_tokens, p.received_at < before, key=p.till_user)


async def _thin(
    database: Database,
    table: Any,
    which: ColumnElement[bool],
    *,
    key: Any = None,
    walk: Sequence[ColumnElement[Any]] = (),
    search: Select[Any] | None = None,
) -> int:
    """Finds ids without a lock, then deletes by them: a `DELETE` with a condition would lock all that it looks at.

    Each search goes on where the one before ended: what stays is looked at once in a sweep, not once for each piece.
    `search` finds the columns `walk`, an index and the key; without it, `key` where `which` holds.
    """
    gone = 0
    walk = walk or (table.c.id if key is None else key,)
    query = (select(*walk).where(which) if search is None else search).order_by(*walk).limit(PIECE)
    key, here = walk[-1], query
    for _ in range(PIECES):
        rows = await database.read(lambda connection, query=here: _rows(connection, query))  # type: ignore[misc]  # bound at once
        if not rows:
            break
        ids = [row[-1] for row in rows]
        done = await database.write(
            lambda connection, ids=ids: connection.execute(delete(table).where(and_(key.in_(ids), which)))  # type: ignore[misc]  # bound at once
        )
        gone += done.rowcount
        here = query.where(*_after(walk, rows[-1]))
    return gone


def _hinted(query: Select[Any], table: Any, hint: str) -> Select[Any]:
    return query.with_hint(table, hint, "mysql").with_hint(table, hint, "mariadb")


def _after(walk: Sequence[ColumnElement[Any]], row: Sequence[Any]) -> list[ColumnElement[bool]]:
    """Behind this row in the order of one or two columns, in words that every planner takes for a range."""
    if len(walk) == 1:
        return [walk[0] > row[0]]
    first, second = walk
    return [first >= row[0], or_(first > row[0], second > row[1])]


async def _rows(connection: AsyncConnection, query: Any) -> list[Any]:
    return list((await connection.execute(query)).all())


async def _scalars(connection: AsyncConnection, query: Any) -> list[Any]:
    return list((await connection.execute(query)).scalars())
