"""A plain client of the sandbox: it sends what a test says, checks nothing and hides nothing."""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import aiohttp
import orjson

from evosync.sandbox.pictures import draw
from evosync.sandbox.server import Running
from evosync.sandbox.state import Sandbox

TOKEN, CLOUD_TOKEN, GROUP, USER = "vk-owner", "cloud-owner", 77, "01-000000000000001"
STORE = "20240115-AAAA-40D1-80B2-000000000001"
PICTURE = draw(((250, 240, 230), (200, 120, 60), (150, 80, 30)))


@dataclass(slots=True)
class Cloud:
    """Sandbox, server and session of one test."""

    sandbox: Sandbox
    running: Running
    session: aiohttp.ClientSession

    async def vk(self, method: str, token: object = TOKEN, **params: object) -> Any:
        """The whole JSON reply of a VK method."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        body = {"v": "5.199", **{name: str(value) for name, value in params.items()}}
        async with self.session.post(f"{self.running.vk_url}/{method}", data=body, headers=headers) as reply:
            assert reply.status == 200
            return orjson.loads(await reply.read())

    async def ok(self, method: str, token: object = TOKEN, **params: object) -> Any:
        """The ``response`` of a method that must succeed."""
        reply = await self.vk(method, token, **params)
        assert "error" not in reply, reply
        return reply["response"]

    async def code(self, method: str, token: object = TOKEN, **params: object) -> int:
        """The error code of a method that must be refused."""
        reply = await self.vk(method, token, **params)
        assert "error" in reply, reply
        return int(reply["error"]["error_code"])

    async def execute(self, code: str) -> Any:
        """The whole reply of a script."""
        return await self.vk("execute", code=code)

    async def upload(self, *bodies: bytes, bulk: bool = False, kind: str = "image/png", field: str = "") -> str:
        """The raw text that the upload server answers."""
        server = await self.ok("market.getProductPhotoUploadServer", group_id=GROUP, bulk=int(bulk))
        form = aiohttp.FormData()
        for number, body in enumerate(bodies, start=1):
            name = field or (f"file{number}" if bulk else "file")
            form.add_field(name, body, filename=f"{number}.png", content_type=kind)
        async with self.session.post(server["upload_url"], data=form) as reply:
            assert reply.status == 200
            return await reply.text()

    async def photo(self, body: bytes = PICTURE) -> int:
        """A fresh photo that belongs to no item yet."""
        saved = await self.ok("market.saveProductPhoto", upload_response=await self.upload(body))
        return int(saved["photo_id"])

    async def goods(self, **changes: object) -> dict[str, object]:
        """Parameters of a good ``market.add``, some of them changed; None takes one away."""
        whole: dict[str, object] = {
            "owner_id": -GROUP,
            "name": "Хлеб ржаной",
            "description": "Свежий ржаной хлеб на закваске.",
            "category_id": 40_932,
            "price": "199.90",
        } | changes
        if "main_photo_id" not in whole:
            whole["main_photo_id"] = await self.photo()
        return {name: value for name, value in whole.items() if value is not None}

    async def add(self, **changes: object) -> int:
        """A new item."""
        made = await self.ok("market.add", **await self.goods(**changes))
        return int(made["market_item_id"])

    async def read(self, item_id: int, *, extended: int = 0) -> Any:
        """One item as VK shows it."""
        found = await self.ok("market.getById", item_ids=f"-{GROUP}_{item_id}", extended=extended)
        return found["items"][0]

    async def edit(self, item_id: int, **params: object) -> Any:
        """The whole reply of ``market.edit``."""
        return await self.vk("market.edit", owner_id=-GROUP, item_id=item_id, **params)

    async def evotor(self, path: str, token: object = CLOUD_TOKEN, **query: object) -> tuple[int, Any, Any]:
        """Status, parsed body with exact numbers (or the text), headers."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await self.evotor_with(headers, path, **query)

    async def evotor_with(self, headers: dict[str, str], path: str, **query: object) -> tuple[int, Any, Any]:
        """Like :meth:`evotor`, with the headers as given."""
        params = {name: str(value) for name, value in query.items()}
        async with self.session.get(f"{self.running.evotor_url}{path}", headers=headers, params=params) as reply:
            text = await reply.text()
            if reply.content_type == "application/vnd.evotor.v2+json":
                return reply.status, json.loads(text, parse_float=Decimal), reply.headers
            return reply.status, text, reply.headers
