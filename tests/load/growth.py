"""How the cost of one owner's run grows with his products, and with what changed."""

import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from tests.bench.children import child
from tests.load.clouds import CrowdedClouds, crowded_clouds
from tests.load.machine import KEY, Servers, servers

_FAST = {"vk_requests_per_second": 1_000}


Say = Callable[[dict[str, Any]], None]
"""Told of each measurement: the large ones take minutes."""


async def with_products(sizes: Sequence[int], say: Say) -> list[dict[str, Any]]:
    """A full run in which nothing changed, by a fresh process."""
    found = []
    for products in sizes:
        with servers() as kept, tempfile.TemporaryDirectory(prefix="evosync-load-data-") as folder:
            async with crowded_clouds(products) as clouds:
                user = await _mirrored(kept, clouds, folder)
                async with child("tests.bench.service", _spec(kept, clouds, folder)) as service:
                    run = await service.ask(do="run", user=user)
                found.append({"products": products, **_cost(run)})
                say(found[-1])
    return found


async def with_changes(products: int, changes: Sequence[int], say: Say) -> list[dict[str, Any]]:
    """A full run in which so many prices changed, at VK's rate and delays."""
    found = []
    with servers() as kept, tempfile.TemporaryDirectory(prefix="evosync-load-data-") as folder:
        async with crowded_clouds(products) as clouds:
            user = await _mirrored(kept, clouds, folder)
            await clouds.slow()
            async with child("tests.bench.service", _spec(kept, clouds, folder, slow=True)) as service:
                await service.ask(do="run", user=user)
                for change in changes:
                    await clouds.process.ask(do="sell", numbers=[1], products=change)
                    found.append({"changes": change, **_cost(await service.ask(do="run", user=user))})
                    say(found[-1])
    return found


async def _mirrored(kept: Servers, clouds: CrowdedClouds, folder: str) -> int:
    await clouds.fast()
    async with child("tests.bench.service", _spec(kept, clouds, folder)) as service:
        user = int((await service.ask(do="owners", owners=clouds.owners))["users"][0])
        for _ in range(2):
            await service.ask(do="all", count=1, wish=[user])
    return user


def _spec(kept: Servers, clouds: CrowdedClouds, folder: str, *, slow: bool = False) -> str:
    spec = {
        "data_dir": folder, "database_url": kept.database_url, "redis_url": kept.redis_url, "secret_key": KEY,
        **clouds.urls, **({} if slow else _FAST),
    }  # fmt: skip
    return orjson.dumps(spec).decode()


def _cost(run: dict[str, Any]) -> dict[str, Any]:
    names = ("cpu_seconds", "seconds", "peak_mb", "yardstick_ms")
    return {
        **{name: run[name] for name in names},
        "vk_requests": run["tally"]["vk_requests"],
        "evotor_requests": run["tally"]["evotor_requests"],
        "outcome": run["outcomes"],
    }
