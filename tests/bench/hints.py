"""From the arrival of a product hook to the edit in VK, with both clouds 300 ms away and VK's rate as it is.

`python -m tests.bench.hints`: the whole service in this process, the clouds in another. Takes about three minutes.
"""
# ruff: noqa: T201 - a command prints

import argparse
import asyncio
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from sqlalchemy import func, select

from evosync.app import Core, Parts, open_core, settle, want
from evosync.cli.serve import running
from evosync.db import till_accounts
from evosync.db.tables import item_links, sync_runs
from evosync.domain.ids import UserId
from evosync.domain.mirror import Scope
from evosync.settings import load_settings
from tests.bench.clouds import Clouds, clouds
from tests.bench.figures import Figure
from tests.bench.service import Service

BURST = 1_000


@dataclass(slots=True)
class Owner:
    """An owner, and what the cloud shows as him."""

    user: UserId
    seeded: dict[str, Any]
    token: str


class Bench:
    """The cases, on a service that runs."""

    def __init__(self, core: Core, sandbox: Clouds, http: aiohttp.ClientSession, url: str, control: str) -> None:
        self._core = core
        self._sandbox = sandbox
        self._http = http
        self._url = url
        self._control = control
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
        taken = [await self._edit(owner) for _ in range(times)]
        self._add("idle: from hook to edit, median, s", statistics.median(taken), 2.0, taken)
        self._add("idle: from hook to edit, 95th percentile, s", _p95(taken), 3.0, taken)

    async def beside(self, owner: Owner, big: Owner, times: int) -> None:
        """While another owner's first run goes on."""
        await want(self._core, big.user, scope=Scope.FULL, reason="bench")
        await self._mirrored(big, 48)
        taken = [await self._edit(owner) for _ in range(times)]
        self._add("beside another's run of new products, worst, s", max(taken), 5.0, taken)

    async def within(self, big: Owner, times: int) -> None:
        """While the same owner's run goes on."""
        taken = [await self._edit(big) for _ in range(times)]
        self._add("within the same owner's run, worst, s", max(taken), 8.0, taken)

    async def burst(self, owner: Owner) -> None:
        before = await self._runs(owner)
        gate = asyncio.Semaphore(50)

        async def one() -> float:
            begun = time.monotonic()
            async with gate:
                await self._hook(owner)
            return time.monotonic() - begun

        taken = await asyncio.gather(*(one() for _ in range(BURST)))
        await asyncio.sleep(6)
        runs = await self._runs(owner) - before
        self._add(f"burst of {BURST}: runs", float(runs), 2, [])
        self._add(f"burst of {BURST}: answer, 95th percentile, s", _p95(taken), 5.0, [])

    async def answers(self, owner: Owner, times: int) -> None:
        taken = [await self._hook(owner) for _ in range(times)]
        self._add("answer to a notification, 95th percentile, s", _p95(taken), 0.1, [])

    async def _edit(self, owner: Owner) -> float:
        """Changes a price at the till and calls the hook; seconds until VK gets the edit."""
        product = await self._product(owner)
        self._price += 1
        store = owner.seeded["store_id"]
        change = {"change": {product: {"price": self._price}}}
        account = owner.seeded["account_id"]
        async with self._http.post(f"{self._control}/till/{account}/{store}", json=change) as answer:
            answer.raise_for_status()
        seen = len(await self._sandbox.arrivals())
        begun = time.monotonic()
        await self._hook(owner)
        while time.monotonic() - begun < 30:
            async with self._http.get(f"{self._control}/ledger", params={"from": seen}) as answer:
                for each in await answer.json():
                    mine = each["token"] == owner.seeded["vk_token"]
                    if mine and "market.edit" in (each["method"], *each["inner"]):
                        await self._at_rest(owner)
                        return float(each["at"] - begun)
            await asyncio.sleep(0.1)
        return 30.0

    async def _at_rest(self, owner: Owner) -> None:
        """So that one hook's run is over before the next one's; a big run goes on meanwhile."""
        await asyncio.sleep(1.5)

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
            query = select(item_links.c.product_id).where(item_links.c.user_id == owner.user)
            rows = (await connection.execute(query.order_by(item_links.c.product_id).limit(200))).scalars().all()
        return str(rows[self._price % len(rows)])

    async def _mirrored(self, owner: Owner, count: int) -> None:
        async with asyncio.timeout(120):
            while True:
                async with self._core.database.reading() as connection:
                    query = select(func.count()).select_from(item_links).where(item_links.c.user_id == owner.user)
                    if int(await connection.scalar(query) or 0) >= count:
                        return
                await asyncio.sleep(0.5)

    async def _runs(self, owner: Owner) -> int:
        async with self._core.database.reading() as connection:
            query = select(func.count()).select_from(sync_runs).where(sync_runs.c.user_id == owner.user)
            return int(await connection.scalar(query) or 0)

    def _add(self, name: str, value: float, bound: float, taken: Sequence[float]) -> None:
        figure = Figure(name, value, bound, detail=" ".join(f"{each:.2f}" for each in taken))
        print(figure.described(), flush=True)
        self.figures.append(figure)


def _p95(taken: Sequence[float]) -> float:
    return sorted(taken)[max(0, -(-len(taken) * 95 // 100) - 1)]


@asynccontextmanager
async def _service(sandbox: Clouds, folder: str, **more: Any) -> AsyncIterator[tuple[Core, str]]:
    settings = load_settings(
        {"HOME": folder}, None, data_dir=folder, database_url=f"sqlite+aiosqlite:///{folder}/bench.sqlite3",
        base_url="http://localhost:8000", **sandbox.urls,
    )  # fmt: skip
    settings = settings.model_copy(update=more)
    async with open_core(settings) as core, running(core, Parts.ALL, host="127.0.0.1", port=0) as url:
        settle()
        yield core, url


async def measure(*, times: int, many: int) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="evosync-hints-") as folder:
        async with clouds(owners=1, products=300, catalog=None) as sandbox, aiohttp.ClientSession() as http:
            control = sandbox.urls["evotor_api_url"]
            control = f"http://{control.split('/')[2]}/control"
            await sandbox.fast()
            async with _service(sandbox, folder, vk_requests_per_second=1_000) as (core, url):
                bench = Bench(core, sandbox, http, url, control)
                small = await bench.owner(sandbox.owners[0])
                await want(core, small.user, scope=Scope.FULL, reason="bench")
                await bench._mirrored(small, 250)
                await asyncio.sleep(2)
            await sandbox.slow()
            async with _service(sandbox, folder) as (core, url):
                bench = Bench(core, sandbox, http, url, control)
                await asyncio.sleep(3)
                await bench.idle(small, times)
                await bench.answers(small, 100)
                await asyncio.sleep(5)
                await bench.burst(small)
                big = await bench.owner(await bench.seed(many))
                await bench.beside(small, big, times // 2)
                await bench.within(big, times // 2)
                return bench.figures


def main(arguments: Sequence[str]) -> int:
    """0 when every figure is reached, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.hints", description=__doc__)
    parser.add_argument("--times", type=int, default=12)
    parser.add_argument("--many", type=int, default=10_000)
    given = parser.parse_args(arguments)
    figures = asyncio.run(measure(times=given.times, many=given.many))
    return 0 if all(each.reached for each in figures) else 1


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    sys.exit(main(sys.argv[1:]))
