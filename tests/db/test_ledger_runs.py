from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import accounts, choices, connections, mirrors, people, runs
from evosync.db.engine import Database
from evosync.db.ledger import DbLedger
from evosync.db.mirrors import SILENCE, Wish
from evosync.db.tables import run_items, sync_configs, sync_runs
from evosync.domain.connection import EvotorConnection, Health, VkConnection
from evosync.domain.errors import Side
from evosync.domain.ids import CommunityId, ProductId, RunId, StoreId, UserId
from evosync.domain.mirror import (
    Going,
    Mirror,
    Outcome,
    Pause,
    ProductResult,
    Progress,
    Result,
    RunRecord,
    Scope,
    Step,
    StoreReading,
    StoreState,
    Tally,
)
from evosync.domain.policy import Gone, Policy, StockMode
from evosync.security.seal import Sealer
from evosync.sync.ports import Due, Ledger
from tests.db.conftest import NOW, begun, connect_till, new_owner

SECOND = timedelta(seconds=1)
LATER = NOW + timedelta(hours=1)
SHOP, OTHER_SHOP = CommunityId(100), CommunityId(200)


@pytest.fixture
async def olga(database: Database, sealer: Sealer) -> UserId:
    """An owner with a till."""
    return await owner_with_till(database, sealer, "olga@example.org")


@pytest.fixture
async def boris(database: Database, sealer: Sealer) -> UserId:
    """Another one."""
    return await owner_with_till(database, sealer, "boris@example.org")


async def owner_with_till(database: Database, sealer: Sealer, email: str) -> UserId:
    user = await new_owner(database, email)
    await connect_till(database, sealer, user)
    return user


async def finish(
    ledger: Ledger,
    run: RunId,
    *,
    next_at: datetime | None = None,
    at: datetime = NOW,
    readings: Mapping[StoreId, StoreReading] | None = None,
    pauses: Mapping[str, Pause] | None = None,
    notes: Mapping[str, tuple[str, ...]] | None = None,
    tally: Tally | None = None,
    failures: int = 0,
) -> RunRecord:
    return await ledger.finish_run(
        run,
        outcome=Outcome.PARTIAL,
        code="VK 5",
        tally=tally or Tally(),
        notes=notes or {},
        readings=readings or {},
        pauses=pauses or {},
        shop_read_at=NOW,
        next_at=next_at,
        failures=failures,
        at=at,
    )


async def still_wanted(database: Database, user: UserId) -> bool:
    return await database.read(lambda connection: mirrors.still_wanted(connection, user))


async def connect_both(
    database: Database, user: UserId, sealer: Sealer, at: datetime = NOW, community: CommunityId = SHOP
) -> None:
    async with database.writing() as connection:
        await connections.save_evotor(connection, user, "evotor-token", till_user="01-1", sealer=sealer, at=at)
        await connections.save_vk(
            connection,
            user,
            "vk1.a.token-of-olga",
            community=community,
            name="Лавка",
            vk_user_id=7,
            expires_at=LATER,
            sealer=sealer,
            at=at,
        )


def test_the_ledger_is_what_the_engine_asks_for(ledger: DbLedger) -> None:
    ports: tuple[Ledger, Due] = (ledger, ledger)  # for the type checker
    assert ports


async def test_a_new_owner_has_a_mirror_of_defaults(ledger: DbLedger, database: Database) -> None:
    mirror = await ledger.mirror(await new_owner(database, "new@example.org"))
    assert mirror is not None
    assert mirror.policy == Policy()
    assert (mirror.evotor, mirror.vk, mirror.started_at, mirror.paused_at, mirror.interval) == (None,) * 5
    assert not mirror.choice.stores


@pytest.mark.parametrize("status", [accounts.UserStatus.PENDING, accounts.UserStatus.SUSPENDED])
async def test_only_an_active_user_has_a_mirror(
    ledger: DbLedger, database: Database, olga: UserId, status: accounts.UserStatus
) -> None:
    await ledger.want(olga, scope=Scope.FULL, reason="test", at=NOW)
    assert await still_wanted(database, olga)
    async with database.writing() as connection:
        await people.change_person(connection, olga, status=status.value)
    assert await ledger.mirror(olga) is None
    assert not await still_wanted(database, olga)
    assert await ledger.due(LATER, 10) == []


async def test_a_mirror_has_its_connections_with_tokens_in_the_clear(
    ledger: DbLedger, database: Database, olga: UserId, sealer: Sealer
) -> None:
    await connect_both(database, olga, sealer)
    mirror = await ledger.mirror(olga)
    assert mirror is not None
    assert isinstance(mirror.evotor, EvotorConnection)
    assert isinstance(mirror.vk, VkConnection)
    assert (mirror.evotor.token.secret, mirror.evotor.till_user) == ("evotor-token", "01-1")
    assert mirror.evotor.token.fingerprint == sealer.fingerprint("evotor-token")
    assert (mirror.vk.token.secret, mirror.vk.community, mirror.vk.name) == ("vk1.a.token-of-olga", SHOP, "Лавка")
    assert (mirror.vk.health, mirror.vk.expires_at) == (Health.OK, LATER)


async def test_a_token_under_a_forgotten_key_is_a_broken_connection(
    database: Database, olga: UserId, sealer: Sealer
) -> None:
    await connect_both(database, olga, sealer)
    mirror = await DbLedger(database, sealer=Sealer(["quite another key"])).mirror(olga)
    assert mirror is not None
    assert mirror.evotor is not None
    assert mirror.vk is not None
    assert (mirror.evotor.health, mirror.evotor.reason) == (Health.BROKEN, connections.UNREADABLE)
    assert (mirror.vk.health, mirror.vk.reason) == (Health.BROKEN, connections.UNREADABLE)


async def test_what_the_owner_set_goes_before_what_the_operator_did(
    database: Database, olga: UserId, sealer: Sealer
) -> None:
    ledger = DbLedger(database, sealer=sealer, defaults=mirrors.Defaults(Policy(category=7, stock_constant=5)))
    mirror = await ledger.mirror(olga)
    assert mirror is not None
    assert mirror.policy == Policy(category=7, stock_constant=5)
    async with database.writing() as connection:
        await connection.execute(
            update(sync_configs).values(
                interval_seconds=900,
                weight_multiplier=100,
                stock_mode="till",
                when_gone="leave",
                when_switched_off="hide",
                allowed_kinds=["BEER"],
                category_id=9,
                root_group_title="Разное",
            )
        )
    mirror = await ledger.mirror(olga)
    assert mirror is not None
    assert mirror.interval == timedelta(minutes=15)
    assert mirror.policy == Policy(
        weight_grams=100,
        stock_mode=StockMode.TILL,
        stock_constant=5,
        when_gone=Gone.LEAVE,
        when_switched_off=Gone.HIDE,
        allowed_kinds=frozenset({"BEER"}),
        category=9,
        root_group_title="Разное",
    )


async def test_a_run_is_recorded_from_start_to_end(ledger: DbLedger, olga: UserId, database: Database) -> None:
    run = await begun(ledger, olga, scope=Scope.DELTA, reasons=("clock", "toggle"), at=NOW)
    tally = Tally(products=3, created=2, reasons={"zero_price": 1}, failures={"VK 100": 1})
    await ledger.progress(olga, run, Progress(Step.MIRROR, 1, 3), tally)
    await ledger.save_results(
        run,
        [
            ProductResult(ProductId("чай"), Result.UPDATED, "changed", fields={"price": ("1.00", "2.00")}),
            ProductResult(ProductId("мёд"), Result.FAILED, code="VK 100"),
        ],
    )
    ended = await finish(ledger, run, at=LATER, tally=tally, notes={"new_groups": ("Напитки 🍵",)})
    assert ended == RunRecord(
        id=run,
        user=olga,
        reasons=("clock", "toggle"),
        scope=Scope.DELTA,
        started_at=NOW,
        finished_at=LATER,
        outcome=Outcome.PARTIAL,
        code="VK 5",
        tally=tally,
        notes={"new_groups": ("Напитки 🍵",)},
    )
    async with database.reading() as connection:
        assert await runs.latest(connection, olga, 5) == [ended]
        r = run_items.c
        lines = (await connection.execute(select(r.product_id, r.result, r.fields).order_by(r.id))).all()
        step = (await connection.execute(select(sync_runs.c.step, sync_runs.c.done, sync_runs.c.total))).one()
    assert [tuple(line) for line in lines] == [
        ("чай", "updated", {"price": ["1.00", "2.00"]}),
        ("мёд", "failed", {}),
    ]
    assert tuple(step) == ("mirror", 1, 3)


async def test_a_run_leaves_what_the_next_one_starts_from(ledger: DbLedger, olga: UserId) -> None:
    readings = {
        StoreId("Север"): StoreReading(StoreState.HELD, "", NOW, LATER, None, "abc", NOW),
        StoreId("Юг"): StoreReading(StoreState.UNPAID, "Evotor 402", retry_at=LATER),
    }
    pauses = {"market.add": Pause(LATER, "VK 14", 3)}
    run = await begun(ledger, olga, scope=Scope.FULL, reasons=(), at=NOW)
    await finish(ledger, run, readings=readings, pauses=pauses, failures=2)
    mirror = await ledger.mirror(olga)
    assert mirror is not None
    assert mirror.readings == readings
    assert mirror.pauses == pauses
    assert (mirror.shop_read_at, mirror.failures) == (NOW, 2)


async def test_a_run_whose_worker_died_is_closed_by_the_next(
    ledger: DbLedger, olga: UserId, database: Database
) -> None:
    lost = await begun(ledger, olga, scope=Scope.FULL, reasons=("first",), at=NOW)
    run = await begun(ledger, olga, scope=Scope.FULL, reasons=("again",), at=LATER)
    await finish(ledger, lost, next_at=NOW, failures=9, at=LATER)  # it was only slow, and comes too late
    async with database.reading() as connection:
        kept = {record.id: record for record in await runs.latest(connection, olga, 5)}
    assert kept[run].finished_at is None
    mirror = await ledger.mirror(olga)
    assert mirror is not None
    assert mirror.failures == 0
    await finish(ledger, run)
    async with database.reading() as connection:
        kept = {record.id: record for record in await runs.latest(connection, olga, 5)}
    assert kept[run].outcome is Outcome.PARTIAL


async def test_a_closed_run_says_that_its_worker_was_lost(ledger: DbLedger, olga: UserId, database: Database) -> None:
    lost = await begun(ledger, olga, scope=Scope.FULL, reasons=(), at=NOW)
    await begun(ledger, olga, scope=Scope.FULL, reasons=(), at=LATER)
    async with database.reading() as connection:
        record = (await runs.latest(connection, olga, 5))[-1]
    assert (record.id, record.outcome, record.code, record.finished_at) == (lost, Outcome.CUT, runs.LOST, LATER)


async def test_a_run_that_was_overtaken_hears_of_it_and_leaves_word_to_compare_everything(
    ledger: DbLedger, olga: UserId
) -> None:
    older = await begun(ledger, olga)
    assert await ledger.progress(olga, older, Progress(Step.MIRROR), Tally()) is Going.ON
    newer = await begun(ledger, olga, at=LATER)
    assert await ledger.progress(olga, older, Progress(Step.MIRROR), Tally()) is Going.OVERTAKEN
    await finish(ledger, older, at=LATER)
    assert (await ledger.turns([olga], NOW))[olga].wish == Wish(Scope.FULL, ("retry",))
    assert await ledger.is_open(newer)
    await finish(ledger, newer, at=LATER + SECOND)
    assert await ledger.due(LATER + SECOND, 10) == [olga]


async def test_beside_a_run_whose_heart_beats_none_is_begun_and_its_wish_waits(
    database: Database, sealer: Sealer, olga: UserId
) -> None:
    time = NOW
    ledger = DbLedger(database, sealer=sealer, clock=lambda: time, alive_for=10 * SECOND)
    older = await begun(ledger, olga, reasons=("clock",))
    time = NOW + 5 * SECOND
    await ledger.progress(olga, older, Progress(Step.MIRROR), Tally())
    await ledger.want(olga, scope=Scope.FULL, reason="button", at=time)
    time = NOW + 14 * SECOND
    assert await ledger.start_run(olga, scope=Scope.FULL, reasons=("button",), at=time) is None
    assert await ledger.is_open(older)
    assert await ledger.due(time, 10) == [olga]
    time = NOW + 15 * SECOND
    assert await begun(ledger, olga, reasons=("button",), at=time)
    assert not await ledger.is_open(older)


async def test_a_run_begins_to_live_when_it_is_begun_however_long_its_till_was_asked_before(
    database: Database, sealer: Sealer, olga: UserId
) -> None:
    ledger = DbLedger(database, sealer=sealer, clock=lambda: NOW + 30 * SECOND, alive_for=10 * SECOND)
    assert await begun(ledger, olga, at=NOW + 30 * SECOND)
    assert await ledger.start_run(olga, scope=Scope.FULL, reasons=(), at=NOW) is None
    assert await ledger.start_look(olga, reasons=(), at=NOW) is None


async def test_a_start_whose_connection_is_lost_after_the_commit_is_one_run(
    database: Database, sealer: Sealer, olga: UserId, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = DbLedger(database, sealer=sealer, clock=lambda: NOW, alive_for=10 * SECOND)

    async def twice(work: Callable[[AsyncConnection], Awaitable[RunId]]) -> RunId:
        async with database.writing() as connection:
            await work(connection)
        async with database.writing() as connection:
            return await work(connection)

    monkeypatch.setattr(database, "write", twice)
    run = await begun(ledger, olga)
    assert await ledger.is_open(run)
    await finish(ledger, run, next_at=LATER)
    assert (await ledger.turns([olga], NOW))[olga].wish is None, "nobody overtook it"


async def test_a_run_that_ended_keeps_nobody_waiting(database: Database, sealer: Sealer, olga: UserId) -> None:
    ledger = DbLedger(database, sealer=sealer, clock=lambda: NOW, alive_for=10 * SECOND)
    await finish(ledger, await begun(ledger, olga))
    assert await begun(ledger, olga)


async def test_a_wish_is_due_from_its_time_on_and_a_run_fulfils_it(ledger: DbLedger, olga: UserId) -> None:
    assert await ledger.due(NOW, 10) == []
    await ledger.want(olga, scope=Scope.FULL, reason="toggle", at=NOW + 5 * SECOND)
    assert await ledger.due(NOW, 10) == []
    assert await ledger.due(NOW + 5 * SECOND, 10) == [olga]
    run = await begun(ledger, olga, scope=Scope.FULL, reasons=("toggle",), at=NOW + 6 * SECOND)
    assert await ledger.due(NOW + 7 * SECOND, 10) == []
    await finish(ledger, run)
    assert await ledger.due(LATER, 10) == []
    assert (await ledger.turns([olga], NOW))[olga].wish is None


async def test_wishes_add_up_to_the_widest_at_the_earliest(ledger: DbLedger, olga: UserId) -> None:
    await ledger.want(olga, scope=Scope.HINT, reason="hook", at=LATER)
    await ledger.want(olga, scope=Scope.FULL, reason="settings", at=NOW)
    await ledger.want(olga, scope=Scope.DELTA, reason="hook", at=LATER)
    assert (await ledger.turns([olga], NOW))[olga].wish == Wish(Scope.FULL, ("hook", "settings"))
    assert await ledger.due(NOW, 10) == [olga]


async def test_a_flood_of_hints_becomes_one_look_at_everything(ledger: DbLedger, olga: UserId) -> None:
    for number in range(mirrors.MOST_REASONS + 5):
        await ledger.want(olga, scope=Scope.HINT, reason=f"product {number}", at=NOW)
    wish = (await ledger.turns([olga], NOW))[olga].wish
    assert wish is not None
    assert wish.scope is Scope.FULL
    assert len(wish.reasons) == mirrors.MOST_REASONS


async def test_a_wish_made_during_a_run_stands_after_it(ledger: DbLedger, olga: UserId) -> None:
    run = await begun(ledger, olga, scope=Scope.FULL, reasons=("clock",), at=NOW)
    await ledger.want(olga, scope=Scope.HINT, reason="hook", at=NOW + SECOND)
    await finish(ledger, run, next_at=LATER)
    assert await ledger.due(NOW + SECOND, 10) == [olga]
    assert (await ledger.turns([olga], NOW))[olga].wish == Wish(Scope.HINT, ("hook",))


async def test_a_hint_that_comes_during_a_run_stays_one_until_the_run_s_heart_stops(
    ledger: DbLedger, olga: UserId, database: Database
) -> None:
    run = await begun(ledger, olga, scope=Scope.FULL, reasons=("clock",), at=NOW)
    await ledger.progress(olga, run, Progress(Step.CATALOG), Tally())
    await ledger.want(olga, scope=Scope.HINT, reason="hook", at=NOW + SECOND)
    async with database.reading() as connection:
        assert (await mirrors.turns(connection, [olga], NOW + SECOND))[olga].wish == Wish(Scope.HINT, ("hook",))
        assert (await mirrors.turns(connection, [olga], NOW + SILENCE))[olga].wish == Wish(
            Scope.FULL, ("hook", "clock")
        )


async def test_a_change_stamped_before_a_run_but_committed_after_its_start_is_not_swallowed(
    ledger: DbLedger, olga: UserId
) -> None:
    run = await begun(ledger, olga, scope=Scope.FULL, reasons=("clock",), at=NOW)
    await ledger.want(olga, scope=Scope.FULL, reason="toggle", at=NOW - SECOND)
    await finish(ledger, run, next_at=LATER)
    assert await ledger.due(NOW + SECOND, 10) == [olga]


@pytest.mark.parametrize(
    ("scope", "reasons", "standing"),
    [
        (Scope.HINT, ("hook a",), 1),
        (Scope.HINT, ("hook a", "hook b"), 0),
        (Scope.DELTA, ("schedule",), 1),  # which skips stores that are not due, and the products of a sale
        (Scope.DELTA, ("asked", "hook a", "hook b"), 0),
        (Scope.FULL, (), 0),
    ],
)
async def test_a_narrower_run_leaves_the_wish_standing(
    ledger: DbLedger, olga: UserId, scope: Scope, reasons: Sequence[str], standing: int
) -> None:
    for reason in ("hook a", "hook b"):
        await ledger.want(olga, scope=Scope.HINT, reason=reason, at=NOW)
    run = await begun(ledger, olga, scope=scope, reasons=reasons, at=NOW + SECOND)
    await finish(ledger, run, next_at=None)
    assert len(await ledger.due(LATER, 10)) == standing


async def test_a_run_that_lost_its_worker_is_due_again_with_its_wish(
    ledger: DbLedger, olga: UserId, database: Database
) -> None:
    await ledger.want(olga, scope=Scope.HINT, reason="hook", at=NOW)
    run = await begun(ledger, olga, scope=Scope.HINT, reasons=("hook",), at=NOW)
    await ledger.progress(olga, run, Progress(Step.CATALOG), Tally())  # its heart beats at NOW
    assert await ledger.due(NOW + SILENCE - SECOND, 10) == []
    assert await ledger.due(NOW + SILENCE, 10) == [olga]
    assert (await ledger.turns([olga], NOW + SILENCE))[olga].is_due
    async with database.reading() as connection:
        assert (await mirrors.turns(connection, [olga], NOW + SILENCE))[olga].wish == Wish(Scope.HINT, ("hook",))


async def test_the_clock_makes_due_what_it_was_set_to(ledger: DbLedger, olga: UserId) -> None:
    run = await begun(ledger, olga, scope=Scope.FULL, reasons=(), at=NOW)
    await finish(ledger, run, next_at=LATER)
    assert await ledger.due(LATER - SECOND, 10) == []
    assert not (await ledger.turns([olga], LATER - SECOND))[olga].is_due
    assert await ledger.due(LATER, 10) == [olga]
    assert (await ledger.turns([olga], LATER))[olga].is_due


async def test_a_run_of_a_future_that_was_set_back_is_due_with_all_that_it_was_for(
    ledger: DbLedger, olga: UserId
) -> None:
    await begun(ledger, olga, scope=Scope.FULL, reasons=["asked"], at=LATER)
    turn = (await ledger.turns([olga], LATER - timedelta(hours=2)))[olga]
    assert turn.is_due
    assert turn.wish == Wish(Scope.FULL, ("asked",))


async def test_whose_turn_is_coming_is_known_with_its_time(
    ledger: DbLedger, database: Database, sealer: Sealer
) -> None:
    people = [await owner_with_till(database, sealer, f"{number}@example.org") for number in range(4)]
    for number, user in enumerate(people):
        run = await begun(ledger, user, scope=Scope.FULL, reasons=(), at=NOW)
        await finish(ledger, run, next_at=NOW + (4 - number) * SECOND)
    async with database.writing() as connection:
        await choices.pause_mirror(connection, people[1], at=NOW)
    assert await ledger.coming(NOW + SECOND, NOW + 4 * SECOND, 10) == [
        (people[2], NOW + 2 * SECOND),
        (people[0], NOW + 4 * SECOND),
    ]
    assert await ledger.coming(NOW, NOW + 4 * SECOND, 1) == [(people[3], NOW + SECOND)]


async def test_wishes_go_before_the_clock_and_the_longest_overdue_first(
    ledger: DbLedger, database: Database, sealer: Sealer
) -> None:
    people = [await owner_with_till(database, sealer, f"{number}@example.org") for number in range(5)]
    for number, user in enumerate(people[:3]):
        run = await begun(ledger, user, scope=Scope.FULL, reasons=(), at=NOW)
        await finish(ledger, run, next_at=NOW + (3 - number) * SECOND)
    await ledger.want(people[3], scope=Scope.HINT, reason="b", at=NOW + 2 * SECOND)
    await ledger.want(people[4], scope=Scope.HINT, reason="a", at=NOW + SECOND)
    assert await ledger.due(LATER, 10) == [people[4], people[3], people[2], people[1], people[0]]
    assert await ledger.due(LATER, 3) == [people[4], people[3], people[2]]


async def test_a_paused_mirror_is_not_due_and_not_wanted(ledger: DbLedger, database: Database, olga: UserId) -> None:
    await ledger.want(olga, scope=Scope.FULL, reason="test", at=NOW)
    async with database.writing() as connection:
        assert await choices.pause_mirror(connection, olga, at=NOW)
    assert await ledger.due(LATER, 10) == []
    assert not (await ledger.turns([olga], LATER))[olga].is_due
    assert not await still_wanted(database, olga)
    mirror = await ledger.mirror(olga)
    assert mirror is not None
    assert mirror.paused_at == NOW
    async with database.writing() as connection:
        assert await choices.resume_mirror(connection, olga)
    assert await ledger.due(LATER, 10) == [olga]


async def test_the_turn_of_an_owner_without_a_till_comes_once_he_connects_one(
    ledger: DbLedger, database: Database, olga: UserId, sealer: Sealer
) -> None:
    run = await begun(ledger, olga)
    await finish(ledger, run, next_at=NOW)
    async with database.writing() as connection:
        await connections.disconnect_evotor(connection, olga)
    await ledger.want(olga, scope=Scope.FULL, reason="test", at=NOW)
    assert await ledger.due(LATER, 10) == []
    assert await ledger.coming(NOW - SECOND, LATER, 10) == []
    assert not (await ledger.turns([olga], LATER))[olga].is_due
    await connect_till(database, sealer, olga)
    assert await ledger.due(LATER, 10) == [olga]
    assert (await ledger.turns([olga], LATER))[olga].is_due


async def test_a_run_is_no_longer_wanted_once_its_connections_are_others(
    ledger: DbLedger, database: Database, olga: UserId, sealer: Sealer
) -> None:
    await connect_both(database, olga, sealer)
    run = await begun(ledger, olga, scope=Scope.FULL, reasons=(), at=NOW)
    assert await still_wanted(database, olga)
    await ledger.break_connection(olga, Side.EVOTOR, reason="Evotor 401", at=NOW)
    assert await still_wanted(database, olga), "the run itself knows of a broken one"
    async with database.writing() as connection:
        await connections.disconnect_vk(connection, olga)
    assert not await still_wanted(database, olga)
    await finish(ledger, run)
    assert await still_wanted(database, olga)
    await begun(ledger, olga, scope=Scope.FULL, reasons=(), at=NOW)
    await connect_both(database, olga, sealer, at=LATER)
    assert not await still_wanted(database, olga)


async def test_a_connection_breaks_once(ledger: DbLedger, database: Database, olga: UserId, sealer: Sealer) -> None:
    assert not await ledger.break_connection(olga, Side.VK, reason="VK 5", at=NOW)
    await connect_both(database, olga, sealer)
    assert await ledger.break_connection(olga, Side.VK, reason="VK 5", at=NOW)
    assert not await ledger.break_connection(olga, Side.VK, reason="VK 5", at=LATER)
    mirror = await ledger.mirror(olga)
    assert mirror is not None
    assert mirror.vk is not None
    assert mirror.evotor is not None
    assert (mirror.vk.health, mirror.vk.reason, mirror.evotor.health) == (Health.BROKEN, "VK 5", Health.OK)
    await ledger.mend_connection(olga, Side.VK)
    assert await ledger.break_connection(olga, Side.VK, reason="VK 5", at=LATER)


@pytest.mark.parametrize("side", Side)
async def test_what_is_heard_of_a_connection_that_was_replaced_does_not_break_the_new_one(
    ledger: DbLedger, database: Database, olga: UserId, sealer: Sealer, side: Side
) -> None:
    await connect_both(database, olga, sealer)
    await connect_both(database, olga, sealer, at=LATER)
    assert not await ledger.break_connection(olga, side, reason="VK 5", at=LATER, connected_at=NOW)
    assert await ledger.break_connection(olga, side, reason="VK 5", at=LATER, connected_at=LATER)


async def test_a_run_does_not_begin_with_what_was_there_before_a_change_whose_wish_it_would_take_over(
    ledger: DbLedger, database: Database, olga: UserId, sealer: Sealer
) -> None:
    await connect_both(database, olga, sealer)
    await ledger.want(olga, scope=Scope.FULL, reason="button", at=NOW - SECOND)
    loaded = await ledger.mirror(olga)
    await connect_both(database, olga, sealer, at=NOW - SECOND / 2)
    await ledger.want(olga, scope=Scope.FULL, reason="connected", at=NOW - SECOND / 2)
    assert await ledger.start_run(olga, scope=Scope.FULL, reasons=("button",), at=NOW, loaded=loaded) is None
    wish = (await ledger.turns([olga], NOW))[olga].wish
    assert wish == Wish(Scope.FULL, ("button", "connected"))
    loaded = await ledger.mirror(olga)
    await ledger.want(olga, scope=Scope.FULL, reason="button", at=NOW)  # which changes nothing but the turn
    assert await ledger.start_run(olga, scope=Scope.FULL, reasons=("button",), at=NOW, loaded=loaded) is not None
    assert (await ledger.turns([olga], NOW))[olga].wish is None


async def test_what_a_run_found_of_a_former_community_is_not_said_of_the_one_there_is(
    ledger: DbLedger, database: Database, olga: UserId, sealer: Sealer
) -> None:
    await connect_both(database, olga, sealer)
    paused = {"market.add": Pause(until=LATER, code="VK 14", step=1)}
    for community, kept in ((OTHER_SHOP, {}), (OTHER_SHOP, paused)):
        run = await begun(ledger, olga)
        await connect_both(database, olga, sealer, community=community)
        await finish(ledger, run, pauses=paused)
        mirror = await ledger.mirror(olga)
        assert mirror is not None
        assert (mirror.pauses, mirror.shop_read_at) == (kept, NOW if kept else None)


async def test_a_run_hears_of_what_was_disconnected_in_the_moment_of_its_start(
    ledger: DbLedger, database: Database, olga: UserId, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.engine.dialect.name == "sqlite":
        pytest.skip("one writes at a time")
    await connect_both(database, olga, sealer)
    loaded, load = await ledger.mirror(olga), mirrors.load

    async def load_just_before(*args: Any, **values: Any) -> Mirror | None:
        mirror = await load(*args, **values)
        async with database.writing() as connection:
            await connections.disconnect_vk(connection, olga)
        return mirror

    monkeypatch.setattr(mirrors, "load", load_just_before)
    run = await ledger.start_run(olga, scope=Scope.FULL, reasons=(), at=NOW, loaded=loaded)
    assert run is not None
    assert await ledger.progress(olga, run, Progress(Step.MIRROR), Tally()) is Going.UNWANTED


async def test_what_an_outage_broke_is_mended_for_all_and_due(
    ledger: DbLedger, database: Database, olga: UserId, boris: UserId, sealer: Sealer
) -> None:
    await connect_both(database, olga, sealer)
    async with database.writing() as connection:
        await connections.save_evotor(connection, boris, "another", till_user="01-2", sealer=sealer, at=NOW)
    for user, at in ((olga, NOW), (boris, NOW - timedelta(hours=3))):
        await ledger.break_connection(user, Side.EVOTOR, reason="Evotor 401", at=at)
    assert await ledger.mend_connections(Side.EVOTOR, reason="Evotor 403", since=NOW - SECOND) == 0
    assert await ledger.mend_connections(Side.EVOTOR, reason="Evotor 401", since=NOW - SECOND) == 1
    mirror = await ledger.mirror(olga)
    assert mirror is not None
    assert mirror.evotor is not None
    assert (mirror.evotor.health, mirror.evotor.reason) == (Health.OK, "")
    assert await ledger.due(NOW, 10) == [olga]
    wish = (await ledger.turns([olga], NOW))[olga].wish
    assert wish == Wish(Scope.DELTA, ("mended",)), "a quiet run that is just asking the till leaves it standing"
