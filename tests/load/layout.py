"""Owners laid out in the database as their runs would have left them: one is mirrored, the others are copies of him."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import accounts, connections, mirrors
from evosync.db.engine import Database
from evosync.db.tables import metadata
from evosync.db.tables import mirrors as mirror_rows
from evosync.domain.ids import CommunityId, UserId
from evosync.domain.schedule import Rhythm, next_slot
from evosync.security.seal import Sealer

COPIED = (
    "sync_filters", "cached_stores", "cached_groups", "cached_products", "item_links", "album_links",
    "vk_cached_albums", "vk_cached_products",
)  # fmt: skip
_PIECE = 50
"""Owners in one statement: about a hundred thousand rows of all tables."""


@dataclass(frozen=True, slots=True)
class Past:
    """The runs behind each owner. What the sweep leaves when it has long kept up is the default.

    Twelve quiet runs an hour for two days; and of every twentieth owner in each hour one that changed three prices,
    as in the measured hour: for half a year, and what it did to each product for thirty days.
    """

    idle_hours: int = 48
    busy_days: int = 180
    results_days: int = 30

    @property
    def idle_runs(self) -> int:
        return self.idle_hours * _AN_HOUR


STEADY = Past()
_AN_HOUR = 12
_BUSY = 20
_PRICES = 3


@dataclass(frozen=True, slots=True)
class Layout:
    """Copies of `pattern` in MariaDB; owner `number` is that of the clouds."""

    database: Database
    sealer: Sealer
    pattern: UserId
    at: datetime

    async def crowd(self, owners: int, *, password: str, past: Past) -> list[UserId]:
        """Owners 2 to `owners`, each with such a past; all their ids, in order."""
        users = [self.pattern]
        for first in range(2, owners + 1, _PIECE):
            numbers = range(first, min(first + _PIECE, owners + 1))
            made = await self.database.write(
                lambda connection, numbers=numbers: self._people(connection, numbers, password)  # type: ignore[misc]  # bound at once
            )
            await self.database.write(
                lambda connection, made=made: self._copies(connection, made)  # type: ignore[misc]  # bound at once
            )
            users += made
        await self._history(users[1:], past)
        await self.database.write(lambda connection: accounts.set_password(connection, self.pattern, password))
        return users

    async def _people(self, connection: AsyncConnection, numbers: range, password: str) -> list[UserId]:
        made = []
        for number in numbers:
            user = await accounts.create_user(
                connection,
                email=email(number),
                role="user",
                password_hash=password,
                status=accounts.UserStatus.ACTIVE,
                at=self.at,
            )
            await connections.save_evotor(
                connection, user, f"cloud-token-{number}", till_user=None, sealer=self.sealer, at=self.at
            )
            await connections.save_vk(
                connection,
                user,
                f"vk-token-{number}",
                community=CommunityId(300_000 + number),
                name=f"Магазин {number}",
                vk_user_id=None,
                expires_at=None,
                sealer=self.sealer,
                at=self.at,
            )
            made.append(user)
        return made

    async def _copies(self, connection: AsyncConnection, users: Sequence[UserId]) -> None:
        known = {"pattern": self.pattern, "first": users[0], "last": users[-1]}
        for name in COPIED:
            columns = [column.name for column in metadata.tables[name].columns]
            values = ", ".join(_value(name, column) for column in columns)
            await connection.execute(
                text(
                    f"INSERT INTO {name} ({', '.join(columns)}) SELECT {values} FROM {name} p"  # noqa: S608 - names of our own tables
                    " JOIN vk_connections v ON v.user_id BETWEEN :first AND :last WHERE p.user_id = :pattern"
                ),
                known,
            )
        for name in ("sync_configs", "mirrors"):
            columns = [column.name for column in metadata.tables[name].columns if column.name != "user_id"]
            values = ", ".join(f"c.{column} = p.{column}" for column in columns)
            await connection.execute(
                text(
                    f"UPDATE {name} c JOIN {name} p ON p.user_id = :pattern SET {values}"  # noqa: S608 - as above
                    " WHERE c.user_id BETWEEN :first AND :last"
                ),
                known,
            )

    async def _history(self, users: Sequence[UserId], past: Past) -> None:
        """In the order of time over all owners, as runs are written: an owner's rows lie far apart."""
        if not users:
            return
        known: dict[str, Any] = {"pattern": self.pattern, "first": min(users), "last": max(users)}
        quick = past.idle_hours
        for day in range(past.busy_days, -(-quick // 24), -1):
            await self._write([_busy(24 * day - 1, 24 * (day - 1))], known, results=day <= past.results_days)
        for hour in range(quick - 1, -1, -1):
            await self._write([_busy(hour, hour)] * bool(past.busy_days), known, results=bool(past.results_days))
            await self._write([_idle(hour)], known, results=False)
        if quick:
            await self.database.write(lambda connection: connection.execute(text(_LAST_RUNS), known))
        # a server that has been up for days knows its tables
        async with self.database.reading() as connection:
            await connection.execute(text("ANALYZE TABLE sync_runs, run_items, mirrors"))

    async def _write(self, statements: Sequence[str], known: Mapping[str, Any], *, results: bool) -> None:
        async def write(connection: AsyncConnection) -> None:
            edge = await connection.scalar(text("SELECT MAX(id) FROM sync_runs"))
            for statement in statements:
                await connection.execute(text(statement), known)
            if results:
                await connection.execute(text(_RESULTS), {**known, "edge": edge})

        await self.database.write(write)

    async def place(
        self, users: Sequence[UserId], resting: Sequence[UserId], *, rhythm: Rhythm, begin: datetime
    ) -> None:
        """From `begin` on `users` are due as `rhythm` has it, evenly; `resting` not at all."""
        await self.database.write(
            lambda connection: self._place(connection, users, resting, rhythm=rhythm, begin=begin)
        )

    async def _place(
        self,
        connection: AsyncConnection,
        users: Sequence[UserId],
        resting: Sequence[UserId],
        *,
        rhythm: Rhythm,
        begin: datetime,
    ) -> None:
        dice = random.Random(5)
        rows = []
        c = mirror_rows.c
        readings = await connection.scalar(select(c.readings).where(c.user_id == self.pattern))
        known = {store: mirrors.reading_of(value) for store, value in (readings or {}).items()}
        for user in users:
            turn = next_slot(user, now=begin - rhythm.step / 2, interval=rhythm.step)
            read = turn - rhythm.step * dice.randrange(1, max(int(rhythm.full / rhythm.step), 1) + 1)
            placed = {store: replace(each, full_at=read, delta_at=turn - rhythm.step) for store, each in known.items()}
            rows.append(
                {
                    "user": user,
                    "at": turn,
                    "said": {store: mirrors._reading_to_json(each) for store, each in placed.items()},
                    "read": read,
                }
            )
        a_day = begin + timedelta(days=1)
        rows += [{"user": user, "at": a_day, "said": readings, "read": begin} for user in resting]
        if rows:
            await connection.execute(
                update(mirror_rows)
                .where(c.user_id == bindparam("user"))
                .values(next_at=bindparam("at"), readings=bindparam("said"), shop_read_at=bindparam("read")),
                rows,
            )


def email(number: int) -> str:
    return f"owner{number}@example.com"


def _value(table: str, column: str) -> str:
    if column == "user_id":
        return "v.user_id"
    if column == "community_id" or (column == "group_id" and table.startswith("vk_")):
        return "v.group_id"
    if column == "till_user":
        return "CONCAT('01-', LPAD(v.group_id - 300000, 15, '0'))"
    return f"p.{column}"


def _idle(hour: int) -> str:
    """An hour's quiet runs of all, that hour before now; an owner's turn is his own."""
    turns = f"seq_{hour * _AN_HOUR}_to_{(hour + 1) * _AN_HOUR - 1} s"
    return _runs(turns, "TRUE", ago="(s.seq * 300 + 1 + MOD(v.user_id * 7919, 300))")


def _busy(oldest: int, newest: int) -> str:
    """In each of these hours before now one owner of so many had something to do."""
    changed = f"JSON_SET(p.counts, '$.updated', {_PRICES})"
    one_of_them = f"MOD(v.user_id + s.seq, {_BUSY}) = 0"
    ago = "(s.seq * 3600 + 1 + MOD(v.user_id * 7919, 3600))"
    return _runs(f"seq_{newest}_to_{oldest} s", one_of_them, ago=ago, counts=changed)


def _runs(turns: str, whose: str, *, ago: str, counts: str = "p.counts") -> str:
    values = {
        column.name: f"p.{column.name} - INTERVAL {ago} SECOND" if column.name.endswith("_at") else f"p.{column.name}"
        for column in metadata.tables["sync_runs"].columns
        if column.name != "id"
    } | {"user_id": "v.user_id", "counts": counts}
    return (
        f"INSERT INTO sync_runs ({', '.join(values)}) SELECT {', '.join(values.values())} FROM sync_runs p"  # noqa: S608 - as above
        f" JOIN mirrors m ON m.last_run_id = p.id AND m.user_id = :pattern JOIN {turns}"
        f" JOIN vk_connections v ON v.user_id BETWEEN :first AND :last WHERE {whose} ORDER BY {ago} DESC"
    )


_RESULTS = (
    "INSERT INTO run_items (run_id, product_id, result, why, code, fields)"  # noqa: S608 - a number of ours
    " SELECT r.id, c.product_id, 'updated', '', '', '[\"price\"]' FROM sync_runs r"
    f" JOIN (SELECT product_id FROM cached_products WHERE user_id = :pattern LIMIT {_PRICES}) c"
    " WHERE r.id > :edge AND r.user_id BETWEEN :first AND :last"
)
_LAST_RUNS = (
    "UPDATE mirrors m JOIN (SELECT user_id, MAX(id) AS last FROM sync_runs GROUP BY user_id) r"
    " ON r.user_id = m.user_id SET m.last_run_id = r.last WHERE m.user_id BETWEEN :first AND :last"
)
