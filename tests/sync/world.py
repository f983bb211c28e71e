"""A small world for one run: the sandbox of both clouds, a database, and owners who are mirrored in this process."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from sqlalchemy import event, select

from evosync.db import accounts, choices, connections, people
from evosync.db.engine import Database, make_engine
from evosync.db.ledger import DbLedger
from evosync.db.mirrors import Turn
from evosync.db.tables import cached_products, mirrors, run_items, sync_runs, vk_connections
from evosync.domain.connection import EvotorConnection, VkConnection
from evosync.domain.errors import Side
from evosync.domain.ids import CommunityId, GroupId, ProductId, StoreId, UserId
from evosync.domain.links import Link
from evosync.domain.marker import marker
from evosync.domain.mirror import Mirror, RunRecord, Scope
from evosync.evotor.client import EvotorTill
from evosync.evotor.client import Patience as Trying
from evosync.lease import MemoryLease
from evosync.resources import default_photo
from evosync.sandbox.evotor.till import Product, Store
from evosync.sandbox.faults import Fault
from evosync.sandbox.server import Running, serve
from evosync.sandbox.state import Sandbox
from evosync.sandbox.vk.shop import Community, Item
from evosync.security.seal import Sealer
from evosync.sync.engine import Engine, Terms
from evosync.sync.mailbox import ROUTINE, Mailbox, Message
from evosync.sync.one_run import OneRun
from evosync.sync.outage import Outages
from evosync.sync.ports import MayWrite, ShopSide, TillSide
from evosync.sync.push import Picture
from evosync.sync.run import MirrorRun
from evosync.sync.watchers import Watchers
from evosync.vk.dispatcher import Pressure
from evosync.vk.pacer import MemoryPacer
from evosync.vk.sides import VkAddress, VkSides

KEY = "a key for the tests, which is long enough for it"
PER_SECOND = 500
SETTLE = timedelta(seconds=40)


@dataclass
class Clock:
    """The real time, and as far ahead of it as a test has put it forward."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def forward(self, **spans: float) -> None:
        self.ahead += timedelta(**spans)


class Bell:
    """Keeps what owners and the operator were told."""

    def __init__(self) -> None:
        self.broken: list[tuple[Side, str]] = []
        self.faults: list[str] = []

    async def connection_broken(self, user: UserId, side: Side, code: str, _finding: object = None, /) -> None:
        self.broken.append((side, code))

    async def operator(self, code: str, detail: str) -> None:
        self.faults.append(code)


class Sides:
    """The real clients, impatient."""

    def __init__(self, http: aiohttp.ClientSession, running: Running) -> None:
        self._http = http
        self._url = running.evotor_url
        address = VkAddress(running.vk_url, timeout=5)
        self._vk = VkSides(http, address, MemoryPacer(PER_SECOND), Pressure(back_off=0.01))

    def till(self, connection: EvotorConnection) -> TillSide:
        patience = Trying(tries=2, first_wait=0.01, total=5, silence=2)
        return EvotorTill(self._http, self._url, connection.token, patience=patience)

    @asynccontextmanager
    async def shop(self, connection: VkConnection, may_write: MayWrite | None = None) -> AsyncIterator[ShopSide]:
        async with self._vk.shop(connection, may_write) as shop:
            yield shop


class Held:
    """A lease that a test may take away with `lose`; `seen` is set once the run has noticed."""

    def __init__(self) -> None:
        self.seen = asyncio.Event()
        self._lost = False

    @property
    def lost(self) -> bool:
        if self._lost:
            self.seen.set()
        return self._lost

    def lose(self) -> None:
        self._lost = True


@dataclass
class World:
    """Everything that owners share."""

    sandbox: Sandbox
    running: Running
    database: Database
    sealer: Sealer
    ledger: DbLedger
    clock: Clock
    bell: Bell
    engine: Engine
    owners: int = 0

    async def met(self, fault: Fault) -> None:
        """Until a call has come to the fault."""
        async with asyncio.timeout(90):
            await fault.reached.wait()

    def with_terms(self, **changes: Any) -> None:
        self.engine = replace(self.engine, terms=replace(self.engine.terms, **changes))

    async def owner(
        self,
        products: int = 0,
        *,
        evotor: bool = True,
        vk: bool = True,
        chosen: bool = True,
        started: bool = True,
        stores: int = 1,
        vk_token: str = "",
    ) -> "Owner":
        """An active owner with so many plain products in two groups, and as much of the rest as is asked for."""
        self.owners += 1
        number = self.owners
        account = self.sandbox.add_till(f"cloud-token-{number}", f"01-{number:015d}", ["Лавка"] * stores)
        if not vk_token:
            vk_token = f"vk-token-of-the-owner-{number}"
            self.sandbox.add_person(vk_token)
        community = self.sandbox.add_community(7000 + number, f"Лавка {number} в VK", vk_token)
        email = f"owner{number}@example.org"
        user = await self.database.write(
            lambda connection: accounts.create_user(
                connection, email=email, role="user", status=accounts.UserStatus.ACTIVE, at=self.clock()
            )
        )
        owner = Owner(self, user, list(account.stores.values()), community, account.token, account.user_id, vk_token)
        owner.stock(products)
        if evotor:
            await owner.connect_evotor()
        if vk:
            await owner.connect_vk()
        if chosen and evotor:
            await owner.run(dry=True)
            await owner.choose(on=True)
        if started:
            await owner.start()
        return owner

    @contextmanager
    def counting_rows(self) -> Iterator[Counter[str]]:
        """Statements that change rows, by table."""
        written: Counter[str] = Counter()

        def saw(_c: object, _cursor: object, statement: str, _p: object, _x: object, _many: object) -> None:
            words = statement.split()
            verb = words[0].upper()
            if verb in {"INSERT", "DELETE"}:
                written[words[2]] += 1
            elif verb == "UPDATE":
                written[words[1]] += 1

        engine = self.database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", saw)
        try:
            yield written
        finally:
            event.remove(engine, "before_cursor_execute", saw)


@dataclass
class Owner:
    """One owner: his till, his shop in VK, and what he does."""

    world: World
    user: UserId
    stores: list[Store]
    community: Community
    cloud_token: str
    till_user: str
    vk_token: str
    held: Held = field(default_factory=Held)
    made: int = 0

    @property
    def store(self) -> Store:
        return self.stores[0]

    # what he does

    def stock(self, count: int, *, store: Store | None = None) -> list[Product]:
        """Put so many plain products into the till, in its groups; where it has none, in two."""
        into = store or self.store
        groups = [group.id for group in into.groups.values()]
        if not groups:
            groups = [into.add_group(name).id for name in ("Хлеб", "Сладости")]
        added = []
        for _ in range(count):
            self.made += 1
            number = self.made
            added.append(
                into.add_product(
                    f"Булка номер {number:04d}",
                    50 + number,
                    product_id=f"{into.id[-4:]}-p{number:04d}",
                    parent_id=groups[number % len(groups)],
                    description=f"Мягкая булка, испечена утром, противень {number}.",
                    quantity=5,
                )
            )
        return added

    def change(self, product: Product, **fields: object) -> None:
        """At the till, and at the time of the test's clock, so that a delta sees it."""
        store = next(store for store in self.stores if product.id in store.products)
        store.change_product(product.id, at=int(self.world.clock().timestamp() * 1000), **fields)

    async def connect_evotor(self, token: str | None = None) -> None:
        world = self.world
        await world.database.write(
            lambda connection: connections.save_evotor(
                connection,
                self.user,
                token or self.cloud_token,
                till_user=self.till_user,
                sealer=world.sealer,
                at=world.clock(),
            )
        )

    async def connect_vk(self, token: str | None = None) -> None:
        world = self.world
        await world.database.write(
            lambda connection: connections.save_vk(
                connection,
                self.user,
                token or self.vk_token,
                community=CommunityId(self.community.id),
                name=self.community.name,
                vk_user_id=None,
                expires_at=None,
                sealer=world.sealer,
                at=world.clock(),
            )
        )

    async def choose(self, *, on: bool, store: str | None = None, group: str | None = None) -> None:
        await self.world.database.write(
            lambda connection: choices.set_choice(
                connection,
                self.user,
                on=on,
                store=StoreId(store) if store is not None else None,
                group=GroupId(group) if group is not None else None,
            )
        )

    async def start(self) -> None:
        await self.world.database.write(
            lambda connection: choices.start_mirror(connection, self.user, at=self.world.clock())
        )

    async def pause(self) -> None:
        await self.world.database.write(
            lambda connection: choices.pause_mirror(connection, self.user, at=self.world.clock())
        )

    async def suspend(self) -> None:
        """It is an admin who does it."""
        await self.world.database.write(
            lambda connection: people.change_person(connection, self.user, status=accounts.UserStatus.SUSPENDED.value)
        )

    async def disconnect(self) -> None:
        """The VK side."""
        await self.world.database.write(lambda connection: connections.disconnect_vk(connection, self.user))

    # his runs

    async def run(
        self,
        scope: Scope = Scope.FULL,
        *,
        reasons: Iterable[str] = ("test",),
        stores: Iterable[str] = (),
        stopping: asyncio.Event | None = None,
        mailbox: Mailbox | None = None,
        dry: bool = False,
    ) -> RunRecord:
        """One run that must take place."""
        message = Message(scope, frozenset(reasons), frozenset(StoreId(store) for store in stores))
        record = await self._run(
            message, stopping or asyncio.Event(), Mailbox() if mailbox is None else mailbox, dry=dry
        )
        assert record is not None
        return record

    async def obey(self, message: Message) -> RunRecord:
        """The run of a message, as a worker would do it."""
        record = await self._run(message, asyncio.Event(), Mailbox(), dry=False)
        assert record is not None
        return record

    async def _run(self, message: Message, stopping: asyncio.Event, mailbox: Mailbox, *, dry: bool) -> RunRecord | None:
        if dry:
            mirror = await self.mirror()
            return await OneRun(self.world.engine, mirror, message, stopping, mailbox, self.held, dry=True).go()
        return await MirrorRun(self.world.engine).run(self.user, message, stopping, mailbox, self.held)

    async def settled(self, rounds: int = 8) -> RunRecord:
        """Go on as the service would, a routine run at each next turn, until one ends with nothing left to do."""
        for _ in range(rounds):
            record = await self.next_turn()
            if record.outcome == "ok":
                return record
        raise AssertionError(f"not settled after {rounds} turns: {(await self.runs())[-rounds:]}")

    async def next_turn(self) -> RunRecord:
        """The routine run at the owner's next turn, the clock put forward to it."""
        at = await self.next_at()
        assert at is not None, "nobody would run this owner again"
        self.world.clock.ahead += max(at - self.world.clock(), timedelta()) + timedelta(milliseconds=1)
        return await self.run(Scope.DELTA, reasons=[ROUTINE])

    # what one sees

    async def mirror(self) -> Mirror:
        mirror = await self.world.ledger.mirror(self.user)
        assert mirror is not None
        return mirror

    async def turn(self) -> Turn:
        return (await self.world.ledger.turns([self.user], self.world.clock()))[self.user]

    async def next_at(self) -> datetime | None:
        async with self.world.database.reading() as connection:
            found = await connection.scalar(select(mirrors.c.next_at).where(mirrors.c.user_id == self.user))
        assert found is None or isinstance(found, datetime)
        return found

    async def vk_health(self) -> tuple[str, str]:
        async with self.world.database.reading() as connection:
            c = vk_connections.c
            row = (await connection.execute(select(c.health, c.reason).where(c.user_id == self.user))).one()
        return row[0], row[1]

    async def links(self) -> dict[str, Link]:
        found = await self.world.ledger.links(self.user, CommunityId(self.community.id))
        return {str(product): link for product, link in found.items()}

    async def status(self, product: Product | str) -> str:
        """The stored standing of a product."""
        found = await self.statuses()
        return found[product if isinstance(product, str) else product.id]

    async def statuses(self) -> dict[str, str]:
        async with self.world.database.reading() as connection:
            c = cached_products.c
            rows = await connection.execute(select(c.product_id, c.status).where(c.user_id == self.user))
            return {row.product_id: row.status or "" for row in rows.all()}

    async def standings(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Where each product stands, with what the words about it need."""
        async with self.world.database.reading() as connection:
            c = cached_products.c
            rows = await connection.execute(select(c.status, c.status_values).where(c.user_id == self.user))
            return [(row.status or "", row.status_values or {}) for row in rows.all()]

    async def results(self, record: RunRecord) -> list[tuple[str, str, str, str]]:
        """Product, result, why and code of each line of a run's receipt."""
        async with self.world.database.reading() as connection:
            c = run_items.c
            rows = await connection.execute(
                select(c.product_id, c.result, c.why, c.code).where(c.run_id == record.id).order_by(c.id)
            )
            return [(row[0], row[1], row[2], row[3]) for row in rows.all()]

    async def runs(self) -> list[tuple[str, str, str]]:
        """Scope, outcome and code of each run, in order."""
        async with self.world.database.reading() as connection:
            c = sync_runs.c
            rows = await connection.execute(
                select(c.scope, c.outcome, c.code).where(c.user_id == self.user).order_by(c.id)
            )
            return [(row[0], row[1], row[2]) for row in rows.all()]

    @property
    def items(self) -> list[Item]:
        """What stands in VK, hidden items included."""
        return list(self.community.living())

    def item(self, product: Product | str) -> Item:
        """The product's one item in VK."""
        found = self.community.by_sku(marker(ProductId(product if isinstance(product, str) else product.id)))
        assert len(found) == 1, f"{len(found)} items for {product}"
        return found[0]

    def album_titles(self, item: Item) -> set[str]:
        return {self.community.albums[album].title for album in item.album_ids}

    def writes(self) -> int:
        """Successful writes of the mirror to VK so far."""
        return sum(self.community.writes.values())

    def calls(self, prefix: str = "market.") -> int:
        """Calls to VK so far, also within execute and also refused ones."""
        return sum(count for method, count in self.world.sandbox.ledger.calls.items() if method.startswith(prefix))

    def assert_mirrored(self) -> None:
        """VK is as the plain products of the till say: each once, none lost, right in name, price and album."""
        assert self.community.duplicates() == {}
        wanted = {marker(ProductId(p.id)): p for store in self.stores for p in store.products.values()}
        shown = {item.sku: item for item in self.items if not item.hidden}
        assert shown.keys() == wanted.keys()
        for sku, product in wanted.items():
            store = next(store for store in self.stores if product.id in store.products)
            item = shown[sku]
            price = product.price
            assert price is not None
            assert (item.name, item.kopecks) == (product.name, round(price * 100))
            group = store.groups[str(product.parent_id)]
            assert self.album_titles(item) == {group.name}, product.name


@asynccontextmanager
async def open_world(sandbox: Sandbox, url: str) -> AsyncIterator[World]:
    """`url`: a database at the newest revision."""
    # A run is hundreds of tasks: noting where each was made would cost more than the run.
    asyncio.get_running_loop().set_debug(False)
    sandbox.vk.requests_per_second = 10_000
    sandbox.vk.item_bytes = 500
    clock, bell = Clock(), Bell()
    database = Database(make_engine(url))
    sealer = Sealer([KEY])
    ledger = DbLedger(database, sealer=sealer, clock=clock)
    outages = Outages(ledger, clock)
    try:
        async with serve(sandbox) as running, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            engine = Engine(
                ledger=ledger,
                sides=Sides(http, running),
                lease=MemoryLease(),
                watcher=Watchers(),
                breakers=outages,
                bell=bell,
                picture=Picture(default_photo().read_bytes(), "default"),
                terms=Terms(settle=SETTLE),
                clock=clock,
            )
            yield World(sandbox, running, database, sealer, ledger, clock, bell, engine)
    finally:
        await outages.close()
        await database.close()
