"""`make bench-pages`: server time of an owner's pages on MariaDB; 15,000 products, 1,000 runs in the history.

Starts a MariaDB and a Redis of its own. Each page is asked over a real connection; counted is the time from the
request's arrival to the answer in hand. Prints the 95th percentile of each page, and how long the
processor worked for it, which tells how much others slow the machine down; writes JSON.
"""
# ruff: noqa: T201 - a command prints

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

import orjson
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from redis.asyncio import Redis

from evosync import resources
from evosync.db import accounts, choices, runs, tills
from evosync.db.engine import Database, make_engine
from evosync.db.migrate import upgrade
from evosync.domain.catalog import Group, Product, Store
from evosync.domain.ids import CommunityId, GroupId, ProductId, StoreId, UserId
from evosync.domain.mirror import Outcome, Scope, Tally, TillChanges
from evosync.domain.status import Standing, Status
from evosync.security.passwords import Passwords
from evosync.security.seal import Sealer
from evosync.web.app import make_site
from evosync.web.services import Services, ShopFound, Site, TillFound
from tests import services as servers
from tests.bench.figures import Figure

STORE = StoreId("20240115-7A3C-40D1-80B2-5C0F1E2A9B31")
LIST = f"/catalog/stores/{STORE}/products"
LIST_WITHIN, SYNC_WITHIN = 60.0, 30.0
"""Milliseconds that the 95th percentile may take."""
SYNC = "/sync"
PAGES = {
    "sync": SYNC,
    "runs, last page": "/sync/runs?page=20",
    "first page": LIST,
    "last page": f"{LIST}?page=300",
    "page in the middle": f"{LIST}?page=150",
    "search, few": f"{LIST}?q=1234",
    "search, many": f"{LIST}?q=сыр",
    "search, many, last page": f"{LIST}?q=сыр&page=9999",
    "two words": f"{LIST}?q=свежий+хлеб+77",
    "nothing found": f"{LIST}?q=нигде",
    "group": f"{LIST}?g=g7",
    "group and search": f"{LIST}?g=g7&q=чай",
    "one state": f"{LIST}?state=needs_you",
    "state, group, search, last page": f"{LIST}?state=in_vk&g=g7&q=чай&page=99",
}
_WORDS = (
    *("кофе", "чай", "молоко", "хлеб", "сыр", "ряженка", "зефир", "пряник"),
    *("вафли", "шоколад", "тёмный", "светлый", "большой", "свежий", "домашний"),
)
_GROUPS = 150
_STANDINGS = (Standing.IN_STEP, Standing.ZERO_PRICE, Standing.OFF_GROUP, Standing.WAIT_CHANGE, Standing.IN_STEP_WEIGHT)


class _Nobody:
    async def nudge(self, user: UserId, /) -> None: ...
    async def send_letters(self) -> None: ...


async def _no_till(_token: str, /) -> TillFound:
    return TillFound(())


async def _no_shop(_token: str, _community: CommunityId | str, /) -> ShopFound:
    return ShopFound(())


async def fill(database: Database, *, products: int, history: int, password: str) -> None:
    """One owner with one store, and what his mirror did lately. Names are random, but the same each time."""
    made = random.Random(7)
    now = datetime.now(UTC)
    user = await database.write(
        lambda connection: accounts.create_user(
            connection,
            email="owner@example.com",
            role="user",
            password_hash=password,
            status=accounts.UserStatus.ACTIVE,
            at=now,
        )
    )
    rows = tuple(
        Product(
            ProductId(f"{number:08}-0000-4000-8000-{made.randrange(10**12):012}"),
            STORE,
            " ".join([*made.choices(_WORDS, k=5), str(number)]).capitalize(),
            GroupId(f"g{made.randrange(_GROUPS)}"),
            kopecks=made.randrange(1, 10**6),
            unit="шт",
            description="Описание, каким его пишут на кассе. " * 10,
            code=str(number),
            digest=b"d" * 16,
        )
        for number in range(products)
    )
    groups = tuple(Group(GroupId(f"g{number}"), STORE, f"Отдел {number}") for number in range(_GROUPS))
    for start in range(0, products, 1000):
        changes = TillChanges((Store(STORE, "Магазин"),), (), groups, (), rows[start : start + 1000])
        await database.write(lambda connection, changes=changes: tills.save(connection, user, changes, at=now))  # type: ignore[misc]  # a loop's value
    statuses = {row.id: Status(made.choices(_STANDINGS, weights=(80, 2, 5, 3, 10))[0]) for row in rows}
    await database.write(lambda connection: tills.save_statuses(connection, user, statuses, run=1, at=now))
    await database.write(lambda connection: choices.set_choice(connection, user, on=True))
    await database.write(lambda connection: choices.start_mirror(connection, user, at=now))
    for turn in range(history):
        await _one_run(
            database, user, at=now - timedelta(minutes=5) * (history - turn), changed=made.randrange(-20, 20)
        )


async def _one_run(database: Database, user: UserId, *, at: datetime, changed: int) -> None:
    """A delta, most of which find nothing to do."""
    tally = Tally(products=15_000, unchanged=15_000 - max(changed, 0), updated=max(changed, 0), vk_requests=3)
    run = await database.write(lambda db: runs.start(db, user, scope=Scope.DELTA, reasons=["due"], at=at))
    await database.write(
        lambda db: runs.finish(
            db, run, outcome=Outcome.OK, code="", tally=tally, notes={}, at=at + timedelta(seconds=9)
        )
    )


class Watch:
    """The time from the request's arrival to the answer in hand, as the outermost middleware sees it."""

    def __init__(self) -> None:
        self.last = 0.0
        self.worked = 0.0

    def middleware(self) -> Any:
        @web.middleware
        async def measure(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            began, worked = time.perf_counter(), time.process_time()
            try:
                return await handler(request)
            finally:
                self.last = (time.perf_counter() - began) * 1000
                self.worked += (time.process_time() - worked) * 1000

        return measure


@asynccontextmanager
async def opened(
    url: str, redis: str, watch: Watch, *, products: int, history: int
) -> AsyncIterator[TestClient[Any, Any]]:
    """A signed-in owner before the filled site."""
    await upgrade(url)
    database, memory = Database(make_engine(url)), Redis.from_url(redis)
    async with Passwords(rounds=4) as passwords:
        hashed = await passwords.hash("bench-bench-1")
        await fill(database, products=products, history=history, password=hashed)
        services = Services(
            site=Site("http://localhost", (b"k" * 32,), resources.templates(), resources.static()),
            database=database,
            redis=memory,
            queue=_Nobody(),
            clock=lambda: datetime.now(UTC),
            passwords=passwords,
            sealer=Sealer(["a key that is long enough for tests"]),
            test_till=_no_till,
            test_shop=_no_shop,
        )
        app = make_site(services)
        app.middlewares.insert(0, watch.middleware())
        async with TestClient(TestServer(app)) as client:
            text = await (await client.get("/login")).text()
            token = text.partition('name="csrf_token" value="')[2].partition('"')[0]
            data = {"csrf_token": token, "email": "owner@example.com", "password": "bench-bench-1"}
            reply = await client.post("/login", data=data, allow_redirects=False)
            assert reply.status == 303, reply.status
            yield client
    await database.close()
    await memory.aclose()


def database_work(pid: int) -> float:
    """Milliseconds of processor time that the database has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


async def measure(url: str, redis: str, pid: int, options: argparse.Namespace) -> list[Figure]:
    watch = Watch()
    found = []
    async with opened(url, redis, watch, products=options.products, history=options.runs) as client:
        for name, path in PAGES.items():
            taken: list[float] = []
            before = 0.0
            for turn in range(options.times + 3):
                reply = await client.get(path)
                await reply.read()
                assert reply.status == 200, (name, reply.status)
                if turn >= 3:  # the first ones fill pools and caches
                    taken.append(watch.last)
                elif turn == 2:
                    watch.worked, before = 0.0, database_work(pid)
            cuts = quantiles(taken, n=20)
            within = LIST_WITHIN if path.startswith(LIST) else SYNC_WITHIN
            ours, its = watch.worked / len(taken), (database_work(pid) - before) / len(taken)
            detail = f"half within {cuts[9]:.1f} ms; of the processor {ours:.1f} ms ours, {its:.1f} ms the database's"
            found.append(Figure(name, round(cuts[18], 1), within, detail=detail))
            print(found[-1].described(), flush=True)
    return found


def _pid(mariadb: servers.MariaDB) -> int:
    assert mariadb.server is not None, "a private one: what another one does would be counted too"
    return mariadb.server.pid


def main(arguments: Sequence[str]) -> int:
    """0 when every page is within its bound, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pages", description=__doc__)
    parser.add_argument("--products", type=int, default=15_000)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--times", type=int, default=100, help="how often each page is asked")
    parser.add_argument("--json", type=Path, default=Path("build", "bench-pages.json"))
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="evosync-bench-pages-")))
        mariadb = stack.enter_context(servers.mariadb(folder))
        (folder / "redis").mkdir()
        redis = servers.RedisServer(folder / "redis")
        stack.callback(redis.server.kill)
        found = asyncio.run(measure(stack.enter_context(mariadb.database()), redis.url, _pid(mariadb), options))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    report = [{**asdict(figure), "reached": figure.reached} for figure in found]
    options.json.write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    return 0 if all(figure.reached for figure in found) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
