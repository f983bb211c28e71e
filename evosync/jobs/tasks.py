"""What arq runs: milliseconds each. A mirror run is never a job, or a change made meanwhile would be lost."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

from evosync.domain.ids import UserId
from evosync.queue import Queue
from evosync.sync.mailbox import Message
from evosync.sync.ports import Clock, Due
from evosync.sync.supervisor import Supervisor

log = logging.getLogger(__name__)

CONTEXT = "evosync"

EVERY = timedelta(seconds=10)
"""Between two ticks."""

_JOBS_EACH = 16
"""A tick's jobs for each worker: few, as arq needs a dozen round trips for one, and enough to be shared out evenly."""

Wanted = Callable[[Sequence[UserId]], Awaitable[Mapping[UserId, Message]]]
"""What the database says is wanted of users now; without those of whom nothing is, or who are not to be mirrored.

A user whose time has come, without anybody having asked, is a message with the reason `mailbox.ROUTINE`.
"""


def nobody() -> None:
    """For a worker without an outbox."""


async def unheard(_at: datetime) -> None:
    """For a worker whose ticks nobody watches."""


async def alone() -> int:
    """For a worker that is the only one."""
    return 1


@dataclass(frozen=True, slots=True)
class Context:
    """What the jobs work with.

    `batch`: how many users one tick nudges at most for each of the `crew`, which is about what a worker can run
    until the next; those who wait longest come first, so that nobody is left out.
    """

    supervisor: Supervisor
    queue: Queue
    due: Due
    wanted: Wanted
    clock: Clock
    batch: int = 500
    wake_postman: Callable[[], None] = nobody
    wake_sweeper: Callable[[], None] = nobody
    beat: Callable[[datetime], Awaitable[None]] = unheard
    crew: Callable[[], Awaitable[int]] = alone


async def deliver(ctx: dict[Any, Any], user: int, request_id: str = "") -> None:
    """Hand what is wanted of the user to his actor in this process.

    His run may be going on in another one: then the lease turns this one away, and the other,
    when it ends, finds in the database what came meanwhile. `request_id`: of the page that asked, for the
    run's log.
    """
    await _hand_over(_context(ctx), [UserId(user)], request_id)


async def deliver_all(ctx: dict[Any, Any], users: list[int]) -> None:
    """`deliver` for several whose time has come."""
    await _hand_over(_context(ctx), [UserId(user) for user in users])


async def _hand_over(context: Context, users: Sequence[UserId], request_id: str = "") -> None:
    for user, message in (await context.wanted(users)).items():
        context.supervisor.tell(user, replace(message, origin=request_id))


async def tick(ctx: dict[Any, Any]) -> int:
    """Who is due, and who will be before the next tick? Nudge each at his time; returns by how many jobs.

    All at once they would keep everybody else waiting for seconds, ten seconds apart. It beats at its end: one that
    fails is none, and is seen to be missing.
    """
    context = _context(ctx)
    now = context.clock()
    crew = await _crew(context)
    most = context.batch * crew
    turns = [(user, timedelta()) for user in await context.due.due(now, most)]
    if len(turns) < most:
        coming = await context.due.coming(now, now + EVERY, most - len(turns))
        # How long, not when: the queue has the clock of arq, which is another than ours where ours is set by hand.
        turns += [(user, at - now) for user, at in coming]
    queued = await context.queue.nudge_all(turns, jobs=_JOBS_EACH * crew)
    await context.beat(now)
    return queued


async def _crew(context: Context) -> int:
    try:
        return await context.crew()
    except Exception:  # it only says how much to do at once, and is not worth a tick
        log.warning("the crew is not known, counted as one", exc_info=True)
        return 1


async def letters(ctx: dict[Any, Any]) -> None:
    """Something waits in the outbox. Sending it may take longer than a job should."""
    _context(ctx).wake_postman()


async def sweep(ctx: dict[Any, Any]) -> None:
    """An hour has passed."""
    _context(ctx).wake_sweeper()


def _context(ctx: dict[Any, Any]) -> Context:
    return cast("Context", ctx[CONTEXT])
