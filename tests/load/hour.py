"""An hour's schedule of many owners, squeezed, while people look at pages."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

import orjson
from sqlalchemy import func, select

from evosync.db.engine import Database, make_engine
from evosync.db.tables import sync_runs
from evosync.domain.ids import UserId
from evosync.domain.schedule import Rhythm, spread
from evosync.security.passwords import Passwords
from evosync.security.seal import Sealer
from tests.bench.children import child
from tests.bench.figures import most_in_a_second
from tests.bench.service import yardstick
from tests.load.clouds import CrowdedClouds, crowded_clouds
from tests.load.layout import STEADY, Layout, Past, email
from tests.load.machine import KEY, Servers, Watch, answers, evosync, servers, settings
from tests.load.visitors import Visitors
from tests.services import free_port

PASSWORD = "load-load-load-1"
_PEOPLE = 10
_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Plan:
    """`squeeze`: how many times faster than in life owners come due. `past`: the runs behind each."""

    owners: int
    products: int
    minutes: float
    squeeze: int
    webs: int = 2
    workers: int = 2
    pages_per_second: float = 5.0
    changing: float = 0.05
    past: Past = STEADY

    @property
    def rhythm(self) -> Rhythm:
        return Rhythm(full=timedelta(seconds=_HOUR / self.squeeze), delta=timedelta(seconds=300 / self.squeeze))


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything laid out, and no process of the service yet."""

    servers: Servers
    clouds: CrowdedClouds
    database: Database
    layout: Layout
    users: Sequence[UserId]
    folder: Path
    checked: dict[str, Any]
    laying: float
    """Seconds that it took to copy the owners."""

    @property
    def other_processes(self) -> dict[str, list[int]]:
        servers = {name: [number] for name, number in self.servers.processes.items()}
        return {**servers, "clouds": [self.clouds.process.pid]}


@asynccontextmanager
async def laid_out(plan: Plan) -> AsyncIterator[Stage]:
    """One owner mirrored by the service, all others copied from him; then a copy is run once, to see that it is one."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="evosync-load-data-")))
        kept = stack.enter_context(servers())
        clouds = await stack.enter_async_context(crowded_clouds(plan.products))
        await clouds.fast()
        spec = orjson.dumps(
            {
                "data_dir": str(folder), "database_url": kept.database_url, "redis_url": kept.redis_url,
                "secret_key": KEY, "vk_requests_per_second": 1_000, **clouds.urls,
            }
        ).decode()  # fmt: skip
        async with child("tests.bench.service", spec) as service:
            pattern = (await service.ask(do="owners", owners=clouds.owners))["users"][0]
            for _ in range(2):
                await service.ask(do="all", count=1, wish=[pattern])
        await clouds.process.ask(do="crowd", owners=plan.owners)
        database = Database(make_engine(kept.database_url))
        stack.push_async_callback(database.close)
        layout = Layout(database, Sealer([KEY]), UserId(pattern), datetime.now(UTC))
        async with Passwords(rounds=4) as passwords:
            hashed = await passwords.hash(PASSWORD)
        began = time.monotonic()
        users = await layout.crowd(plan.owners, password=hashed, past=plan.past)
        laying = time.monotonic() - began
        async with child("tests.bench.service", spec) as service:
            checked = await service.ask(do="run", user=users[-1])
        yield Stage(kept, clouds, database, layout, users, folder, checked, laying)


async def hour(stage: Stage, plan: Plan, owners: int, *, minutes: float) -> dict[str, Any]:
    """So many of the owners by their schedule, the others at rest."""
    begin = datetime.now(UTC) + timedelta(seconds=12)
    rhythm = plan.rhythm
    await stage.layout.place(stage.users[:owners], stage.users[owners:], rhythm=rhythm, begin=begin)
    await stage.clouds.slow()
    environ = settings(
        stage.servers,
        stage.clouds.urls,
        stage.folder,
        CATALOG_REFRESH_INTERVAL_SECONDS=int(rhythm.full.total_seconds()),
        CATALOG_DELTA_INTERVAL_SECONDS=int(rhythm.delta.total_seconds()),
        CATALOG_DELTA_OVERLAP_SECONDS=int(2 * rhythm.delta.total_seconds()),
    )
    async with AsyncExitStack() as stack:
        urls, webs = [], []
        for _ in range(plan.webs):
            port = free_port()
            urls.append(f"http://127.0.0.1:{port}")
            webs.append(
                await stack.enter_async_context(evosync({**environ, "BASE_URL": urls[-1]}, "web", "--port", str(port)))
            )
        workers = [
            await stack.enter_async_context(evosync(environ, "worker", "--port", "0")) for _ in range(plan.workers)
        ]
        for url in urls:
            await answers(url)
        visitors = Visitors(urls, stage.clouds.owners[0]["store_id"], plan.pages_per_second)
        stop = asyncio.Event()
        people = asyncio.create_task(visitors.come([email(2 + n) for n in range(_PEOPLE)], PASSWORD, stop))
        await asyncio.sleep(max((begin - datetime.now(UTC)).total_seconds(), 0))
        await stage.clouds.forget()
        kinds = {"worker": workers, "web": webs, **stage.other_processes}
        watch = Watch(kinds)
        before, redis_before = stage.servers.status(), await stage.servers.redis_status()
        visitors.took.clear()
        began = datetime.now(UTC)
        async with watch.watching():
            selling = asyncio.create_task(_sell(stage, plan, owners))
            await asyncio.sleep(minutes * 60)
            selling.cancel()
        ended = datetime.now(UTC)
        stop.set()
        await people
        after, redis_after = stage.servers.status(), await stage.servers.redis_status()
        runs = await _runs(stage, began, ended, rhythm)
        arrivals = await stage.clouds.arrivals()
    seconds = watch.seconds
    due = _HOUR / plan.squeeze / rhythm.step.total_seconds()
    uses = watch.uses
    done = runs["ended"]
    cpu = {kind: use.cpu_seconds for kind, use in uses.items()}
    return {
        "owners": owners,
        "seconds": seconds,
        "hour_seconds": _HOUR / plan.squeeze,
        "runs": runs,
        "expected_runs": owners * seconds / rhythm.step.total_seconds(),
        "runs_per_minute": done / seconds * 60,
        "runs_per_minute_and_worker_core": done / (cpu["worker"] / 60) if cpu["worker"] else 0,
        "cores": {kind: used / seconds for kind, used in cpu.items()},
        # of all runs that an hour has, also where the machine did not get to all of them
        "cpu_seconds_per_owner_and_hour": {kind: used / max(done, 1) * due for kind, used in cpu.items()},
        "processes": {kind: use.processes for kind, use in uses.items()},
        "memory_mb": {kind: use.memory for kind, use in uses.items()},
        "redis_memory_mb": redis_after["used_memory"] / 2**20,
        "redis_commands_per_second": (
            redis_after["total_commands_processed"] - redis_before["total_commands_processed"]
        ) / seconds,
        "database": {
            name: (after[key] - before[key]) / seconds
            for name, key in (
                ("queries_per_second", "Questions"), ("commits_per_second", "Com_commit"),
                ("rows_read_per_second", "Rows_read"), ("rows_changed_per_second", "Handler_update"),
                ("log_bytes_per_second", "Innodb_os_log_written"),
            )
        },
        "pages": _pages(visitors),
        "clouds": {
            "requests_per_second": len(arrivals) / seconds,
            "error_6": sum(each["side"] == "vk" and each["outcome"] == 6 for each in arrivals),
            "most_in_a_second_of_any_token": _most(arrivals),
        },
        "share_of_others": watch.others,
        "yardstick_ms": yardstick(),
    }  # fmt: skip


async def _sell(stage: Stage, plan: Plan, owners: int) -> None:
    """In the hour a share of the owners changes three prices each, evenly."""
    changing = max(int(owners * plan.changing), 1)
    pause = _HOUR / plan.squeeze / changing
    for number in range(2, 2 + changing):
        await asyncio.sleep(pause)
        await stage.clouds.process.ask(do="sell", numbers=[number % owners + 1], products=3)


async def _runs(stage: Stage, began: datetime, ended: datetime, rhythm: Rhythm) -> dict[str, Any]:
    c = sync_runs.c
    async with stage.database.reading() as connection:
        rows = (
            await connection.execute(
                select(c.user_id, c.scope, c.outcome, c.started_at, c.finished_at).where(
                    c.finished_at >= began, c.finished_at < ended
                )
            )
        ).all()
        under_way = await connection.scalar(select(func.count()).where(c.finished_at.is_(None)))
    kinds: dict[str, int] = {}
    late, took = [], []
    for user, scope, outcome, started, finished in rows:
        kinds[f"{scope} {outcome}"] = kinds.get(f"{scope} {outcome}", 0) + 1
        place = spread(UserId(user), rhythm.step).total_seconds()
        late.append((started.timestamp() - place) % rhythm.step.total_seconds())
        took.append((finished - started).total_seconds())
    return {
        "ended": len(rows),
        "kinds": kinds,
        "under_way": under_way,
        "late_seconds": _cuts(late),
        "took_seconds": _cuts(took),
    }


def _cuts(values: Sequence[float]) -> dict[str, float]:
    if len(values) < 2:
        return {"p50": 0.0, "p95": 0.0}
    cuts = quantiles(values, n=20)
    return {"p50": round(cuts[9], 3), "p95": round(cuts[18], 3)}


def _pages(visitors: Visitors) -> dict[str, Any]:
    whole = [took for each in visitors.took.values() for took in each]
    return {
        "asked": len(whole),
        "not_200": visitors.wrong,
        "all": _cuts(whole),
        **{name: _cuts(took) for name, took in sorted(visitors.took.items())},
    }


def _most(arrivals: Sequence[dict[str, Any]]) -> int:
    by_token: dict[str, list[float]] = {}
    for each in arrivals:
        if each["side"] == "vk":
            by_token.setdefault(each["token"], []).append(each["at"])
    return max((most_in_a_second(sorted(instants)) for instants in by_token.values()), default=0)
