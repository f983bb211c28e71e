"""The Evotor cloud as a caller of webhooks, and what its calls led to."""

import base64
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp.test_utils import TestClient
from sqlalchemy import insert, select, update

from evosync.db import till_accounts
from evosync.db.people import Person
from evosync.db.tables import cached_stores, deliveries, evotor_connections, mirrors, pending_tokens, sync_configs
from evosync.db.till_accounts import TillAccount
from evosync.web.services import Services
from tests.web.browser import World

SECRET = "5b1e0f0a-0000-4000-8000-00000000a001"
EARLIER = "the-secret-before-the-rotation"
TILL = "01-000000000000042"
STORE = "20240115-7A3C-40D1-80B2-5C0F1E2A9B31"
OTHER_STORE = "20240320-1B4E-4077-8021-9D3E5F6A7C80"
CLOUD_TOKEN = "0f0e0d0c-0b0a-4900-8807-060504030201"


@dataclass(slots=True)
class Reply:
    """An answer; `code` is of its first error."""

    status: int
    body: Any

    @property
    def code(self) -> tuple[int, int | None]:
        errors = self.body.get("errors") if isinstance(self.body, dict) else None
        return self.status, errors[0]["code"] if errors else None


@dataclass(slots=True)
class Cloud:
    """Calls with the app's secret unless another header is given."""

    client: TestClient[Any, Any]
    services: Services
    world: World

    async def call(
        self,
        path: str,
        body: Any = None,
        *,
        method: str = "POST",
        token: str | None = None,
        raw: bytes | None = None,
        **headers: str,
    ) -> Reply:
        sent = {"Authorization": f"Bearer {SECRET if token is None else token}", "Content-Type": "application/json"}
        data = raw if raw is not None else orjson.dumps(body)
        async with self.client.request(
            method, path, data=None if method == "GET" else data, headers={**sent, **headers}
        ) as response:
            text = await response.read()
            assert response.content_type == "application/json", text[:200]
            return Reply(response.status, orjson.loads(text))

    async def create(self, till_user: str = TILL, **fields: Any) -> str:
        """A new till's user token."""
        reply = await self.call("/user/create", {"userId": till_user, **fields})
        assert reply.status == 200, reply
        return str(reply.body["token"])

    async def owner(self, *, email: str = "owner@example.com", till_user: str = TILL, stock: str | None = None) -> str:
        """An active owner whose till is linked, connected and has been read once: his user token."""
        person = await self.world.person(email)
        reply = await self.call("/user/verify", {"userId": till_user, "username": email, "password": "correct horse 1"})
        assert reply.status == 200, reply
        await self.call("/user/token", {"userId": till_user, "token": CLOUD_TOKEN})
        await self.read_once(person, stock=stock)
        return str(reply.body["token"])

    async def read_once(self, person: Person, *, stock: str | None = None) -> None:
        async with self.services.database.writing() as connection:
            for place, store in enumerate((STORE, OTHER_STORE)):
                values = {"store_id": store, "name": "Лавка", "address": "", "till_user": "", "position": place}
                await connection.execute(insert(cached_stores).values(user_id=person.id, **values))
            await connection.execute(
                update(sync_configs).where(sync_configs.c.user_id == person.id).values(stock_mode=stock)
            )
            await connection.execute(
                update(mirrors)
                .values(wanted_at=None, wanted_scope=None, wanted_reasons=[])
                .where(mirrors.c.user_id == person.id)
            )
        self.world.queue.nudged.clear()

    async def account(self, till_user: str = TILL) -> TillAccount | None:
        return await self.services.database.read(lambda connection: till_accounts.by_till(connection, till_user))

    async def cloud_token(self, till_user: str = TILL) -> str | None:
        account = await self.account(till_user)
        assert account is not None
        return await self.services.database.read(
            lambda connection: till_accounts.cloud_token(connection, account.user, sealer=self.services.sealer)
        )

    async def wish(self, till_user: str = TILL) -> tuple[str | None, list[str]]:
        """Scope and reasons of what is wanted of the till's owner, once every hint has been heard."""
        account = await self.account(till_user)
        assert account is not None
        async with self.services.database.reading() as connection:
            query = select(mirrors.c.wanted_scope, mirrors.c.wanted_reasons).where(mirrors.c.user_id == account.user)
            scope, reasons = (await connection.execute(query)).one()
        return scope, list(reasons)

    async def log(self) -> list[dict[str, Any]]:
        """Every delivery that was stored, the oldest first."""
        async with self.services.database.reading() as connection:
            return [dict(row) for row in (await connection.execute(select(deliveries).order_by("id"))).mappings()]

    async def everything(self) -> str:
        """Of the tables in which a secret could have been left, everything as text."""
        found = []
        async with self.services.database.reading() as connection:
            for table in (deliveries, evotor_connections, pending_tokens, mirrors):
                found += [str(row) for row in (await connection.execute(select(table))).all()]
        return "\n".join(found)


def basic(password: str, name: str = "evosync") -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
