"""Takes away what is too old to be of use, in small pieces, so that nobody waits for it."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, true
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


async def runs(database: Database, *, before: datetime, keep: int) -> int:
    """Ended runs from before then, and of each owner all but the newest `keep`. A mirror's last run stays."""
    gone = await _thin(database, sync_runs, and_(_r.finished_at < before, _r.id.not_in(_last_runs())))
    crowded = select(_r.user_id).group_by(_r.user_id).having(func.count() > keep)
    for owner in await database.read(lambda connection: _scalars(connection, crowded)):
        edge = await database.read(
            lambda connection, owner=owner: connection.scalar(  # type: ignore[misc]  # a loop variable bound at once
                select(_r.id).where(_r.user_id == owner).order_by(_r.id.desc()).offset(keep - 1).limit(1)
            )
        )
        if edge is not None:
            older = and_(_r.user_id == owner, _r.id < edge, _r.finished_at.is_not(None), _r.id.not_in(_last_runs()))
            gone += await _thin(database, sync_runs, older)
    return gone


def _last_runs() -> Any:
    return select(mirrors.c.last_run_id).where(mirrors.c.last_run_id.is_not(None))


async def idle_runs(database: Database, *, before: datetime, since: datetime) -> int:
    """Runs that ended well between the two moments and found nothing to do.

    `since` is where results are no longer kept: beyond it all runs look as if they had done nothing.
    """
    nothing = ~select(run_items.c.id).where(run_items.c.run_id == _r.id).exists()
    idle = and_(_r.finished_at < before, _r.finished_at >= since, _r.outcome == Outcome.OK.value, nothing)
    return await _thin(database, sync_runs, and_(idle, _r.id.not_in(_last_runs())))


async def results(database: Database, *, before: datetime) -> int:
    """What runs from before then did to each product; their counts stay with the run."""
    old = select(_r.id).where(_r.finished_at < before)
    return await _thin(database, run_items, run_items.c.run_id.in_(old))


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


async def _thin(database: Database, table: Any, which: ColumnElement[bool], *, key: Any = None) -> int:
    """Finds ids without a lock, then deletes by them: a `DELETE` with a condition would lock all that it looks at.

    Each search goes on where the one before ended: what stays is looked at once in a sweep, not once for each piece.
    """
    gone, key = 0, table.c.id if key is None else key
    rest: ColumnElement[bool] = true()
    for _ in range(PIECES):
        query = select(key).where(which, rest).order_by(key).limit(PIECE)
        ids = await database.read(lambda connection, query=query: _scalars(connection, query))  # type: ignore[misc]  # bound at once
        if not ids:
            break
        await database.write(
            lambda connection, ids=ids: connection.execute(delete(table).where(and_(key.in_(ids), which)))  # type: ignore[misc]  # bound at once
        )
        gone += len(ids)
        rest = key > ids[-1]
    return gone


async def _scalars(connection: AsyncConnection, query: Any) -> list[Any]:
    return list((await connection.execute(query)).scalars())
