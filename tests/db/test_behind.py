"""Since when a mirror lacks what VK did not let be done, as the ends of its runs tell."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from evosync.db.engine import Database
from evosync.db.ledger import DbLedger
from evosync.db.tables import mirrors
from evosync.domain.ids import RunId, UserId
from evosync.domain.mirror import Outcome, Scope, Tally, is_behind
from evosync.security.seal import Sealer
from tests.db.conftest import NOW, begun
from tests.db.test_connections import OTHER_SHOP, connect_vk

HOUR = timedelta(hours=1)


async def finish(
    ledger: DbLedger, run: RunId, outcome: Outcome, code: str = "", *, reads_again: bool = False, at: datetime = NOW
) -> None:
    await ledger.finish_run(
        run,
        outcome=outcome,
        code=code,
        tally=Tally(),
        notes={},
        readings={},
        pauses={},
        shop_read_at=None if reads_again else NOW,
        next_at=None,
        failures=0,
        at=at,
    )


async def ran(
    ledger: DbLedger, user: UserId, scope: Scope, outcome: Outcome, code: str = "", *, hour: int, reads_again: bool
) -> None:
    """A run of a minute that began so many hours after NOW."""
    at = NOW + hour * HOUR
    run = await begun(ledger, user, scope=scope, at=at)
    await finish(ledger, run, outcome, code, reads_again=reads_again, at=at + timedelta(minutes=1))


async def behind_since(database: Database, user: UserId) -> datetime | None:
    async with database.reading() as connection:
        found = await connection.scalar(select(mirrors.c.behind_since).where(mirrors.c.user_id == user))
    assert found is None or isinstance(found, datetime)
    return found


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize(("code", "reads_again"), [("VK 14", False), ("", True)], ids=["stopped", "answer lost"])
def test_a_run_of_any_width_that_vk_stopped_or_did_not_answer_leaves_the_mirror_behind(
    scope: Scope,
    code: str,
    reads_again: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    assert is_behind(scope, Outcome.PARTIAL, code, reads_again=reads_again) is True


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.PARTIAL, Outcome.READ_ONLY])
def test_only_a_full_run_that_left_nothing_waiting_has_caught_up(outcome: Outcome) -> None:
    """What was refused product by product is done with: `PARTIAL` without a code."""
    assert is_behind(Scope.FULL, outcome, "", reads_again=False) is False
    assert is_behind(Scope.DELTA, outcome, "", reads_again=False) is None
    assert is_behind(Scope.HINT, outcome, "", reads_again=False) is None


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.HELD, Outcome.CUT])
def test_a_run_that_got_nowhere_does_not_tell(scope: Scope, outcome: Outcome) -> None:
    assert is_behind(scope, outcome, "VK 10", reads_again=True) is None


async def test_a_mirror_is_behind_since_the_first_run_that_left_it_so_until_a_full_one_has_caught_up(
    ledger: DbLedger, database: Database, olga: UserId
) -> None:
    first, again = NOW + HOUR, NOW + 7 * HOUR
    steps = (
        (0, Scope.FULL, Outcome.OK, "", False, None),
        (1, Scope.FULL, Outcome.PARTIAL, "VK 14", False, first),
        (2, Scope.DELTA, Outcome.OK, "", False, first),
        (3, Scope.DELTA, Outcome.PARTIAL, "VK 9", True, first),
        (4, Scope.FULL, Outcome.FAILED, "VK 10", True, first),
        (5, Scope.FULL, Outcome.PARTIAL, "VK 14", False, first),
        (6, Scope.FULL, Outcome.PARTIAL, "", False, None),
        (7, Scope.HINT, Outcome.PARTIAL, "", True, again),
        (8, Scope.FULL, Outcome.OK, "", False, None),
    )
    for hour, scope, outcome, code, reads_again, since in steps:
        await ran(ledger, olga, scope, outcome, code, hour=hour, reads_again=reads_again)
        assert await behind_since(database, olga) == since, f"after the run of hour {hour}"


async def test_a_quiet_delta_leaves_a_mirror_behind(ledger: DbLedger, database: Database, olga: UserId) -> None:
    await ran(ledger, olga, Scope.FULL, Outcome.PARTIAL, "VK 14", hour=0, reads_again=False)
    await ledger.note_quiet_run(
        olga,
        reasons=("schedule",),
        outcome=Outcome.OK,
        tally=Tally(),
        readings={},
        next_at=None,
        started_at=NOW + HOUR,
        at=NOW + HOUR,
    )
    assert await behind_since(database, olga) == NOW


async def test_a_run_that_was_overtaken_says_nothing_of_the_mirror(
    ledger: DbLedger, database: Database, olga: UserId, boris: UserId
) -> None:
    for user, late, expected in ((olga, "VK 14", None), (boris, "", NOW + HOUR)):
        older = await begun(ledger, user)
        newer = await begun(ledger, user, at=NOW + HOUR)
        if expected is not None:
            await finish(ledger, newer, Outcome.PARTIAL, "VK 14")
        await finish(ledger, older, Outcome.PARTIAL if late else Outcome.OK, late)
        assert await behind_since(database, user) == expected


async def test_a_mirror_into_another_community_is_not_behind_for_what_the_old_one_lacked(
    ledger: DbLedger, database: Database, olga: UserId, sealer: Sealer
) -> None:
    await connect_vk(database, olga, sealer)
    await ran(ledger, olga, Scope.FULL, Outcome.PARTIAL, "VK 14", hour=0, reads_again=False)
    await connect_vk(database, olga, sealer, OTHER_SHOP)
    assert await behind_since(database, olga) is None
