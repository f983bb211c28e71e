"""An owner with a till, a VK shop and a past, for tests of the mirror's pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import choices, connections, history, links, mirrors, runs, shop, tills
from evosync.db.history import Now
from evosync.db.people import Person
from evosync.db.tables import evotor_connections, vk_connections
from evosync.db.tables import mirrors as mirrors_table
from evosync.domain.catalog import Group, Item, Product, Store
from evosync.domain.ids import CommunityId, GroupId, ItemId, ProductId, RunId, StoreId, UserId
from evosync.domain.links import Link, LinkState, ReadBack, Written
from evosync.domain.marker import marker
from evosync.domain.mirror import Outcome, ProductResult, Progress, Scope, Tally, TillChanges
from evosync.domain.status import Standing, Status
from evosync.security.seal import Sealer
from tests.web.browser import World

STORE = StoreId("store-1")
GROUP = GroupId("group-1")
COMMUNITY = CommunityId(123)


def plain(text: str) -> str:
    """Without the no-break spaces that good typography asks for."""
    return text.replace("\u00a0", " ")


def product(number: int, *, name: str = "", **values: Any) -> Product:
    return Product(
        id=ProductId(f"p{number}"),
        store=STORE,
        name=name or f"Сыр Маасдам {number}",
        group=GROUP,
        kopecks=91_999,
        digest=number.to_bytes(16, "big"),
        **values,
    )


def item(number: int, title: str) -> Item:
    return Item(ItemId(number), title, "описание", 10_000, 643, digest=number.to_bytes(16, "big"))


@dataclass(slots=True)
class Owner:
    """`world` with one person's mirror in hand."""

    world: World
    sealer: Sealer
    person: Person

    @property
    def user(self) -> UserId:
        return self.person.id

    async def connect(self, community: CommunityId = COMMUNITY) -> None:
        async def work(connection: AsyncConnection) -> None:
            at = self.world.clock.now
            await connections.save_evotor(
                connection, self.user, f"till-{self.user}", till_user=f"01-{self.user}", sealer=self.sealer, at=at
            )
            await connections.save_vk(
                connection,
                self.user,
                f"vk-{self.user}",
                community=community,
                name="Лавка на Садовой",
                vk_user_id=7,
                expires_at=None,
                sealer=self.sealer,
                at=at,
            )

        await self.world.database.write(work)

    async def fill(self, statuses: Mapping[int, Status | Standing]) -> None:
        """A store with one group; products by number with where they stand. All of it is switched on."""
        products = tuple(product(number) for number in statuses)
        at = self.world.clock.now - timedelta(minutes=14)

        async def work(connection: AsyncConnection) -> None:
            changes = TillChanges(
                stores=(Store(STORE, "Пекарня"),), groups=(Group(GROUP, STORE, "Сыр"),), products=products
            )
            await tills.save(connection, self.user, changes, at=at)
            await tills.save_statuses(
                connection,
                self.user,
                {
                    ProductId(f"p{number}"): status if isinstance(status, Status) else Status(status)
                    for number, status in statuses.items()
                },
                run=1,
                at=at,
            )
            await choices.set_choice(connection, self.user, on=True)

        await self.world.database.write(work)

    async def start(self) -> None:
        await self.world.database.write(
            lambda connection: choices.start_mirror(connection, self.user, at=self.world.clock.now)
        )

    async def ran(
        self,
        *,
        outcome: Outcome | None = Outcome.OK,
        code: str = "",
        reasons: tuple[str, ...] = ("schedule",),
        results: tuple[ProductResult, ...] = (),
        notes: Mapping[str, tuple[str, ...]] | None = None,
        dry: bool = False,
        **tally: Any,
    ) -> RunId:
        """A run of two minutes; `outcome` None leaves it going, `dry`: it only looked."""
        at = self.world.clock.now

        async def work(connection: AsyncConnection) -> RunId:
            standing = await mirrors.lock(connection, self.user)
            run = await runs.start(connection, self.user, scope=Scope.FULL, reasons=reasons, at=at, dry=dry)
            if not dry:
                await mirrors.start(connection, self.user, standing, run=run, scope=Scope.FULL, reasons=reasons, at=at)
            await runs.save_results(connection, run, results)
            if outcome is not None:
                await runs.finish(
                    connection,
                    run,
                    outcome=outcome,
                    code=code,
                    tally=Tally(products=96, **tally),
                    notes=notes or {},
                    at=at + timedelta(minutes=2),
                )
            if outcome is not None and not dry:
                await connection.execute(
                    update(mirrors_table)
                    .where(mirrors_table.c.user_id == self.user)
                    .values(run_id=None, last_run_id=run, wanted_at=None, wanted_scope=None, wanted_reasons=[])
                )
            return run

        run = await self.world.database.write(work)
        if outcome is not None:
            self.world.clock.pass_by(timedelta(minutes=3))
        return run

    async def moves(self, run: RunId, progress: Progress) -> None:
        """The run says how far it is."""
        await self.world.database.write(
            lambda connection: runs.progress(connection, run, progress, Tally(), at=self.world.clock.now)
        )

    async def link(self, number: int, state: LinkState, *, item: int | None = None, refusal: str = "") -> None:
        one = ProductId(f"p{number}")
        link = Link(
            one,
            marker(one),
            state,
            ItemId(item) if item is not None else None,
            face=b"face",
            written=Written(),
            read_back=ReadBack(),
            refused=b"refused" if refusal else b"",
            refusal=refusal,
        )
        await self.world.database.write(lambda connection: links.save(connection, self.user, COMMUNITY, [link]))

    async def links(self) -> dict[ProductId, Link]:
        return await self.world.database.read(lambda connection: links.links(connection, self.user, COMMUNITY, None))

    async def lists(self, *items: Item) -> None:
        """VK has these items."""
        await self.world.database.write(
            lambda connection: shop.save(
                connection, self.user, COMMUNITY, albums=[], albums_gone=[], items=items, items_gone=[]
            )
        )

    async def now(self) -> Now:
        return await self.world.database.read(lambda connection: history.now(connection, self.user))

    async def wish(self) -> mirrors.Wish | None:
        now = self.world.clock.now
        found = await self.world.database.read(lambda connection: mirrors.turns(connection, [self.user], now))
        return found[self.user].wish

    async def forget_wish(self) -> None:
        await self.world.database.write(
            lambda connection: connection.execute(
                update(mirrors_table)
                .where(mirrors_table.c.user_id == self.user)
                .values(wanted_at=None, wanted_scope=None, wanted_reasons=[])
            )
        )

    async def breaks(self, side: str, code: str) -> None:
        table = vk_connections if side == "vk" else evotor_connections
        await self.world.database.write(
            lambda connection: connection.execute(
                update(table)
                .where(table.c.user_id == self.user)
                .values(health="broken", reason=code, reason_at=self.world.clock.now)
            )
        )


async def make_owner(world: World, sealer: Sealer, email: str = "owner@example.com") -> Owner:
    return Owner(world, sealer, await world.person(email))
