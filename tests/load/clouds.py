"""The imitated clouds with a crowd of owners who sell the same, in a process of their own.

`python -m tests.load.clouds PRODUCTS` seeds one owner, the pattern. Commands: `crowd`, `huge`, `sell`.
"""

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import orjson

from evosync.sandbox.evotor.till import Store
from evosync.sandbox.seed import Demo, plain_catalog, seed_owner
from evosync.sandbox.server import serve
from evosync.sandbox.state import Sandbox
from tests.bench.children import Child, child
from tests.bench.clouds import Clouds

_DAY_MS = 86_400_000
PATTERN = 1


class Crowd:
    """Owner number 1 is the pattern; the others get what its till and its VK shop hold, under the same ids."""

    def __init__(self, products: int) -> None:
        self.sandbox = Sandbox()
        self.pattern = self.seed(PATTERN, products)

    def seed(self, number: int, products: int) -> Demo:
        """A shop of its own, whose goods were put in a day ago: no delta reaches back so far."""
        demo = seed_owner(self.sandbox, number, plain_catalog(products))
        for product in self._store(number).products.values():
            product.created -= _DAY_MS
            product.updated -= _DAY_MS
            product.bodies.clear()
        return demo

    def crowd(self, owners: int) -> dict[str, Any]:
        """Owners 2 to `owners`."""
        for number in range(PATTERN + 1, owners + 1):
            self._copy(number)
        gc.collect()
        gc.freeze()  # a pass over a million items would look like a slow network
        return {"owners": len(self.sandbox.communities)}

    def huge(self, number: int, products: int) -> dict[str, Any]:
        """One more owner, with an empty VK shop."""
        return self.seed(number, products).described("")

    def sell(self, numbers: list[int], products: int) -> dict[str, Any]:
        """So many products of these owners' tills cost a rouble more."""
        for number in numbers:
            store = self._store(number)
            for ident in list(store.products)[:products]:
                product = store.products[ident]
                # the rows of a crowd are one and the same
                store.products[ident] = replace(product, fields=dict(product.fields), bodies={})
                store.change_product(ident, price=(product.price or 0) + 1)
        return {"changed": len(numbers) * products}

    def _store(self, number: int) -> Store:
        return self.sandbox.accounts[f"cloud-token-{number}"].first

    def _copy(self, number: int) -> None:
        sandbox, demo = self.sandbox, self.pattern
        account = sandbox.add_till(
            f"cloud-token-{number}", f"01-{number:015d}", [{"id": demo.store_id, "name": "Магазин 1"}]
        )
        here, there = account.first, self._store(PATTERN)
        here.groups, here.products = dict(there.groups), dict(there.products)
        here.seq, here.version = there.seq, there.version
        token = f"vk-token-{number}"
        sandbox.add_person(token, person_id=500_000 + number, name=("Владелец", str(number)))
        shop = sandbox.add_community(300_000 + number, f"Магазин {number}", token)
        pattern = sandbox.communities[demo.group_id]
        shop.items = {
            ident: replace(item, photo_ids=list(item.photo_ids), album_ids=dict(item.album_ids), history=[], head=None)
            for ident, item in pattern.items.items()
        }
        shop.albums = {ident: replace(album, item_ids=dict(album.item_ids)) for ident, album in pattern.albums.items()}
        shop.next_item, shop.next_album, shop.live = pattern.next_item, pattern.next_album, pattern.live


class CrowdedClouds(Clouds):
    """The same from the process that measures; `process` is that of the clouds."""

    def __init__(self, http: aiohttp.ClientSession, process: Child) -> None:
        super().__init__(http, process.ready)
        self.process = process


@asynccontextmanager
async def crowded_clouds(products: int) -> AsyncIterator[CrowdedClouds]:
    timeout = aiohttp.ClientTimeout(total=120)
    async with child("tests.load.clouds", str(products)) as process, aiohttp.ClientSession(timeout=timeout) as http:
        yield CrowdedClouds(http, process)


async def _serve(products: int) -> None:
    crowd = Crowd(products)
    loop = asyncio.get_running_loop()
    async with serve(crowd.sandbox) as running:
        ready = {"url": running.url, "evotor_url": running.evotor_url, "vk_url": running.vk_url}
        _say({**ready, "owners": [crowd.pattern.described(running.url)]})
        while line := await loop.run_in_executor(None, sys.stdin.buffer.readline):
            command: dict[str, Any] = orjson.loads(line)
            _say(getattr(crowd, command.pop("do"))(**command))


def _say(answer: Mapping[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
