"""An owner with everything that can hang on an account, and ways to look at it past the pages."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import accounts, choices, connections, people, runs
from evosync.db import mirrors as due
from evosync.db.engine import upsert
from evosync.db.tables import cached_groups, cached_products, cached_stores, metadata, mirrors, sync_runs
from evosync.db.tables.site import audit
from evosync.domain.errors import Side
from evosync.domain.ids import CommunityId, GroupId, RunId, StoreId, UserId
from evosync.domain.mirror import Outcome, Scope, Tally
from evosync.security.seal import Sealer
from tests.web.browser import Browser, Page, World

EVOTOR_TOKEN = "evotor-token-of-a-shop-4711"
VK_TOKEN = "vk1.a.token-of-a-community-0815"
STORE, GROUP = "store-of-olga", "group-of-olga"


async def shop(world: World, user: UserId, *, community: int = 204511) -> RunId:
    """Both connections, a store with a group and a product that waits for its owner, and a run that is over."""
    at = world.clock.now
    sealer = Sealer(["a key that is long enough for tests"])

    async def work(connection: AsyncConnection) -> RunId:
        await connections.save_evotor(
            connection, user, f"{user}-{EVOTOR_TOKEN}", till_user=f"01-{user}", sealer=sealer, at=at
        )
        await connections.save_vk(
            connection,
            user,
            VK_TOKEN,
            community=CommunityId(community),
            name="Детки-конфетки",
            vk_user_id=1,
            expires_at=None,
            sealer=sealer,
            at=at,
        )
        mine = {"user_id": user, "store_id": STORE}
        await connection.execute(
            insert(cached_stores).values(**mine, name="Лавка Ольги", address="", till_user="", position=0)
        )
        await connection.execute(
            insert(cached_groups).values(
                **mine, group_id=GROUP, parent_id="", name="Сеты Ольги", holds_modifications=False
            )
        )
        await upsert(connection, cached_products, [{**mine, **_PRODUCT, "seen_at": at, "status_at": at}])
        await choices.set_choice(connection, user, on=True, store=StoreId(STORE))
        await choices.set_choice(connection, user, on=True, store=StoreId(STORE), group=GroupId(GROUP))
        await choices.start_mirror(connection, user, at=at - timedelta(days=3))
        return await _run(connection, user, world, Outcome.OK, "")

    return await world.database.write(work)


_PRODUCT: Mapping[str, Any] = {
    "product_id": "product-of-olga",
    "group_id": GROUP,
    "name": "Сет Ольги",
    "name_folded": "сет ольги",
    "kopecks": 0,
    "quantity": "1",
    "unit": "шт",
    "kind": "NORMAL",
    "sellable": True,
    "description": "",
    "code": "7",
    "article": "",
    "updated_at": None,
    "digest": b"",
    "gone_at": None,
    "vk_product_id": None,
    "status": "zero_price",
    "status_values": {},
    "status_digest": b"",
    "status_run_id": None,
}


async def _run(connection: AsyncConnection, user: UserId, world: World, outcome: Outcome, code: str) -> RunId:
    at = world.clock.now
    run = await runs.start(connection, user, scope=Scope.FULL, reasons=["schedule"], at=at - timedelta(minutes=1))
    tally = Tally(products=3585, updated=4, vk_requests=12)
    await runs.finish(connection, run, outcome=outcome, code=code, tally=tally, notes={}, at=at)
    await connection.execute(update(mirrors).where(mirrors.c.user_id == user).values(last_run_id=run))
    return run


async def ended(world: World, user: UserId, outcome: Outcome, code: str = "") -> RunId:
    """A run that is over."""
    return await world.database.write(lambda connection: _run(connection, user, world, outcome, code))


async def going(world: World, user: UserId, *, silent: timedelta = timedelta(0)) -> RunId:
    """A run that goes on, whose worker has been silent for so long."""

    async def work(connection: AsyncConnection) -> RunId:
        run = await runs.start(connection, user, scope=Scope.FULL, reasons=[], at=world.clock.now - silent)
        values = {"step": "mirror", "done": 96, "total": 164, "heartbeat_at": world.clock.now - silent}
        await connection.execute(update(sync_runs).where(sync_runs.c.id == run).values(**values))
        await connection.execute(update(mirrors).where(mirrors.c.user_id == user).values(run_id=run, next_at=None))
        return run

    return await world.database.write(work)


async def broken(world: World, user: UserId, side: Side = Side.VK, reason: str = "VK 5") -> None:
    await world.database.write(
        lambda connection: connections.break_connection(connection, user, side, reason=reason, at=world.clock.now)
    )


async def mirror(world: World, user: UserId) -> Mapping[str, Any]:
    """The row that says when his mirror is due."""
    async with world.database.reading() as connection:
        return dict((await connection.execute(select(mirrors).where(mirrors.c.user_id == user))).mappings().one())


async def is_wanted(world: World, user: UserId) -> bool:
    """What a run asks before each write."""
    return await world.database.read(lambda connection: due.still_wanted(connection, user))


async def set_mirror(world: World, user: UserId, **values: Any) -> None:
    await world.database.write(
        lambda connection: connection.execute(update(mirrors).where(mirrors.c.user_id == user).values(**values))
    )


async def trail(world: World) -> list[tuple[str, int | None, int | None, dict[str, Any]]]:
    """Action, actor, whose account, details; the oldest first, sign-ins left out."""
    async with world.database.reading() as connection:
        rows = await connection.execute(
            select(audit.c.action, audit.c.actor_id, audit.c.user_id, audit.c.details).order_by(audit.c.id)
        )
        return [(action, actor, user, details) for action, actor, user, details in rows if action != "signed_in"]


async def roles(world: World, user: UserId) -> frozenset[str]:
    return await world.database.read(lambda connection: accounts.roles_of(connection, user))


async def permissions(world: World, user: UserId) -> frozenset[str]:
    viewer = await world.database.read(lambda connection: people.viewer(connection, user))
    assert viewer is not None
    return viewer.permissions


async def belongings(world: World, user: UserId) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the database that hangs on the account."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    async with world.database.reading() as connection:
        for table in metadata.sorted_tables:
            column = table.c.id if table.name == "users" else table.c.get("user_id")
            if column is not None:
                rows = await connection.execute(select(table).where(column == user))
                found[table.name] = sorted((tuple(row) for row in rows), key=repr)
    return found


async def post_many(browser: Browser, path: str, data: list[tuple[str, str]]) -> Page:
    """A form in which a name stands more than once."""
    token = (await browser.get("/privacy")).token
    sent = [("csrf_token", token), *data]
    reply = await browser.client.post(path, data=sent, headers=browser.headers, allow_redirects=False)
    return Page(reply, await reply.text())
