"""Workers say that they are there."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from fakeredis import FakeAsyncRedis, FakeServer

from evosync.domain.ids import UserId
from evosync.jobs.roster import Roster, on_the_roster
from evosync.sync.actor import Phase
from evosync.sync.supervisor import ActorState
from evosync.sync.workers import WorkerSeen

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
KEY = "evosync:workers"


@dataclass(slots=True)
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


class Backlog:
    async def depth(self) -> int:
        return 3


@pytest.fixture
async def redis() -> AsyncIterator[FakeAsyncRedis]:
    redis = FakeAsyncRedis()
    yield redis
    await redis.aclose()


def states() -> tuple[ActorState, ...]:
    return tuple(
        ActorState(UserId(number), phase, NOW, None, None)
        for number, phase in enumerate((Phase.RUNNING, Phase.LONG, Phase.WAITING))
    )


async def seen(roster: Roster) -> None:
    """Until somebody signed."""
    async with asyncio.timeout(30):
        while not await roster.workers():
            await asyncio.sleep(0)


async def test_a_worker_is_seen_while_it_works_and_has_stopped_afterwards(redis: FakeAsyncRedis) -> None:
    clock = Clock()
    roster = Roster(redis, Backlog(), clock)
    async with on_the_roster(roster, states=states, most=10, name="w-1"):
        await seen(roster)
        (worker,) = await roster.workers()
        assert (worker.name, worker.busy, worker.waiting, worker.most) == ("w-1", 2, 1, 10)
        assert (worker.seen_at, worker.started_at, worker.stopped_at) == (NOW, NOW, None)
        assert worker.memory > 1_000_000
        clock.now += timedelta(minutes=5)
    (worker,) = await roster.workers()
    assert (worker.stopped_at, worker.busy) == (NOW + timedelta(minutes=5), 0)


async def test_each_worker_has_its_own_line_until_it_was_silent_for_a_day(redis: FakeAsyncRedis) -> None:
    clock = Clock()
    roster = Roster(redis, Backlog(), clock)
    for name in ("w-2", "w-1"):
        async with on_the_roster(roster, states=states, most=1, name=name):
            pass
        clock.now += timedelta(hours=13)
    assert [worker.name for worker in await roster.workers()] == ["w-1"]
    clock.now = NOW
    assert [worker.name for worker in await roster.workers()] == ["w-1"], "gone for good"


async def test_a_line_of_another_release_is_read_and_one_that_makes_no_sense_left_out(redis: FakeAsyncRedis) -> None:
    roster = Roster(redis, Backlog(), Clock())
    await roster.sign(WorkerSeen("here", NOW, NOW))
    line = {"name": "newer", "seen_at": NOW, "started_at": NOW, "stopped_at": None, "busy": 2, "new": 1}
    older = {"name": "older", "seen_at": NOW, "started_at": NOW}
    nameless = {"name": "x", "new": 1}
    nonsense = (b"", b"\xff", b"7", b"[]", b"null", orjson.dumps(nameless), orjson.dumps(line | {"seen_at": None}))
    lines = {"newer": orjson.dumps(line), "older": orjson.dumps(older)}
    lines |= {f"nonsense {number}": each for number, each in enumerate(nonsense)}
    await redis.hset(KEY, mapping=lines)  # type: ignore[misc]  # typed as both kinds of client
    assert [(each.name, each.busy) for each in await roster.workers()] == [("here", 0), ("newer", 2), ("older", 0)]
    assert await roster.crew() == 3


async def test_a_worker_goes_on_without_redis(caplog: pytest.LogCaptureFixture) -> None:
    server = FakeServer()
    server.connected = False
    redis = FakeAsyncRedis(server=server)
    async with on_the_roster(Roster(redis, Backlog(), Clock()), states=states, most=1):
        pass
    assert "roster not signed" in caplog.text


async def test_it_knows_how_many_jobs_wait(redis: FakeAsyncRedis) -> None:
    assert await Roster(redis, Backlog(), Clock()).depth() == 3


async def test_the_crew_are_those_who_work_now_and_never_nobody(redis: FakeAsyncRedis) -> None:
    clock = Clock()
    roster = Roster(redis, Backlog(), clock)
    assert await roster.crew() == 1
    for name, ago, stopped in (("here", 10, False), ("there", 30, False), ("silent", 120, False), ("home", 5, True)):
        at = NOW - timedelta(seconds=ago)
        await roster.sign(WorkerSeen(name, at, NOW, stopped_at=at if stopped else None))
    assert await roster.crew() == 2
