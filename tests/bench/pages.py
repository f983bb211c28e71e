"""Server time of the product list of a shop with 15,000 products, on MariaDB.

`python -m tests.bench.pages mysql+aiomysql://user@host/empty_database [--products N] [--times N]`. The database must
be empty and is left filled. Prints the 50th and 95th percentile of each page in milliseconds, as one JSON object.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from statistics import quantiles
from typing import Any

import orjson
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from fakeredis import FakeAsyncRedis

from evosync import resources
from evosync.db import accounts, choices, tills
from evosync.db.engine import Database, make_engine
from evosync.db.migrate import upgrade
from evosync.domain.catalog import Group, Product, Store
from evosync.domain.ids import CommunityId, GroupId, ProductId, StoreId, UserId
from evosync.domain.mirror import TillChanges
from evosync.domain.status import Standing, Status
from evosync.security.passwords import Passwords
from evosync.security.seal import Sealer
from evosync.web.app import make_site
from evosync.web.services import Services, ShopFound, Site, TillFound

STORE = StoreId("20240115-7A3C-40D1-80B2-5C0F1E2A9B31")
LIST = f"/catalog/stores/{STORE}/products"
PAGES = {
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


async def fill(database: Database, products: int, *, password: str) -> None:
    """One owner with one store. Names are random, but the same each time."""
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


class Watch:
    """The time from the request's arrival to the answer in hand, as the outermost middleware sees it."""

    def __init__(self) -> None:
        self.last = 0.0

    def middleware(self) -> Any:
        @web.middleware
        async def measure(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            began = time.perf_counter()
            try:
                return await handler(request)
            finally:
                self.last = (time.perf_counter() - began) * 1000

        return measure


@asynccontextmanager
async def opened(url: str, products: int, watch: Watch) -> AsyncIterator[TestClient[Any, Any]]:
    """A signed-in owner before the filled site."""
    await upgrade(url)
    database = Database(make_engine(url))
    async with Passwords(rounds=4) as passwords:
        await fill(database, products, password=await passwords.hash("bench-bench-1"))
        services = Services(
            site=Site("http://localhost", (b"k" * 32,), resources.templates(), resources.static()),
            database=database,
            redis=FakeAsyncRedis(),
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


async def measure(url: str, *, products: int, times: int) -> dict[str, dict[str, float]]:
    watch = Watch()
    found: dict[str, dict[str, float]] = {}
    async with opened(url, products, watch) as client:
        for name, path in PAGES.items():
            taken = []
            for turn in range(times + 3):
                reply = await client.get(path)
                await reply.read()
                assert reply.status == 200, (name, reply.status)
                if turn >= 3:  # the first ones fill pools and caches
                    taken.append(watch.last)
            cuts = quantiles(taken, n=20)
            found[name] = {"p50": round(cuts[9], 1), "p95": round(cuts[18], 1)}
    return found


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--products", type=int, default=15_000)
    parser.add_argument("--times", type=int, default=40)
    options = parser.parse_args()
    found = asyncio.run(measure(options.url, products=options.products, times=options.times))
    sys.stdout.write(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode() + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
