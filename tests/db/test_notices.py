"""Letters about the mirror come when they should, and once; old rows go, others stay."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, update

from evosync.db import accounts, connections, outbox, runs, single_use, thinning, till_accounts, trail
from evosync.db import deliveries as calls
from evosync.db.deliveries import Delivery, State, key_of
from evosync.db.engine import Database
from evosync.db.tables import (
    cached_products,
    evotor_connections,
    mirrors,
    pending_tokens,
    run_items,
    sync_configs,
    sync_runs,
    users,
    vk_connections,
)
from evosync.db.tables.site import audit, letters, links
from evosync.domain.errors import Side
from evosync.domain.ids import CommunityId, ProductId, RunId, UserId
from evosync.domain.mirror import Outcome, ProductResult, Result, Scope, Tally
from evosync.jobs.sweep import Keep, Sweep, Sweeper, sweeping
from evosync.notices import Notices
from evosync.security.seal import Sealer
from evosync.words.letters import Kind

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
OLD_KEY, NEW_KEY = "the key of last year, long enough", "the key of this year, long enough"


@dataclass
class Letterbox:
    """Counts how often the postman was told."""

    told: int = 0

    async def send_letters(self) -> bool:
        self.told += 1
        return True


@dataclass
class World:
    """One owner, connected on both sides, and a clock."""

    database: Database
    owner: UserId
    letterbox: Letterbox = field(default_factory=Letterbox)
    at: datetime = NOW

    def __post_init__(self) -> None:
        self.notices = Notices(self.database, self.letterbox, lambda: self.at)

    async def set(self, table: Any, **values: Any) -> None:
        async with self.database.writing() as connection:
            await connection.execute(update(table).values(**values))

    async def run(
        self, outcome: Outcome, *, at: datetime, code: str = "", failures: int = 0, tally: Tally | None = None
    ) -> RunId:
        async with self.database.writing() as connection:
            run = await runs.start(connection, self.owner, scope=Scope.DELTA, reasons=[], at=at)
            await runs.finish(connection, run, outcome=outcome, code=code, tally=tally or Tally(), notes={}, at=at)
            await connection.execute(update(mirrors).values(last_run_id=run, failures=failures))
        return run

    async def written(self) -> list[tuple[str, dict[str, Any]]]:
        async with self.database.reading() as connection:
            rows = await connection.execute(select(letters.c.kind, letters.c["values"]).order_by(letters.c.id))
            return [(kind, values) for kind, values in rows]

    async def count(self, table: Any) -> int:
        async with self.database.reading() as connection:
            return int(await connection.scalar(select(func.count()).select_from(table)) or 0)

    def sweep(self, sealer: Sealer | None = None, **keep: Any) -> Sweep:
        return Sweep(self.database, sealer or Sealer([NEW_KEY]), self.notices.look_round, Keep(**keep), lambda: self.at)


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    sealer = Sealer([OLD_KEY])
    async with database.writing() as connection:
        owner = await accounts.create_user(
            connection, email="olga@example.org", role="user", status=accounts.UserStatus.ACTIVE, at=NOW - 99 * DAY
        )
        await connections.save_evotor(connection, owner, "evotor token", till_user="01", sealer=sealer, at=NOW - DAY)
        await connections.save_vk(
            connection, owner, "vk token", community=CommunityId(7), name="Лавка", vk_user_id=1, expires_at=None,
            sealer=sealer, at=NOW - 9 * DAY,
        )  # fmt: skip
        await connection.execute(update(sync_configs).values(started_at=NOW - 90 * DAY))
    yield World(database, owner)
    async with database.writing() as connection:
        await connection.execute(delete(audit))


async def test_an_owner_is_told_of_a_broken_vk_key_with_what_it_means_for_the_shop(world: World) -> None:
    await world.run(Outcome.OK, at=NOW - HOUR)
    async with world.database.writing() as connection:
        await connection.execute(insert(cached_products).values(**product(world.owner, updated_at=NOW - HOUR / 2)))
    await world.notices.connection_broken(world.owner, Side.VK, "VK 5")
    [(kind, values)] = await world.written()
    assert kind == Kind.VK_BROKEN
    assert (values["community"], values["code"], values["changed"]) == ("Лавка", "VK 5", 1)
    assert datetime.fromisoformat(values["since_at"]) == NOW
    async with world.database.reading() as connection:
        assert not await outbox.due_letters(connection, at=NOW + timedelta(minutes=4), limit=9), "it may mend"
        assert await outbox.due_letters(connection, at=NOW + timedelta(minutes=5), limit=9)


async def test_an_owner_is_told_of_a_broken_evotor_key(world: World) -> None:
    await world.notices.connection_broken(world.owner, Side.EVOTOR, "Evotor 401")
    [(kind, values)] = await world.written()
    assert (kind, values["code"]) == (Kind.EVOTOR_BROKEN, "Evotor 401")


async def test_who_switched_such_letters_off_gets_none(world: World) -> None:
    await world.set(users, notices={"broken": False})
    await world.notices.connection_broken(world.owner, Side.VK, "VK 5")
    assert await world.written() == []
    assert world.letterbox.told == 0


async def test_the_operator_is_told_of_the_same_fault_once_an_hour(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    for minutes in (0, 10, 59, 61):
        world.at = NOW + timedelta(minutes=minutes)
        await world.notices.operator("VK 101", "bad hash")
    assert [record.levelname for record in caplog.records if "our fault" in record.message] == ["ERROR", "ERROR"]


@pytest.mark.parametrize(("days", "written"), [(8, 0), (7, 1), (1, 1), (-1, 0)])
async def test_a_key_that_ends_is_written_about_a_week_before(world: World, days: int, written: int) -> None:
    await world.set(vk_connections, expires_at=NOW + days * DAY)
    assert await world.notices.look_round() == written


async def test_a_key_that_ends_is_written_about_once_until_it_is_replaced(world: World) -> None:
    await world.set(vk_connections, expires_at=NOW + 5 * DAY)
    assert [await world.notices.look_round() for _ in range(3)] == [1, 0, 0]
    await world.set(vk_connections, connected_at=NOW + DAY, expires_at=NOW + 7 * DAY)
    world.at = NOW + 2 * DAY
    assert await world.notices.look_round() == 1


async def test_a_day_of_failures_is_written_about_once_and_so_is_its_end(world: World) -> None:
    await world.run(Outcome.OK, at=NOW - 30 * HOUR)
    await world.run(Outcome.FAILED, at=NOW - 20 * HOUR, code="VK 10", failures=3)
    world.at = NOW - 10 * HOUR
    assert await world.notices.look_round() == 0, "not a day yet"
    world.at = NOW
    assert [await world.notices.look_round() for _ in range(3)] == [1, 0, 0]
    await world.run(Outcome.OK, at=NOW + HOUR, tally=Tally(updated=3, created=2))
    world.at = NOW + 2 * HOUR
    assert [await world.notices.look_round() for _ in range(3)] == [1, 0, 0]
    (first, failing), (second, well) = await world.written()
    assert (first, failing["code"]) == (Kind.FAILING, "VK 10")
    assert datetime.fromisoformat(failing["since_at"]) == NOW - 30 * HOUR
    assert (second, well["caught_up"]) == (Kind.WELL_AGAIN, 5)
    assert datetime.fromisoformat(well["since_at"]) == NOW + HOUR


async def test_a_second_failure_is_written_about_again(world: World) -> None:
    for start in (NOW, NOW + 10 * DAY):
        await world.run(Outcome.OK, at=start)
        await world.run(Outcome.FAILED, at=start + HOUR, code="VK 10", failures=1)
        world.at = start + 25 * HOUR
        await world.notices.look_round()
        await world.run(Outcome.OK, at=start + 26 * HOUR)
        world.at = start + 27 * HOUR
        await world.notices.look_round()
    kinds = [kind for kind, _ in await world.written()]
    assert kinds == [Kind.FAILING, Kind.WELL_AGAIN, Kind.FAILING, Kind.WELL_AGAIN]


@pytest.mark.parametrize("why", ["paused", "broken", "never started"])
async def test_a_mirror_that_is_not_to_run_does_not_fail(world: World, why: str) -> None:
    await world.run(Outcome.OK, at=NOW - 5 * DAY)
    await world.run(Outcome.FAILED, at=NOW - 4 * DAY, code="VK 10", failures=9)
    match why:
        case "paused":
            await world.set(sync_configs, paused_at=NOW - DAY)
        case "broken":
            await world.set(vk_connections, health="broken")
        case _:
            await world.set(sync_configs, started_at=None)
    assert await world.notices.look_round() == 0


async def test_after_a_sweep_nothing_is_left_under_an_earlier_key(world: World) -> None:
    async with world.database.writing() as connection:
        await till_accounts.keep_token(connection, "02", "a token", sealer=Sealer([OLD_KEY]), at=NOW)
    assert (await world.sweep(Sealer([NEW_KEY, OLD_KEY]))())["sealed_anew"] == 3
    now = Sealer([NEW_KEY])
    async with world.database.writing() as connection:
        assert await till_accounts.take_token(connection, "02", sealer=now) == "a token"
        for table in (evotor_connections, vk_connections):
            assert await connection.scalar(select(table.c.key_id)) == now.key_id
    assert (await world.sweep(now)())["sealed_anew"] == 0


async def test_runs_go_by_age_and_by_number_and_the_last_one_stays(world: World) -> None:
    for days in (200, 190, 20, 19, 18, 17):
        await world.run(Outcome.PARTIAL, at=NOW - days * DAY)
    assert (await world.sweep(runs=3)())["runs"] == 3
    assert await world.count(sync_runs) == 3
    await world.set(sync_runs, started_at=NOW - 300 * DAY, finished_at=NOW - 300 * DAY)
    await world.sweep()()
    assert await world.count(sync_runs) == 1, "what the pages show as the last run"


async def test_runs_that_did_nothing_go_sooner_than_those_that_did(world: World) -> None:
    busy = await world.run(Outcome.OK, at=NOW - 5 * DAY)
    async with world.database.writing() as connection:
        await runs.save_results(connection, busy, [ProductResult(ProductId("p"), Result.UPDATED)])
    idle = await world.run(Outcome.OK, at=NOW - 4 * DAY)
    young = await world.run(Outcome.OK, at=NOW - DAY)
    last = await world.run(Outcome.OK, at=NOW - HOUR)
    await world.sweep()()
    async with world.database.reading() as connection:
        left = list((await connection.execute(select(sync_runs.c.id).order_by(sync_runs.c.id))).scalars())
    assert left == [busy, young, last]
    assert idle not in left


async def test_a_sweep_goes_on_piece_by_piece_past_what_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thinning, "PIECE", 2)
    for number in range(9):
        run = await world.run(Outcome.OK, at=NOW - 5 * DAY + number * HOUR)
        if number % 3 == 0:
            async with world.database.writing() as connection:
                await runs.save_results(connection, run, [ProductResult(ProductId("p"), Result.UPDATED)])
    before, since = NOW - 2 * DAY, NOW - 20 * DAY
    assert await thinning.idle_runs(world.database, before=before, since=since) == 6 - 1, "his last run stays"
    assert await world.count(sync_runs) == 4


async def test_runs_that_began_at_one_moment_go_past_the_end_of_a_piece_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thinning, "PIECE", 2)
    for _ in range(7):
        await world.run(Outcome.OK, at=NOW - 5 * DAY)
    last = await world.run(Outcome.OK, at=NOW - HOUR)
    assert (await world.sweep()())["idle_runs"] == 7
    async with world.database.reading() as connection:
        assert list((await connection.execute(select(sync_runs.c.id))).scalars()) == [last]


async def test_results_of_many_runs_go_piece_by_piece(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thinning, "PIECE", 2)
    for days in (33, 32, 31, 29):
        run = await world.run(Outcome.PARTIAL, at=NOW - days * DAY)
        async with world.database.writing() as connection:
            await runs.save_results(connection, run, [ProductResult(ProductId("p"), Result.UPDATED)] * 3)
    assert (await world.sweep()())["results"] == 9
    assert await world.count(run_items) == 3


async def test_what_a_run_did_goes_before_the_run(world: World) -> None:
    for days in (31, 29):
        run = await world.run(Outcome.PARTIAL, at=NOW - days * DAY)
        async with world.database.writing() as connection:
            await runs.save_results(connection, run, [ProductResult(ProductId("p"), Result.UPDATED)] * 3)
    assert (await world.sweep()())["results"] == 3
    assert (await world.count(run_items), await world.count(sync_runs)) == (3, 2)


async def test_old_audit_rows_letters_and_links_go_and_young_ones_stay(world: World) -> None:
    async with world.database.writing() as connection:
        for days in (400, 91, 1):
            at = NOW - days * DAY
            await trail.record(connection, "tested", actor=world.owner, user=world.owner, at=at)
            number = await outbox.add_letter(
                connection, user=world.owner, channel="mail", kind="reset", address="a@example.org", language="ru",
                values={}, link_id=None, at=at,
            )  # fmt: skip
            await outbox.finish_letter(connection, number, state=outbox.LetterState.SENT, at=at)
            await single_use.add(
                connection, user=world.owner, purpose=single_use.Purpose.RESET, nonce=bytes([days % 256]) * 32,
                hashed=bytes([days % 256]) * 32, detail="", at=at, expires_at=at + HOUR,
            )  # fmt: skip
    await world.sweep()()
    assert await world.count(audit) == 2
    assert await world.count(letters) == 1
    assert await world.count(links) == 1


async def test_old_webhook_calls_and_tokens_that_nobody_asked_for_go_and_events_stay(world: World) -> None:
    async with world.database.writing() as connection:
        for days in (810, 31, 29):
            at = NOW - days * DAY
            for kind in (calls.Kind.TOKEN, calls.Kind.PRODUCTS, calls.Kind.SUBSCRIPTION):
                done = Delivery(kind, at, "01", world.owner, key=key_of(kind, days), state=State.DONE, done_at=at)
                await calls.add(connection, done)
            await calls.add(connection, Delivery(calls.Kind.PRODUCTS, at, "01", world.owner))
        for days in (91, 89):
            at = NOW - days * DAY
            await till_accounts.keep_token(connection, f"t{days}", "x", sealer=Sealer([NEW_KEY]), at=at)
    swept = await world.sweep()()
    assert (swept["calls"], swept["waiting_tokens"]) == (5, 1)
    async with world.database.reading() as connection:
        left = await calls.of_user(connection, world.owner)
        assert (await connection.execute(select(pending_tokens.c.till_user))).scalars().all() == ["t89"]
    found = [(each.kind.value, each.state.value, (NOW - each.received_at).days) for each in left]
    assert sorted(each for each in found if each[1] == "waiting") == [("products", "waiting", n) for n in (29, 31, 810)]
    assert sorted(each[::2] for each in found if each[1] == "done") == [
        ("products", 29), ("subscription", 29), ("subscription", 31), ("token", 29),
    ]  # fmt: skip
    assert (await world.sweep()())["calls"] == 0


async def test_a_letter_that_still_waits_is_never_taken_away(world: World) -> None:
    async with world.database.writing() as connection:
        await outbox.add_letter(
            connection, user=world.owner, channel="mail", kind="reset", address="a@example.org", language="ru",
            values={}, link_id=None, at=NOW - 400 * DAY,
        )  # fmt: skip
    await world.sweep()()
    assert await world.count(letters) == 1


async def test_a_sweep_that_fails_is_followed_by_the_next() -> None:
    done: asyncio.Queue[int] = asyncio.Queue()

    async def sweep() -> None:
        done.put_nowait(1)
        if done.qsize() == 1:
            raise RuntimeError("the database is away")

    sweeper = Sweeper(sweep)
    async with sweeping(sweeper), asyncio.timeout(30):
        for _ in range(2):
            sweeper.wake()
            while not done.qsize():
                await asyncio.sleep(0)
            await done.get()


def product(owner: UserId, **values: Any) -> dict[str, Any]:
    text = dict.fromkeys(("group_id", "name", "name_folded", "unit", "kind", "description", "code", "article"), "")
    return {
        "user_id": owner, "store_id": "s", "product_id": "p", "sellable": True, "digest": b"", "seen_at": NOW, **text,
        **values,
    }  # fmt: skip
