"""Who waits, as the metrics and the queue's page count it, is who the workers find due."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from evosync.db import choices
from evosync.db import mirrors as turns
from evosync.db.engine import Database
from evosync.db.ledger import DbLedger
from evosync.db.mirrors import SILENCE
from evosync.db.tables import mirrors
from evosync.domain.ids import UserId
from evosync.domain.mirror import AHEAD, Scope
from evosync.security.seal import Sealer
from tests.db.conftest import NOW, begun, connect_till, new_owner

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


@pytest.fixture
async def people(ledger: DbLedger, database: Database, sealer: Sealer) -> Mapping[UserId, str]:
    """One owner for each reason to wait, and one who has them and no till; all of it was noted at NOW."""
    named = {
        name: await new_owner(database, f"{name}@example.org")
        for name in ("resting", "wished", "timed", "far", "going", "without a till")
    }
    for name, owner in named.items():
        if name != "without a till":
            await connect_till(database, sealer, owner)
    for name in ("wished", "without a till"):
        await ledger.want(named[name], scope=Scope.FULL, reason="test", at=NOW)
    await begun(ledger, named["going"])
    async with database.writing() as connection:
        for name, next_at in (("timed", NOW), ("far", NOW + 3 * HOUR), ("without a till", NOW)):
            of = update(mirrors).where(mirrors.c.user_id == named[name])
            await connection.execute(of.values(started_at=NOW, next_at=next_at))
    return {user: name for name, user in named.items()}


async def waiting(database: Database, people: Mapping[UserId, str], at: datetime) -> set[str]:
    query = select(mirrors.c.user_id).select_from(turns.waiting()).where(*turns.waits(at))
    async with database.reading() as connection:
        found = {people[user] for user in (await connection.execute(query)).scalars()}
        assert {people[user] for user in await turns.due(connection, at, 10)} == found, "the workers see it otherwise"
        assert (await turns.backlog(connection, at))[0] == len(found)
    return found


@pytest.mark.parametrize(
    ("after", "who"),
    [
        (timedelta(), {"wished", "timed"}),
        (SILENCE - SECOND, {"wished", "timed"}),
        (SILENCE, {"wished", "timed", "going"}),
        (3 * HOUR, {"wished", "timed", "far", "going"}),
        (-AHEAD, set()),
        (-AHEAD - SECOND, {"far", "going"}),
        (-HOUR, {"timed", "far", "going"}),
    ],
)  # the last two: the clock was set back
async def test_who_waits_is_who_is_due_also_where_the_clock_was_set_back(
    database: Database, people: Mapping[UserId, str], after: timedelta, who: set[str]
) -> None:
    assert await waiting(database, people, NOW + after) == who


async def test_ahead_of_a_wish_are_only_those_whose_turn_will_come(
    database: Database, ledger: DbLedger, people: Mapping[UserId, str]
) -> None:
    named = {name: user for user, name in people.items()}
    await ledger.want(named["far"], scope=Scope.FULL, reason="test", at=NOW)
    async with database.writing() as connection:
        assert await choices.pause_mirror(connection, named["far"], at=NOW)
        assert await turns.ahead(connection, NOW + SECOND, NOW + SECOND) == 1, "whom it was wished for"
        assert await turns.ahead(connection, NOW, NOW + SECOND) == 0
