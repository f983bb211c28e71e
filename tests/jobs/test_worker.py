import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from arq.connections import ArqRedis
from redis.exceptions import RedisError

from evosync.domain.ids import UserId
from evosync.domain.mirror import Scope
from evosync.jobs import tasks, worker
from evosync.jobs.roster import Roster
from evosync.jobs.worker import Jobs, check, working
from evosync.queue import Queue, close_redis, open_redis
from evosync.sync.mailbox import ROUTINE, Mailbox, Message
from evosync.sync.ports import Due
from evosync.sync.supervisor import Supervisor
from tests import services

ANNA, BORIS, VERA = (UserId(number) for number in (1, 2, 3))
NOW = datetime(2126, 5, 1, 12, tzinfo=UTC)
"""Far from the queue's own time: a job made for then would never run."""


@dataclass
class Wishes:
    """What the database would say: who is due, and what is wanted of whom."""

    users: dict[UserId, Message] = field(default_factory=dict)
    later: list[tuple[UserId, datetime]] = field(default_factory=list)
    fails: bool = False
    forgets: bool = False
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    answer: asyncio.Event | None = None

    async def due(self, now: datetime, limit: int) -> Sequence[UserId]:
        assert now == NOW
        if self.forgets:
            raise ConnectionError("the database is away")
        return list(self.users)[:limit]

    async def coming(self, now: datetime, until: datetime, limit: int) -> Sequence[tuple[UserId, datetime]]:
        assert until == now + timedelta(seconds=10)
        return self.later[:limit]

    async def want(self, user: UserId, *, scope: Scope, reason: str, at: datetime) -> None:
        self.users[user] = Message(scope, frozenset({reason}))

    async def wanted(self, users: Sequence[UserId]) -> Mapping[UserId, Message]:
        self.asked.set()
        if self.answer is not None:
            await self.answer.wait()
        if self.fails:
            raise ConnectionError("the database is away")
        return {user: self.users[user] for user in users if user in self.users}


@dataclass
class House:
    """A worker process in small: the queue, the wishes, and a supervisor whose runs only report."""

    queue: Queue
    url: str
    wishes: Wishes = field(default_factory=Wishes)
    ran: "asyncio.Queue[tuple[UserId, Message]]" = field(default_factory=asyncio.Queue)
    hold: asyncio.Event | None = None
    supervisor: Supervisor = field(init=False)

    def __post_init__(self) -> None:
        self.supervisor = Supervisor(self.run, crashed=self.crashed)

    async def run(self, user: UserId, message: Message, stopping: asyncio.Event, mailbox: Mailbox) -> None:
        self.ran.put_nowait((user, message))
        if self.hold is not None:
            await self.hold.wait()

    async def crashed(self, user: UserId, error: Exception) -> None:
        raise AssertionError(user) from error

    async def next_run(self) -> tuple[UserId, Message]:
        async with asyncio.timeout(30):
            return await self.ran.get()

    @property
    def context(self) -> tasks.Context:
        due: Due = self.wishes
        return tasks.Context(self.supervisor, self.queue, due, self.wishes.wanted, lambda: NOW, batch=2)

    def jobs(self, *, alone: bool = False) -> Jobs:
        return Jobs(lambda: open_redis(self.url), self.context, alone=alone, first_wait=0.05, longest_wait=0.2)


@pytest.fixture
async def house(redis: ArqRedis, redis_url: str) -> AsyncIterator[House]:
    house = House(Queue(redis), redis_url)
    yield house
    if house.hold is not None:
        house.hold.set()
    await house.supervisor.stop(5)


async def nudged(queue: Queue, user: UserId) -> None:
    """Until the queue takes the nudge: the delivery of the one before may be at its very end."""
    async with asyncio.timeout(20):
        while not await queue.nudge(user):
            await asyncio.sleep(0.01)


async def working_already(queue: Queue) -> None:
    async with asyncio.timeout(30):
        while not await check(queue):
            await asyncio.sleep(0.01)


def ctx(house: House) -> dict[object, object]:
    return {tasks.CONTEXT: house.context}


async def test_a_nudge_reaches_the_users_actor_with_what_is_wanted(house: House) -> None:
    await house.wishes.want(ANNA, scope=Scope.FULL, reason="button", at=NOW)
    async with working(house.jobs()):
        await house.queue.nudge(ANNA)
        assert await house.next_run() == (ANNA, Message(Scope.FULL, frozenset({"button"})))


async def test_a_nudge_during_the_run_is_not_swallowed(house: House) -> None:
    house.hold = asyncio.Event()
    await house.wishes.want(ANNA, scope=Scope.FULL, reason="button", at=NOW)
    async with working(house.jobs()):
        await house.queue.nudge(ANNA)
        await house.next_run()
        await house.wishes.want(ANNA, scope=Scope.DELTA, reason="toggle", at=NOW)
        house.wishes.asked.clear()
        await nudged(house.queue, ANNA)
        await house.wishes.asked.wait()
        house.hold.set()
        assert await house.next_run() == (ANNA, Message(Scope.DELTA, frozenset({"toggle"})))


async def test_a_nudge_for_a_user_of_whom_nothing_is_wanted_starts_no_actor(house: House) -> None:
    await tasks.deliver(ctx(house), VERA)
    assert house.supervisor.states() == ()


async def test_a_failed_delivery_does_not_block_the_next(house: House) -> None:
    await house.wishes.want(ANNA, scope=Scope.FULL, reason="button", at=NOW)
    house.wishes.fails = True
    async with working(house.jobs()):
        await house.queue.nudge(ANNA)
        await house.wishes.asked.wait()
        house.wishes.fails = False
        await nudged(house.queue, ANNA)
        assert (await house.next_run())[0] == ANNA


async def test_a_tick_nudges_who_is_due_a_batch_at_a_time(house: House) -> None:
    for user in (ANNA, BORIS, VERA):
        await house.wishes.want(user, scope=Scope.DELTA, reason=ROUTINE, at=NOW)
    assert await tasks.tick(ctx(house)) == 2
    assert await house.queue.depth() == 2
    assert await tasks.tick(ctx(house)) == 0


async def test_a_tick_nudges_as_many_more_as_there_are_workers(house: House) -> None:
    for user in (ANNA, BORIS, VERA):
        await house.wishes.want(user, scope=Scope.DELTA, reason=ROUTINE, at=NOW)

    async def crew() -> int:
        return 2

    assert await tasks.tick({tasks.CONTEXT: replace(house.context, crew=crew)}) == 3


async def test_a_tick_nudges_though_lines_of_the_roster_are_not_understood(house: House, redis: ArqRedis) -> None:
    await house.wishes.want(ANNA, scope=Scope.DELTA, reason=ROUTINE, at=NOW)
    roster = Roster(redis, house.queue, lambda: NOW)
    await redis.hset("evosync:workers", mapping={"newer": '{"name": "newer", "new": 1}', "other": "nonsense"})  # type: ignore[misc]  # typed as both kinds of client
    assert await tasks.tick({tasks.CONTEXT: replace(house.context, crew=roster.crew)}) == 1


async def test_a_crew_that_cannot_be_counted_is_one(house: House, caplog: pytest.LogCaptureFixture) -> None:
    for user in (ANNA, BORIS, VERA):
        await house.wishes.want(user, scope=Scope.DELTA, reason=ROUTINE, at=NOW)

    async def crew() -> int:
        raise RuntimeError("nobody knows")

    assert await tasks.tick({tasks.CONTEXT: replace(house.context, crew=crew)}) == 2
    assert "the crew is not known" in caplog.text


@pytest.mark.parametrize("fails", [False, True])
async def test_a_tick_that_fails_does_not_beat(house: House, *, fails: bool) -> None:
    beats: list[datetime] = []

    async def beat(at: datetime) -> None:
        beats.append(at)

    house.wishes.forgets = fails
    with pytest.raises(ConnectionError) if fails else nullcontext():
        await tasks.tick({tasks.CONTEXT: replace(house.context, beat=beat)})
    assert beats == ([] if fails else [NOW])


async def test_a_tick_for_many_takes_few_jobs_and_reaches_all(house: House) -> None:
    many = [UserId(number) for number in range(1, 201)]
    for user in many:
        await house.wishes.want(user, scope=Scope.DELTA, reason=ROUTINE, at=NOW)
    assert await tasks.tick({tasks.CONTEXT: replace(house.context, batch=200)}) <= 16
    async with working(house.jobs()):
        found: set[UserId] = set()
        while len(found) < len(many):  # a real tick may come, which names some once more
            found.add((await house.next_run())[0])


async def test_a_tick_nudges_who_comes_before_the_next_at_his_time(house: House, redis: ArqRedis) -> None:
    await house.wishes.want(ANNA, scope=Scope.DELTA, reason=ROUTINE, at=NOW)
    soon = NOW + timedelta(seconds=7)
    house.wishes.later = [(BORIS, soon), (VERA, soon)]
    assert await tasks.tick(ctx(house)) == 2, "more than the batch"
    (anna, at), (boris, later) = await redis.zrange("arq:queue", 0, -1, withscores=True)
    assert (anna, boris) == (b"nudge:1", b"nudge:2")
    assert at <= datetime.now(UTC).timestamp() * 1000
    assert later - at == 7_000


async def test_ticks_come_every_ten_seconds() -> None:
    tick, _ = worker.cron_jobs()
    times = []
    at = NOW
    for _ in range(7):
        tick.calculate_next(at)
        assert tick.next_run is not None
        at = tick.next_run
        times.append((at - NOW).total_seconds())
    assert times == [10, 20, 30, 40, 50, 60, 70]


async def test_two_workers_make_one_tick(house: House, redis: ArqRedis) -> None:
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=5)
    for _ in range(2):
        pool = open_redis(house.url)
        one = worker.build(pool, house.context)
        one.cron_jobs[0].next_run = at
        await one.run_cron(at, 0.5)
        await close_redis(pool)
    assert await house.queue.depth() == 1


async def test_jobs_flow_again_after_redis_was_killed(private_redis: services.RedisServer) -> None:
    redis = open_redis(private_redis.url)
    house = House(Queue(redis), private_redis.url)
    await house.wishes.want(ANNA, scope=Scope.FULL, reason="button", at=NOW)
    async with working(house.jobs(alone=True)):
        await house.queue.nudge(ANNA)
        await house.next_run()
        private_redis.server.kill()
        assert not await house.queue.nudge(ANNA)
        private_redis.server.start()
        await nudged(house.queue, ANNA)
        assert (await house.next_run())[0] == ANNA
    await house.supervisor.stop(5)
    await close_redis(redis)


async def test_a_worker_whose_line_went_dead_in_silence_is_begun_anew_when_told(house: House) -> None:
    """A firewall forgot the connection: nothing comes, and nothing says so."""
    async with deaf_line(house.url) as (url, go_deaf):
        jobs = replace(house, url=url).jobs()
        async with working(jobs):
            await working_already(house.queue)
            go_deaf()
            await house.wishes.want(ANNA, scope=Scope.FULL, reason="button", at=NOW)
            await nudged(house.queue, ANNA)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await house.ran.get()
            jobs.renew()
            assert (await house.next_run())[0] == ANNA


@asynccontextmanager
async def deaf_line(url: str) -> AsyncIterator[tuple[str, Callable[[], None]]]:
    """A way to Redis whose present connections can be made to swallow all; new ones work."""
    port = int(url.rpartition(":")[2].partition("/")[0])
    swallowing: set[int] = set()
    passing: list[tuple[asyncio.Task[None], asyncio.StreamWriter]] = []
    begun = 0

    async def pass_on(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while part := await reader.read(65536):
                if number not in swallowing:
                    writer.write(part)
            writer.close()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal begun
        begun += 1
        behind, to_behind = await asyncio.open_connection("127.0.0.1", port)
        for one, other in ((reader, to_behind), (behind, writer)):
            passing.append((asyncio.create_task(pass_on(begun, one, other)), other))

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", lambda: swallowing.update(range(begun + 1))
    finally:
        server.close()
        for task, writer in passing:
            task.cancel()
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        await asyncio.gather(*(task for task, _ in passing), return_exceptions=True)


async def test_stopping_while_redis_is_away_is_quick(private_redis: services.RedisServer) -> None:
    redis = open_redis(private_redis.url)
    house = House(Queue(redis), private_redis.url)
    async with asyncio.timeout(10), working(house.jobs()):
        await working_already(house.queue)
        private_redis.server.kill()
        with pytest.raises((RedisError, OSError)):
            await check(house.queue)
    await close_redis(redis)


async def test_stopping_finishes_the_job_in_hand(house: House) -> None:
    house.wishes.answer = asyncio.Event()
    await house.wishes.want(ANNA, scope=Scope.FULL, reason="button", at=NOW)
    jobs = house.jobs()
    task = asyncio.create_task(jobs.run())
    await house.queue.nudge(ANNA)
    await house.wishes.asked.wait()
    jobs.stop()
    for _ in range(20):  # it has taken notice, and waits
        await asyncio.sleep(0)
    assert not task.done()
    house.wishes.answer.set()
    await task
    assert (await house.next_run())[0] == ANNA
    assert await house.queue.nudge(ANNA), "the finished job still holds its id"


async def test_a_stopped_worker_takes_no_more_jobs(house: House) -> None:
    await house.wishes.want(ANNA, scope=Scope.FULL, reason="button", at=NOW)
    async with working(house.jobs()):
        await asyncio.sleep(0)
    assert await house.queue.nudge(ANNA)
    assert not await house.queue.nudge(ANNA), "somebody took it"
    assert house.ran.empty()


async def test_a_living_worker_says_so_and_a_stopped_one_does_not(house: House) -> None:
    assert not await check(house.queue)
    async with working(house.jobs()):
        await working_already(house.queue)
    assert not await check(house.queue)


@pytest.mark.parametrize("alone", [True, False])
async def test_a_lone_worker_takes_up_at_once_what_a_killed_one_had_in_hand(
    house: House, redis: ArqRedis, *, alone: bool
) -> None:
    await house.wishes.want(ANNA, scope=Scope.FULL, reason="button", at=NOW)
    await house.wishes.want(BORIS, scope=Scope.FULL, reason="button", at=NOW)
    await house.queue.nudge(ANNA)
    await redis.set(f"arq:in-progress:nudge:{ANNA}", b"1", ex=20)
    async with working(house.jobs(alone=alone)):
        if alone:
            assert (await house.next_run())[0] == ANNA
        else:
            await house.queue.nudge(BORIS)
            assert (await house.next_run())[0] == BORIS
            assert house.ran.empty()
