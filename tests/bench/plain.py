"""A plain sequential mirror, to compare with: one call after the other, one item each, three requests a second.

`python -m tests.bench.plain '{"evotor_api_url": …, "vk_api_url": …, "owner": {…}}'`; the commands are `create`
(upload address, upload, save, add for each product) and `repeat` (it keeps no memory, so it edits each item).
"""
# ruff: noqa: T201 - it answers on its standard output

import asyncio
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from evosync.resources import default_photo
from tests.bench.service import peak_megabytes

_APART = 0.34


class Plain:
    """The script that anybody would write first."""

    def __init__(self, http: aiohttp.ClientSession, spec: Mapping[str, Any], picture: bytes) -> None:
        self._http = http
        self._spec = spec
        self._owner = spec["owner"]
        self._picture = picture
        self._items: dict[str, int] = {}
        self._last = 0.0

    async def create(self) -> dict[str, Any]:
        return await self._measured(self._create)

    async def repeat(self) -> dict[str, Any]:
        return await self._measured(self._edit)

    async def _measured(self, work: Any) -> dict[str, Any]:
        wall, processor = time.monotonic(), time.process_time()
        products = await self._products()
        for product in products:
            await work(product)
        return {
            "products": len(products),
            "seconds": time.monotonic() - wall,
            "cpu_seconds": time.process_time() - processor,
            "peak_mb": peak_megabytes(),
        }

    async def _products(self) -> list[dict[str, Any]]:
        url = f"{self._spec['evotor_api_url']}/stores/{self._owner['store_id']}/products"
        headers = {"Authorization": f"Bearer {self._owner['evotor_token']}", "Accept": "application/vnd.evotor.v2+json"}
        found: list[dict[str, Any]] = []
        params: dict[str, str] = {}
        while True:
            async with self._http.get(url, params=params, headers=headers) as response:
                response.raise_for_status()
                page = await response.json(content_type=None)
            found += page["items"]
            cursor = (page.get("paging") or {}).get("next_cursor")
            if not cursor:
                return found
            params = {"cursor": cursor}

    async def _create(self, product: Mapping[str, Any]) -> None:
        group = self._owner["group_id"]
        address = await self._call("market.getProductPhotoUploadServer", group_id=group)
        form = aiohttp.FormData()
        form.add_field("file", self._picture, filename="photo.png", content_type="image/png")
        async with self._http.post(address["upload_url"], data=form) as response:
            uploaded = (await response.read()).decode()
        saved = await self._call("market.saveProductPhoto", upload_response=uploaded)
        added = await self._call(
            "market.add", category_id=40932, main_photo_id=saved["photo_id"], **self._fields(product)
        )
        self._items[product["id"]] = added["market_item_id"]

    async def _edit(self, product: Mapping[str, Any]) -> None:
        item = self._items[product["id"]]
        await self._call("market.edit", item_id=item, deleted=0, **self._fields(product))

    def _fields(self, product: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "owner_id": -self._owner["group_id"],
            "name": product["name"].strip()[:100].ljust(4, "."),
            "description": (product.get("description") or "").strip().ljust(10, ".")[:1000].strip(),
            "price": product.get("price") or 1,
            "stock_amount": 1000,
        }

    async def _call(self, method: str, **params: Any) -> Any:
        await asyncio.sleep(max(0.0, self._last + _APART - time.monotonic()))
        self._last = time.monotonic()
        form = {**{name: str(value) for name, value in params.items()}, "v": "5.199"}
        headers = {"Authorization": f"Bearer {self._owner['vk_token']}"}
        async with self._http.post(f"{self._spec['vk_api_url']}/{method}", data=form, headers=headers) as response:
            answer = orjson.loads(await response.read())
        if "error" in answer and "nothing to change" not in answer["error"]["error_msg"]:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer.get("response")


async def _serve(spec: dict[str, Any]) -> None:
    picture = await asyncio.to_thread(Path(default_photo()).read_bytes)
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession() as http:
        plain = Plain(http, spec, picture)
        print(orjson.dumps({"ready": True}).decode(), flush=True)
        while line := await loop.run_in_executor(None, sys.stdin.buffer.readline):
            answer = await getattr(plain, orjson.loads(line)["do"])()
            print(orjson.dumps(answer).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(orjson.loads(sys.argv[1])))
