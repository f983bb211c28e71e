"""Owns the actors: starts one when its user is first spoken of, lets it retire, survives its crash."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from evosync.domain.ids import UserId
from evosync.sync.actor import Actor, Phase, Run
from evosync.sync.lanes import Lanes
from evosync.sync.mailbox import Message
from evosync.sync.ports import Clock

log = logging.getLogger(__name__)

Crashed = Callable[[UserId, Exception], Awaitable[None]]
"""Told of a crash, to set the user's next run further ahead (the back-off lives in the database)."""


@dataclass(frozen=True, slots=True)
class ActorState:
    """One line of the queue page. `message` runs now, `waiting` comes after it; `since` that run or wait goes on."""

    user: UserId
    phase: Phase
    since: datetime
    message: Message | None
    waiting: Message | None


class Supervisor:
    """The only place where actor tasks are made."""

    def __init__(
        self,
        run: Run,
        *,
        crashed: Crashed,
        lanes: Lanes | None = None,
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        self._run = run
        self._crashed = crashed
        self._lanes = lanes or Lanes()
        self._clock = clock
        self._stopping = asyncio.Event()
        self._actors: dict[UserId, Actor] = {}
        self._tasks: dict[UserId, asyncio.Task[None]] = {}

    def tell(self, user: UserId, message: Message) -> bool:
        """Put a message into the user's mailbox; False if it is not taken any more.

        A routine message to a user whose run is under way is dropped: that run does it.
        """
        if self._stopping.is_set():
            return False
        actor = self._actors.get(user)
        if actor is not None and actor.message is not None and message.routine:
            return False
        if actor is None:
            actor = self._actors[user] = Actor(
                user, run=self._run, lanes=self._lanes, stopping=self._stopping, clock=self._clock
            )
            self._tasks[user] = asyncio.create_task(self._watch(actor), name=f"actor-{user}")
        actor.mailbox.put(message)
        return True

    def states(self) -> tuple[ActorState, ...]:
        """A snapshot for the queue page and the metrics, the longest in their phase first."""
        found = (
            ActorState(actor.user, actor.phase, actor.since, actor.message, actor.mailbox.peek())
            for actor in self._actors.values()
        )
        return tuple(sorted(found, key=lambda state: state.since))

    def interrupt(self, user: UserId) -> bool:
        """End a run that hangs; what it left undone is due again once its heart has stood still for a while."""
        task = self._tasks.get(user)
        return task is not None and task.cancel()

    async def stop(self, grace: float) -> None:
        """Take no more messages, ask the runs to finish the action in hand, cancel them after `grace` seconds."""
        self._stopping.set()
        tasks = list(self._tasks.values())
        if not tasks:
            return
        _, slow = await asyncio.wait(tasks, timeout=grace)
        for task in slow:
            task.cancel()
        if slow:
            log.warning("runs cancelled after the grace", extra={"count": len(slow)})
            await asyncio.wait(slow, timeout=grace)

    async def _watch(self, actor: Actor) -> None:
        try:
            await actor.live()
        except Exception as error:  # a crash ends this actor and no other
            log.exception("actor crashed", extra={"user": actor.user})
            await self._report(actor.user, error)
        finally:
            # Nothing is awaited since the mailbox was found empty: no message can have come in between.
            # After a crash one may have; it stands in the database too, where the back-off rules over it.
            del self._actors[actor.user], self._tasks[actor.user]

    async def _report(self, user: UserId, error: Exception) -> None:
        try:
            await self._crashed(user, error)
        except Exception:  # the database may be what crashed the run
            log.exception("crash not recorded", extra={"user": user})
