"""Once an hour: letters that time makes due, keys sealed anew, and old rows taken away.

The cron job only wakes the sweeper, since this may take longer than a job should.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from evosync.db import connections, thinning, till_accounts
from evosync.db.engine import Database
from evosync.security.seal import Sealer

log = logging.getLogger(__name__)

_LIMIT = 10_800.0
"""Seconds for one sweep: three hours, for after weeks without any there may be millions of rows to take away. One that
takes longer hangs; what it did by then is done, as each step commits in small parts, and the next goes on there."""


@dataclass(frozen=True, slots=True)
class Keep:
    """How long things are kept. `runs` of each owner, none older than `runs_for`; those that did nothing go sooner.

    `calls_for` is longer than the three days for which the cloud repeats itself (Evotor FACTS 4.6), `events_for` than
    a subscription that is paid by the year; `tokens_for` is how long an owner may take to open his account.
    """

    runs: int = 1000
    runs_for: timedelta = timedelta(days=180)
    idle_runs_for: timedelta = timedelta(days=2)
    results_for: timedelta = timedelta(days=30)
    audit_for: timedelta = timedelta(days=365)
    letters_for: timedelta = timedelta(days=90)
    calls_for: timedelta = timedelta(days=30)
    events_for: timedelta = timedelta(days=800)
    tokens_for: timedelta = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Sweep:
    """One round. Safe in several processes at once; the cron sees to it that it is one."""

    database: Database
    sealer: Sealer
    look_round: Callable[[], Awaitable[int]]
    keep: Keep
    clock: Callable[[], datetime]

    async def __call__(self) -> dict[str, int]:
        """How much was done of each."""
        now, keep, database = self.clock(), self.keep, self.database
        done = {
            "letters": await self.look_round(),
            "sealed_anew": await self._seal_anew(),
            "idle_runs": await thinning.idle_runs(
                database, before=now - keep.idle_runs_for, since=now - keep.results_for + timedelta(hours=2)
            ),
            "results": await thinning.results(database, before=now - keep.results_for),
            "runs": await thinning.runs(database, before=now - keep.runs_for, keep=keep.runs),
            "audit": await thinning.trail(database, before=now - keep.audit_for),
            "old_letters": await thinning.outbox(database, before=now - keep.letters_for),
            "old_links": await thinning.used_links(database, before=now - keep.letters_for),
            "calls": await thinning.calls(database, before=now - keep.calls_for, events_before=now - keep.events_for),
            "waiting_tokens": await thinning.waiting_tokens(database, before=now - keep.tokens_for),
        }
        if any(done.values()):
            log.info("swept", extra={name: count for name, count in done.items() if count})
        return done

    async def _seal_anew(self) -> int:
        """Until nothing is left under an earlier key that opens."""
        moved = 0
        for seal_anew in (connections.seal_anew, till_accounts.seal_pending_anew):
            while True:
                some = await self.database.write(
                    lambda connection, seal=seal_anew: seal(connection, self.sealer)  # type: ignore[misc]  # bound at once
                )
                if not some:
                    break
                moved += some
        return moved


class Sweeper:
    """Waits to be woken, and sweeps; a sweep that takes longer than `limit` seconds is given up."""

    def __init__(self, sweep: Callable[[], Awaitable[object]], *, limit: float = _LIMIT) -> None:
        self._sweep = sweep
        self._limit = limit
        self._told = asyncio.Event()

    def wake(self) -> None:
        """It is time."""
        self._told.set()

    async def walk(self) -> None:
        """Until cancelled."""
        while True:
            await self._told.wait()
            self._told.clear()
            try:
                async with asyncio.timeout(self._limit):
                    await self._sweep()
            except Exception:  # an hour later the rest is swept
                log.exception("sweep failed")


@asynccontextmanager
async def sweeping(sweeper: Sweeper) -> AsyncIterator[None]:
    """For the application's cleanup contexts."""
    task = asyncio.create_task(sweeper.walk(), name="sweeper")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
