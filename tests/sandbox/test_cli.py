"""The sandbox as a process: ready line, clean end, clear mistakes."""

import asyncio
import contextlib
import gzip
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from evosync.sandbox.cli import main


@contextlib.asynccontextmanager
async def started(*arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, Any]]:
    """The process and what it said when it was ready."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "evosync.sandbox", "--port", "0", *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield process, json.loads(await process.stdout.readline())
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_it_says_where_it_is_and_ends_cleanly_on_sigterm() -> None:
    async with started("--seed", "demo") as (process, ready), aiohttp.ClientSession() as session:
        (owner,) = ready["owners"]
        headers = {"Authorization": f"Bearer {owner['evotor_token']}"}
        async with session.get(f"{ready['evotor_url']}/stores", headers=headers) as reply:
            assert reply.status == 200
        async with session.get(owner["shop_url"]) as reply:
            assert reply.status == 200
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0


async def test_it_sells_a_catalog_file_and_is_as_slow_as_told(tmp_path: Path) -> None:
    catalog, latency = tmp_path / "shop.json.gz", tmp_path / "latency.json"
    products = [{"id": f"p{number}", "name": f"Товар {number}", "price": 5} for number in range(9)]
    catalog.write_bytes(gzip.compress(json.dumps({"groups": [], "products": products}).encode()))
    latency.write_text('{"vk_request": 0.5}')
    arguments = ("--catalog", str(catalog), "--first", "4", "--latency-file", str(latency))
    async with started(*arguments) as (_, ready), aiohttp.ClientSession() as session:
        (owner,) = ready["owners"]
        url = f"{ready['url']}/control/till/{owner['account_id']}/{owner['store_id']}"
        async with session.get(url) as reply:
            assert len((await reply.json())["products"]) == 4
        async with session.get(f"{ready['url']}/control/options") as reply:
            assert (await reply.json())["latency"]["vk_request"] == 0.5


async def test_many_owners_have_a_shop_each() -> None:
    async with started("--owners", "3", "--products", "2") as (_, ready):
        assert len({owner["vk_token"] for owner in ready["owners"]}) == 3


@pytest.mark.parametrize("body", ["{}", "[]", "no json"])
def test_a_wrong_file_is_a_clear_mistake_and_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str
) -> None:
    path = tmp_path / "shop.json"
    path.write_text(body)
    assert main(["--catalog", str(path)]) == 1
    assert capsys.readouterr().err.startswith("sandbox: ")
    assert main(["--catalog", str(tmp_path / "none")]) == 1


def test_an_unknown_delay_is_a_clear_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "latency.json"
    path.write_text('{"vk_moon": 1}')
    assert main(["--latency-file", str(path)]) == 1
    assert "vk_moon" in capsys.readouterr().err
