"""From the arrival of a product hook to the edit in VK, with both clouds 300 ms away and VK's rate as it is.

`python -m tests.bench.hints`: the whole service in this process, the clouds in another. Takes about three minutes for
each database.
"""
# ruff: noqa: T201 - a command prints

import argparse
import asyncio
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import func, select

from evosync.app import Core, Parts, open_core, settle, want
from evosync.cli.serve import running
from evosync.db import people, till_accounts
from evosync.db.tables import deliveries, item_links, mirrors, sync_runs
from evosync.domain.ids import UserId
from evosync.domain.links import LinkState
from evosync.domain.mirror import Scope
from evosync.security.passwords import Passwords
from evosync.settings import load_settings
from evosync.sync.till_reading import Patience
from tests import services
from tests.bench.clouds import Clouds, clouds
from tests.bench.figures import Figure
from tests.bench.service import Service
from tests.doors import free_doors

BURST = 1_000
JUST_CHANGED = Patience().hint_overlap.total_seconds() + 5
SECRET = "the-secret-of-the-app"
PASSWORD = "correct horse 1"


@dataclass(slots=True)
class Owner:
    """An owner, and what the cloud shows as him."""

    user: UserId
    seeded: dict[str, Any]
    token: str


class Bench:
    """The cases, on a service that runs."""

    def __init__(
        self, core: Core, sandbox: Clouds, http: aiohttp.ClientSession, url: str, control: str, database: str
    ) -> None:
        self._core = core
        self._sandbox = sandbox
        self._http = http
        self._url = url
        self._control = control
        self._database = database
        self._price = 100
        self.figures: list[Figure] = []

    async def owner(self, seeded: dict[str, Any]) -> Owner:
        """Connected and switched on; nothing is mirrored yet."""
        core = self._core
        made = await Service(core).owners([seeded])
        user = UserId(made["users"][0])

        async def tie(connection: Any) -> str:
            account = await till_accounts.by_user(connection, user)
            assert account is not None
            if not account.till_user:
                await till_accounts.tie(connection, user, seeded["account_id"])
            return await till_accounts.user_token(connection, user, sealer=core.sealer)

        return Owner(user, seeded, await core.database.write(tie))

    async def seed(self, products: int) -> dict[str, Any]:
        async with self._http.post(f"{self._control}/seed", json={"owners": 1, "products": products}) as answer:
            found: list[dict[str, Any]] = await answer.json()
        return found[0]

    async def idle(self, owner: Owner, times: int) -> None:
        taken = []
        for _ in range(times):
            taken.append(await self._edit(owner))
            await self._at_rest(owner)
        self._add("idle: from hook to edit, median, s", statistics.median(taken), 2.0, taken)
        self._add("idle: from hook to edit, 95th percentile, s", _p95(taken), 3.0, taken)

    async def beside(self, owner: Owner, big: Owner, times: int) -> None:
        """While another owner's first run goes on."""
        await want(self._core, big.user, scope=Scope.FULL, reason="bench")
        await self._mirrored(big, 48)
        taken = []
        for _ in range(times):
            taken.append(await self._edit(owner))
            await self._at_rest(owner)
        self._add("beside another's run of new products, worst, s", max(taken), 5.0, taken)
        assert await self._is_running(big), "the other's run was over too soon to measure beside it"

    async def within(self, big: Owner, times: int) -> None:
        """While the same owner's run goes on."""
        taken = [await self._edit(big) for _ in range(times)]
        self._add("within the same owner's run, worst, s", max(taken), 8.0, taken)
        assert await self._is_running(big), "the run was over too soon to measure within it"

    async def burst(self, owner: Owner) -> None:
        before = await self._runs(owner)
        gate = asyncio.Semaphore(50)

        async def one() -> float:
            begun = time.monotonic()
            async with gate:
                await self._hook(owner)
            return time.monotonic() - begun

        taken = await asyncio.gather(*(one() for _ in range(BURST)))
        await self._at_rest(owner)
        runs = await self._runs(owner) - before
        self._add(f"burst of {BURST}: runs", float(runs), 2, [])
        self._add(f"burst of {BURST}: answer, 95th percentile, s", _p95(taken), 5.0, [])

    async def answers(self, owner: Owner, times: int) -> None:
        taken = [await self._hook(owner) for _ in range(times)]
        self._add("answer to a notification, 95th percentile, s", _p95(taken), 0.1, [])

    async def verify(self, owner: Owner, times: int) -> None:
        """The owner types his password in Evotor's cabinet; hashing it is the most of it."""
        async with Passwords() as passwords:
            hashed = await passwords.hash(PASSWORD)
        await self._core.database.write(
            lambda connection: people.change_person(connection, owner.user, password_hash=hashed)
        )
        account = owner.seeded["account_id"]
        body = {"userId": account, "username": f"{account}@example.com", "password": PASSWORD}
        taken = []
        for _ in range(times):
            begun = time.monotonic()
            async with self._http.post(
                f"{self._url}/user/verify", json=body, headers={"Authorization": f"Bearer {SECRET}"}
            ) as answer:
                assert answer.status == 200, await answer.text()
            taken.append(time.monotonic() - begun)
        self._add("answer to verify, worst, s", max(taken), 1.0, taken)

    async def _edit(self, owner: Owner) -> float:
        """Changes a price at the till and calls the hook; seconds until VK gets the edit."""
        product = await self._product(owner)
        self._price += 1
        store = owner.seeded["store_id"]
        change = {"change": {product: {"price": self._price}}}
        account = owner.seeded["account_id"]
        async with self._http.post(f"{self._control}/till/{account}/{store}", json=change) as answer:
            answer.raise_for_status()
        label = (await self._sandbox.counters())["labels"][owner.seeded["vk_token"]]
        seen = len(await self._sandbox.arrivals())
        begun = time.monotonic()
        await self._hook(owner)
        while time.monotonic() - begun < 30:
            async with self._http.get(f"{self._control}/ledger", params={"from": seen}) as answer:
                for each in await answer.json():
                    if each["token"] == label and "market.edit" in (each["method"], *each["inner"]):
                        return float(each["at"] - begun)
            await asyncio.sleep(0.1)
        return 30.0

    async def _at_rest(self, owner: Owner) -> None:
        """Until all that was stored for the owner is done, and his run over."""
        waiting = select(func.count()).select_from(deliveries)
        waiting = waiting.where(deliveries.c.user_id == owner.user, deliveries.c.state == "waiting")
        busy = select(mirrors.c.run_id, mirrors.c.wanted_at).where(mirrors.c.user_id == owner.user)
        async with asyncio.timeout(120):
            while True:
                async with self._core.database.reading() as connection:
                    left = await connection.scalar(waiting)
                    if not left and tuple((await connection.execute(busy)).one()) == (None, None):
                        return
                await asyncio.sleep(0.2)

    async def _hook(self, owner: Owner) -> float:
        begun = time.monotonic()
        async with self._http.post(
            f"{self._url}/inventories/stores/{owner.seeded['store_id']}/products",
            json=[{"uuid": "of-no-importance", "price": 1}],
            headers={"Authorization": f"Bearer {owner.token}"},
        ) as answer:
            assert answer.status == 200, await answer.text()
        return time.monotonic() - begun

    async def _product(self, owner: Owner) -> str:
        """One that stands in VK, another one each time."""
        async with self._core.database.reading() as connection:
            query = select(item_links.c.product_id)
            query = query.where(item_links.c.user_id == owner.user, item_links.c.state == LinkState.LIVE.value)
            rows = (await connection.execute(query.order_by(item_links.c.product_id).limit(200))).scalars().all()
        return str(rows[self._price % len(rows)])

    async def _mirrored(self, owner: Owner, count: int) -> None:
        async with asyncio.timeout(120):
            while True:
                async with self._core.database.reading() as connection:
                    query = select(func.count()).select_from(item_links)
                    query = query.where(item_links.c.user_id == owner.user, item_links.c.state == LinkState.LIVE.value)
                    if int(await connection.scalar(query) or 0) >= count:
                        return
                await asyncio.sleep(0.5)

    async def _is_running(self, owner: Owner) -> bool:
        async with self._core.database.reading() as connection:
            query = select(mirrors.c.run_id).where(mirrors.c.user_id == owner.user)
            return await connection.scalar(query) is not None

    async def _runs(self, owner: Owner) -> int:
        async with self._core.database.reading() as connection:
            query = select(func.count()).select_from(sync_runs).where(sync_runs.c.user_id == owner.user)
            return int(await connection.scalar(query) or 0)

    def _add(self, name: str, value: float, bound: float, taken: Sequence[float]) -> None:
        figure = Figure(name, value, bound, detail=" ".join(f"{each:.2f}" for each in taken))
        print(f"{self._database:<8} {figure.described()}", flush=True)
        self.figures.append(figure)


def _p95(taken: Sequence[float]) -> float:
    return sorted(taken)[max(0, -(-len(taken) * 95 // 100) - 1)]


@contextmanager
def _fresh(database: str) -> Iterator[dict[str, str]]:
    """Settings for a new, empty database; SQLite goes with the embedded Redis."""
    with tempfile.TemporaryDirectory(prefix="evosync-hints-") as name:
        folder = Path(name)
        if database == "sqlite":
            yield {"data_dir": name, "database_url": f"sqlite+aiosqlite:///{folder / 'bench.sqlite3'}"}
            return
        (folder / "redis").mkdir()
        with services.mariadb(folder) as server, server.database() as url:
            redis = services.RedisServer(folder / "redis")
            try:
                yield {"data_dir": name, "database_url": url.partition("?")[0], "redis_url": redis.url}
            finally:
                redis.server.kill()


@asynccontextmanager
async def _service(sandbox: Clouds, where: dict[str, str], **more: Any) -> AsyncIterator[tuple[Core, str]]:
    settings = load_settings(
        {"HOME": where["data_dir"]}, None, base_url="http://localhost:8000", evotor_webhook_secret=SECRET,
        **where, **sandbox.urls,
    )  # fmt: skip
    settings = settings.model_copy(update=more)
    async with open_core(settings) as core, running(core, Parts.ALL, free_doors()) as url:
        settle()
        yield core, url


async def measure(database: str, *, times: int, many: int) -> list[Figure]:
    with _fresh(database) as where:
        async with clouds(owners=1, products=300, catalog=None) as sandbox, aiohttp.ClientSession() as http:
            control = f"http://{sandbox.urls['evotor_api_url'].split('/')[2]}/control"
            await sandbox.fast()
            async with _service(sandbox, where, vk_requests_per_second=1_000) as (core, url):
                bench = Bench(core, sandbox, http, url, control, database)
                small = await bench.owner(sandbox.owners[0])
                await want(core, small.user, scope=Scope.FULL, reason="bench")
                await bench._mirrored(small, 300)
                await bench._at_rest(small)
            await sandbox.slow()
            async with _service(sandbox, where) as (core, url):
                bench = Bench(core, sandbox, http, url, control, database)
                seeded, seeded_at = await bench.seed(many), time.monotonic()
                await asyncio.sleep(3)
                await bench.idle(small, times)
                await bench.answers(small, 100)
                await bench.verify(small, 5)
                await bench._at_rest(small)
                await bench.burst(small)
                # A shop of which something was changed a moment ago, not all of it.
                await asyncio.sleep(max(0.0, JUST_CHANGED - (time.monotonic() - seeded_at)))
                big = await bench.owner(seeded)
                await bench.beside(small, big, times // 2)
                await bench.within(big, times // 2)
                return bench.figures


def main(arguments: Sequence[str]) -> int:
    """0 when every figure is reached, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.hints", description=__doc__)
    parser.add_argument("--database", action="append", choices=("mariadb", "sqlite"), help="default: both")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--many", type=int, default=10_000)
    given = parser.parse_args(arguments)
    figures: list[Figure] = []
    for database in given.database or ("mariadb", "sqlite"):
        figures += asyncio.run(measure(database, times=given.times, many=given.many))
    return 0 if all(each.reached for each in figures) else 1


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    sys.exit(main(sys.argv[1:]))
