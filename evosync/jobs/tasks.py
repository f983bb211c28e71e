"""What arq runs: milliseconds each. A mirror run is never a job, or a change made meanwhile would be lost."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

from evosync.domain.ids import UserId
from evosync.queue import Queue
from evosync.sync.mailbox import Message
from evosync.sync.ports import Clock, Due
from evosync.sync.supervisor import Supervisor

CONTEXT = "evosync"

Wanted = Callable[[UserId], Awaitable[Message | None]]
"""What the database says is wanted of a user now; None if nothing is, or if he is not to be mirrored.

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
    context = _context(ctx)
    message = await context.wanted(UserId(user))
    if message is not None:
        context.supervisor.tell(UserId(user), replace(message, origin=request_id))


async def tick(ctx: dict[Any, Any]) -> int:
    """Who is due? Nudge each; returns how many. Those whose nudge is on its way are nudged once."""
    context = _context(ctx)
    await context.beat(context.clock())
    users = await context.due.due(context.clock(), context.batch * await context.crew())
    return await context.queue.nudge_all(users)


async def letters(ctx: dict[Any, Any]) -> None:
    """Something waits in the outbox. Sending it may take longer than a job should."""
    _context(ctx).wake_postman()


async def sweep(ctx: dict[Any, Any]) -> None:
    """An hour has passed."""
    _context(ctx).wake_sweeper()


def _context(ctx: dict[Any, Any]) -> Context:
    return cast("Context", ctx[CONTEXT])
