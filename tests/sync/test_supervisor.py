import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from evosync.domain.ids import UserId
from evosync.domain.mirror import Scope
from evosync.sync.actor import Phase
from evosync.sync.lanes import Lanes
from evosync.sync.mailbox import ROUTINE, Mailbox, Message
from evosync.sync.supervisor import Supervisor

ANNA, BORIS, VERA, GLEB = (UserId(number) for number in (1, 2, 3, 4))
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
BUTTON = Message(Scope.FULL, frozenset({"button"}))
HINT = Message(Scope.HINT, frozenset({"webhook"}))
TURN = Message(Scope.DELTA, frozenset({ROUTINE}))


async def never(_: float) -> None:
    await asyncio.Event().wait()


class Boom(Exception):
    """A mistake of ours."""


@dataclass
class Runs:
    """A runner whose runs go on until they are told to end, and that remembers them."""

    seen: list[tuple[UserId, Message]] = field(default_factory=list)
    crashes: list[UserId] = field(default_factory=list)
    cancelled: list[UserId] = field(default_factory=list)
    asked_to_stop: list[UserId] = field(default_factory=list)
    boxes: dict[UserId, Mailbox] = field(default_factory=dict)
    deaf: bool = False
    ends: dict[UserId, asyncio.Event] = field(default_factory=dict)
    fail: set[UserId] = field(default_factory=set)
    going: set[UserId] = field(default_factory=set)
    most: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def run(self, user: UserId, message: Message, stopping: asyncio.Event, mailbox: Mailbox) -> None:
        self.seen.append((user, message))
        self.going.add(user)
        self.most = max(self.most, len(self.going))
        self.boxes[user] = mailbox
        await self.tell_all()
        end = asyncio.create_task(self.end_of(user).wait())
        stop = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait([end] if self.deaf else [end, stop], return_when=asyncio.FIRST_COMPLETED)
            if stopping.is_set():
                self.asked_to_stop.append(user)
            if user in self.fail:
                raise Boom
        except asyncio.CancelledError:
            self.cancelled.append(user)
            raise
        finally:
            end.cancel()
            stop.cancel()
            self.end_of(user).clear()
            self.going.discard(user)

    async def crashed(self, user: UserId, error: Exception) -> None:
        assert isinstance(error, Boom)
        self.crashes.append(user)

    def end_of(self, user: UserId) -> asyncio.Event:
        return self.ends.setdefault(user, asyncio.Event())

    async def tell_all(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def until(self, so: Callable[[], bool]) -> None:
        async with self.changed, asyncio.timeout(30):
            await self.changed.wait_for(so)

    async def began(self, times: int) -> None:
        await self.until(lambda: len(self.seen) >= times)


async def retired(supervisor: Supervisor, user: UserId) -> None:
    task = supervisor._tasks.get(user)
    if task is not None:
        async with asyncio.timeout(30):
            await asyncio.wait([task])
    assert all(state.user != user for state in supervisor.states())


def own(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name.startswith("evosync")]


@asynccontextmanager
async def supervised(
    runs: Runs, *, short: int = 8, long: int = 8, sleep: Callable[[float], object] | None = None
) -> AsyncIterator[Supervisor]:
    lanes = Lanes(short=short, long=long, sleep=sleep or never)  # type: ignore[arg-type]  # tests hand in coroutines
    supervisor = Supervisor(runs.run, crashed=runs.crashed, lanes=lanes, clock=lambda: NOW)
    try:
        yield supervisor
    finally:
        runs.deaf = False
        for event in runs.ends.values():
            event.set()
        await supervisor.stop(5)


async def test_a_message_starts_an_actor_that_retires_after_its_run() -> None:
    runs = Runs()
    async with supervised(runs) as supervisor:
        assert supervisor.tell(ANNA, BUTTON)
        await runs.began(1)
        runs.end_of(ANNA).set()
        await retired(supervisor, ANNA)
        assert runs.seen == [(ANNA, BUTTON)]
        assert supervisor.states() == ()


async def test_messages_during_a_run_make_one_more_run() -> None:
    runs = Runs()
    async with supervised(runs) as supervisor:
        supervisor.tell(ANNA, BUTTON)
        await runs.began(1)
        for _ in range(50):
            supervisor.tell(ANNA, HINT)
        runs.end_of(ANNA).set()
        await runs.began(2)
        runs.end_of(ANNA).set()
        await retired(supervisor, ANNA)
        assert runs.seen == [(ANNA, BUTTON), (ANNA, HINT)]


async def test_a_user_is_never_run_twice_at_once() -> None:
    runs = Runs()
    async with supervised(runs) as supervisor:
        for times in range(1, 4):
            supervisor.tell(ANNA, BUTTON)
            supervisor.tell(ANNA, HINT)
            await runs.began(times)
            runs.end_of(ANNA).set()
            await retired(supervisor, ANNA)
        assert runs.most == 1


async def test_messages_before_the_run_begins_merge_into_it() -> None:
    runs = Runs()
    async with supervised(runs) as supervisor:
        supervisor.tell(ANNA, HINT)
        supervisor.tell(ANNA, BUTTON)
        await runs.began(1)
        assert runs.seen == [(ANNA, HINT.merge(BUTTON))]


async def test_a_message_sent_while_retiring_starts_a_new_actor() -> None:
    """Whatever the moment between the end of a run and the actor's: the message is run."""
    for steps in range(12):
        runs = Runs()
        async with supervised(runs) as supervisor:
            supervisor.tell(ANNA, BUTTON)
            await runs.began(1)
            runs.end_of(ANNA).set()
            for _ in range(steps):
                await asyncio.sleep(0)
            supervisor.tell(ANNA, HINT)
            await runs.began(2)
            assert runs.seen[1] == (ANNA, HINT)


async def test_a_running_run_can_take_a_hint_out_of_its_mailbox() -> None:
    runs = Runs()
    async with supervised(runs) as supervisor:
        supervisor.tell(ANNA, BUTTON)
        await runs.began(1)
        supervisor.tell(ANNA, HINT)
        box = runs.boxes[ANNA]
        await box.hint_waiting.wait()
        assert box.take_hint() == HINT
        runs.end_of(ANNA).set()
        await retired(supervisor, ANNA)
        assert len(runs.seen) == 1


async def test_a_routine_message_during_a_run_is_done_by_that_run() -> None:
    runs = Runs()
    async with supervised(runs) as supervisor:
        supervisor.tell(ANNA, BUTTON)
        await runs.began(1)
        assert not supervisor.tell(ANNA, TURN)
        runs.end_of(ANNA).set()
        await retired(supervisor, ANNA)
        assert len(runs.seen) == 1


async def test_users_run_side_by_side() -> None:
    runs = Runs()
    async with supervised(runs) as supervisor:
        for user in (ANNA, BORIS, VERA):
            supervisor.tell(user, BUTTON)
        await runs.began(3)
        assert runs.most == 3


async def test_no_more_runs_go_on_than_there_is_room() -> None:
    runs = Runs()
    async with supervised(runs, short=2) as supervisor:
        for user in (ANNA, BORIS, VERA):
            supervisor.tell(user, BUTTON)
        await runs.began(2)
        assert [state.phase for state in supervisor.states()].count(Phase.WAITING) == 1
        runs.end_of(ANNA).set()
        await runs.began(3)
        assert runs.seen[2][0] == VERA
        assert runs.most == 2


async def test_a_crash_ends_its_own_actor_only_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    runs = Runs(fail={ANNA})
    async with supervised(runs) as supervisor:
        supervisor.tell(ANNA, BUTTON)
        supervisor.tell(BORIS, BUTTON)
        await runs.began(2)
        with caplog.at_level(logging.ERROR):
            runs.end_of(ANNA).set()
            await retired(supervisor, ANNA)
        assert runs.crashes == [ANNA]
        assert [record.exc_info is not None for record in own(caplog)] == [True]
        assert [state.user for state in supervisor.states()] == [BORIS]


async def test_a_user_whose_actor_crashed_can_be_spoken_to_again() -> None:
    runs = Runs(fail={ANNA})
    async with supervised(runs) as supervisor:
        supervisor.tell(ANNA, BUTTON)
        await runs.began(1)
        runs.end_of(ANNA).set()
        await retired(supervisor, ANNA)
        runs.fail.clear()
        assert supervisor.tell(ANNA, HINT)
        await runs.began(2)


async def test_a_crash_frees_its_room() -> None:
    runs = Runs(fail={ANNA})
    async with supervised(runs, short=1) as supervisor:
        supervisor.tell(ANNA, BUTTON)
        supervisor.tell(BORIS, BUTTON)
        await runs.began(1)
        runs.end_of(ANNA).set()
        await runs.began(2)
        assert runs.seen[1][0] == BORIS


async def test_a_crash_that_cannot_be_recorded_is_survived(caplog: pytest.LogCaptureFixture) -> None:
    runs = Runs(fail={ANNA})

    async def database_is_away(_: UserId, __: Exception) -> None:
        raise ConnectionError

    supervisor = Supervisor(runs.run, crashed=database_is_away, lanes=Lanes(sleep=never))
    supervisor.tell(ANNA, BUTTON)
    await runs.began(1)
    runs.end_of(ANNA).set()
    await retired(supervisor, ANNA)
    assert [record.getMessage() for record in own(caplog)] == ["actor crashed", "crash not recorded"]


async def test_a_run_that_goes_on_for_long_makes_way_for_short_ones() -> None:
    runs = Runs()
    hours = asyncio.Event()

    async def sleep(_: float) -> None:
        await hours.wait()

    async with supervised(runs, short=1, long=1, sleep=sleep) as supervisor:
        supervisor.tell(ANNA, BUTTON)
        await runs.began(1)
        supervisor.tell(BORIS, HINT)
        hours.set()
        await runs.began(2)
        hours.clear()
        assert runs.going == {ANNA, BORIS}
        assert {state.user: state.phase for state in supervisor.states()} == {ANNA: Phase.LONG, BORIS: Phase.RUNNING}


async def test_a_full_long_lane_lets_no_more_runs_in_than_agreed() -> None:
    runs = Runs()

    async def sleep(_: float) -> None:
        await asyncio.sleep(0)

    async with supervised(runs, short=1, long=1, sleep=sleep) as supervisor:
        for user in (ANNA, BORIS, VERA, GLEB):
            supervisor.tell(user, BUTTON)
        await runs.began(2)
        for ends in (ANNA, BORIS, VERA, GLEB):
            runs.end_of(ends).set()
            await retired(supervisor, ends)
        assert runs.most == 2
        assert len(runs.seen) == 4


async def test_all_room_is_given_back_after_long_runs() -> None:
    runs = Runs()

    async def sleep(_: float) -> None:
        await asyncio.sleep(0)

    async with supervised(runs, short=1, long=1, sleep=sleep) as supervisor:
        for _ in range(5):
            before = len(runs.seen)
            supervisor.tell(ANNA, BUTTON)
            supervisor.tell(BORIS, BUTTON)
            await runs.began(before + 2)
            runs.end_of(ANNA).set()
            runs.end_of(BORIS).set()
            await retired(supervisor, ANNA)
            await retired(supervisor, BORIS)
        assert supervisor._lanes._short._value == 1
        assert supervisor._lanes._long._value == 1


async def test_stopping_asks_runs_to_finish_and_takes_no_more_messages() -> None:
    runs = Runs()
    async with supervised(runs, short=1) as supervisor:
        supervisor.tell(ANNA, BUTTON)
        supervisor.tell(BORIS, BUTTON)
        await runs.began(1)
        await supervisor.stop(5)
        assert runs.asked_to_stop == [ANNA]
        assert runs.cancelled == []
        assert [user for user, _ in runs.seen] == [ANNA]
        assert not supervisor.tell(VERA, BUTTON)
        assert supervisor.states() == ()


async def test_a_run_that_does_not_finish_within_the_grace_is_cancelled() -> None:
    runs = Runs(deaf=True)
    async with supervised(runs) as supervisor:
        supervisor.tell(ANNA, BUTTON)
        await runs.began(1)
        await supervisor.stop(0)
        assert runs.cancelled == [ANNA]
        assert runs.crashes == []


async def test_stopping_with_nothing_to_do_is_at_once() -> None:
    async with supervised(Runs()) as supervisor:
        await supervisor.stop(0)


async def test_states_tell_what_runs_and_what_waits() -> None:
    runs = Runs()
    async with supervised(runs) as supervisor:
        supervisor.tell(ANNA, BUTTON)
        await runs.began(1)
        supervisor.tell(ANNA, HINT)
        (state,) = supervisor.states()
        assert (state.user, state.phase, state.since, state.message, state.waiting) == (
            ANNA,
            Phase.RUNNING,
            NOW,
            BUTTON,
            HINT,
        )
